"""Every space under one model, from the default's log Z to its draws, by closed forms.

Of each space: log Z within four reported errors, a second estimate that agrees, log p by row, also
of new data and outside, LOO, dims, and χ² of predictive draws and of chains by the space's moves.
"""

import itertools
from typing import NamedTuple

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import gammaln, i0, logsumexp

import pymc_ebm as ebm
from pymc_ebm.energies import hard_core, mallows
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.split import evaluate
from pymc_ebm.reference.annealing.population import Population
from pymc_ebm.reference.annealing.spaces import annealed_space


class Case(NamedTuple):
    """An energy of one parameter and what is known of its law.

    Attributes
    ----------
    energy : callable
    log_z : callable
        Of parameters of any shape.
    cells : callable
        Which of some cells each event falls into, and the probabilities of the cells.
    support : object
    data : callable
        Some n events.
    outside : object
        An event without probability, None where there is none.
    """

    energy: object
    log_z: object
    cells: object
    support: object
    data: object
    outside: object


def ten(u):
    """Cells of equal probability, of uniform numbers."""
    return np.minimum((10 * u).astype(int), 9), np.full(10, 0.1)


def unit(rng, n):
    x = rng.normal(size=(n, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


ORDERS = np.array(list(itertools.permutations([1, 2, 3, 4])))
DISCORDANT = (ORDERS[:, :, None] > ORDERS[:, None])[:, *np.triu_indices(4, 1)].sum(axis=1)
LENGTH, RADIUS = 2.0, 0.5
N = np.arange(6)  # there is no place for more than 5 points so far apart


def log_p_of_numbers(log_beta):
    """Log of Z p(n) of hard rods on a line, and Z by their sum (Tonks 1936)."""
    free = np.where(N > 0, np.clip(LENGTH - (N - 1) * RADIUS, 0, None), 1.0)
    with np.errstate(divide="ignore"):
        return -LENGTH + N * (np.asarray(log_beta)[..., None] + np.log(free)) - gammaln(N + 1)


def rods(rng, n):
    """Points one after the other where there is place."""
    found = []
    for x in rng.uniform(0, LENGTH, size=(n, 6)):
        kept: list[float] = []
        for point in x[: rng.integers(1, 6)]:
            if all(abs(point - other) >= RADIUS for other in kept):
                kept.append(point)
        found.append(np.reshape(kept, (-1, 1)))
    return ebm.space.pack(found, most=6)


def cells_of_rods(x, k):
    """None, or how many points and in which third the first is, of the place that there is."""
    there = x[..., -1] > 0
    n = there.sum(axis=1)
    first = np.where(there, x[..., 0], np.inf).min(axis=1)
    free = LENGTH - (np.maximum(n, 1) - 1) * RADIUS
    u = 1 - (1 - np.where(n > 0, first, 0.0) / free) ** n  # n uniform places without the rods
    index = np.where(n > 0, 3 * n - 2 + np.minimum((3 * u).astype(int), 2), 0)
    p = np.exp(log_p_of_numbers(k) - logsumexp(log_p_of_numbers(k)))
    # Four points have no more than half the place of one, and five none.
    return np.minimum(index, 10), np.array([p[0], *np.repeat(p[1:4] / 3, 3), p[4:].sum()])


CASES = {
    "line": Case(
        lambda x, k: k * x**2 / 2,
        lambda k: np.log(2 * np.pi / k) / 2,
        lambda x, k: ten(stats.norm.cdf(x * np.sqrt(k))),
        None,
        lambda rng, n: rng.normal(size=n),
        None,
    ),
    "positive": Case(
        lambda x, k: k * x,
        lambda k: -np.log(k),
        lambda x, k: ten(-np.expm1(-k * x)),
        "positive",
        lambda rng, n: rng.exponential(size=n),
        -0.1,
    ),
    "counts": Case(
        lambda x, k: pt.gammaln(x + 1.0) - x * pt.log(k),
        lambda k: k,
        lambda x, k: (np.minimum(x, 4), [*stats.poisson(k).pmf(range(4)), stats.poisson(k).sf(3)]),
        (0, np.inf),
        lambda rng, n: rng.poisson(2, size=n),
        -1,
    ),
    "states": Case(
        lambda x, k: -k * x.sum(-1),
        lambda k: 3 * np.log1p(np.exp(k)),
        lambda x, k: (x.sum(axis=1), stats.binom(3, 1 / (1 + np.exp(-k))).pmf(range(4))),
        (0, 1),
        lambda rng, n: rng.integers(2, size=(n, 3)),
        [0, 2, 1],
    ),
    "circle": Case(
        lambda x, k: -k * pt.cos(x),
        lambda k: np.log(2 * np.pi * i0(k)),
        lambda x, k: ten(stats.vonmises(k).cdf(x)),
        "circle",
        lambda rng, n: rng.vonmises(0, 1, size=n),
        None,
    ),
    "sphere": Case(
        lambda x, k: -k * x[..., 2],
        lambda k: np.log(4 * np.pi * np.sinh(k) / k),
        lambda x, k: ten(np.expm1(k * (x[:, 2] + 1)) / np.expm1(2 * k)),
        "sphere",
        unit,
        [0.0, 0.0, 1.3],
    ),
    "simplex": Case(
        lambda x, k: -(k - 1) * pt.log(x).sum(-1),
        lambda k: 3 * gammaln(k) - gammaln(3 * k),
        lambda x, k: ten(stats.beta(k, 2 * k).cdf(x[:, 1])),
        "simplex",
        lambda rng, n: rng.dirichlet([2.0] * 3, size=n),
        [0.5, 0.2, 0.2],
    ),
    "permutations": Case(
        mallows("kendall", [1, 2, 3, 4]),
        lambda k: logsumexp(-np.multiply.outer(k, DISCORDANT), axis=-1),
        lambda x, k: (
            (x[:, None] == ORDERS).all(axis=2).argmax(axis=1),
            np.exp(-k * DISCORDANT) / np.exp(-k * DISCORDANT).sum(),
        ),
        "permutations",
        lambda rng, n: rng.permuted(np.tile(np.arange(1, 5), (n, 1)), axis=1),
        [1, 1, 2, 3],
    ),
    "points": Case(
        lambda x, k: hard_core(RADIUS)(x, k),  # without its local change, which takes compiling
        lambda k: logsumexp(log_p_of_numbers(k), axis=-1),
        cells_of_rods,
        ebm.space.points([(0, LENGTH)]),
        rods,
        ebm.space.pack([[[0.5], [2.1]]], most=6)[0],
    ),
}
THETA, DIMS = np.float64(1.5), ("row", "part", "number")


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("name", CASES)
def test_everything_that_an_ebm_does(name, rng):
    case = CASES[name]
    x, new = case.data(rng, 30), case.data(rng, 7)
    dims = DIMS[: x.ndim]
    coords = {dim: np.arange(n) for dim, n in zip(dims, x.shape, strict=True)}
    with pm.Model(coords=coords) as model:
        k = pm.HalfNormal("k", 2)
        data = pm.Data("data", x, dims=dims)
        given = {} if case.support is None else {"support": case.support}
        rv = ebm.EBM(
            "x", k, energy=case.energy, observed=data, dims=dims, progressbar=False, **given
        )
    q = rv.owner.op.spec.reference
    found = ebm.log_partition_at(case.energy, THETA, reference=q)
    assert abs(found.log_partition - case.log_z(THETA)) < 4 * found.mcse + 1e-6

    # 400 draws of the exact posterior, of a grid.
    grid = np.linspace(0.02, 6, 3000)
    of_grid = log_p(case, x, grid)
    posterior = np.exp(of_grid.sum(axis=1) - grid**2 / 8 - of_grid.sum(axis=1).max())
    posterior /= posterior.sum()
    at = rng.choice(grid, p=posterior, size=(2, 200))
    idata = az.from_dict({"posterior": {"k": at}})
    with model:
        pm.compute_log_likelihood(idata, progressbar=False)
        ebm.compute_reference_stats(idata, progressbar=False)
    by_row = idata["log_likelihood"]["x"]
    assert by_row.dims == ("chain", "draw", "row")
    errors = by_row.to_numpy().reshape(400, 30) - log_p(case, x, at.ravel())
    # Log Ẑ is off by as much for all rows, and its errors across the posterior are not larger.
    assert np.abs(errors).max() < 6 * found.mcse + 1e-6
    report = ebm.report(idata)
    assert report.status == "ok" and report.reasons[0].startswith("Two estimates give the same")

    # LOO of those draws, against that of the grid: within four standard errors of 400 draws.
    ratios = np.exp(-by_row.to_numpy().reshape(400, 30))
    se = (ratios / ratios.mean(axis=0)).sum(axis=1).std() / np.sqrt(400)
    truth = -np.log(posterior @ np.exp(-of_grid)).sum()
    assert abs(az.loo(idata).elpd - truth) < 4 * se + 30 * 4 * found.mcse

    # Other data, with another number of rows.
    with model:
        pm.set_data({"data": new}, coords={"row": np.arange(7)})
        fixed = az.from_dict({"posterior": {"k": np.full((1, 100), THETA)}})
        pm.compute_log_likelihood(fixed, progressbar=False)
        pm.sample_posterior_predictive(
            fixed, extend_inferencedata=True, progressbar=False, random_seed=rng
        )
    of_new = fixed["log_likelihood"]["x"].to_numpy()[0, 0]
    np.testing.assert_allclose(of_new, log_p(case, new, THETA[None])[0], atol=4 * found.mcse + 1e-6)
    if case.outside is not None:
        out = np.broadcast_to(case.outside, new.shape)
        assert np.isneginf(evaluate([pm.logp(rv, out)], {k: pt.constant(THETA)})[0]).all()

    drawn = fixed["posterior_predictive"]["x"]
    assert drawn.dims == ("chain", "draw", *dims) and drawn.shape == (1, 100, *new.shape)
    for events in (drawn.to_numpy().reshape(-1, *x.shape[1:]), chains(case, x, q.space, rng)):
        assert q.space.contains(events).all()
        index, p = case.cells(events, THETA)
        counts = np.bincount(index, minlength=len(p))
        assert stats.chisquare(counts, np.array(p) * len(events)).pvalue > 1e-5


def log_p(case, x, at):
    """Of rows ``(N,)`` at parameters ``(S,)``, ``(S, N)``."""
    energies = case.energy(pt.constant(x), pt.constant(at[:, None]))
    return -evaluate([energies])[0] - case.log_z(at)[:, None]


def chains(case, x, space, rng):
    """Ends of chains by the space's own moves, from a thousand draws of its base law."""
    moved = annealed_space(Energy(case.energy), [(THETA,)], x, space, None, rng)
    starts = moved.draw(rng, 1000)
    possible = np.isfinite(moved.potential(1, starts)[0])
    population = Population.of(moved, 1, 1, starts[possible])
    scale = moved.first_scale()
    for number in range(1, 60):
        population, acceptance = moved.move(population, 1.0, scale, rng)
        scale = moved.scale_after(scale, acceptance, number)
    return moved.points(population.states)
