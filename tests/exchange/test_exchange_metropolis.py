"""The exchange algorithm against exact posteriors: on a grid, and by enumeration."""

import itertools
from functools import partial

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

import pymc_ebm as ebm
from pymc_ebm.energies import edges, ergm, to_adjacency, triangles
from pymc_ebm.partition._log_partition import log_partition

DATA = np.resize([-1.754, 1.754], 20)
GRID = np.linspace(0.005, 8, 8000)


def energy(x, sigma):
    return x**2 / (2 * sigma**2)


def exact(rng, draws, sigma):
    return rng.normal(0, sigma, size=draws)


# A point set that has nothing to do with the data: no step may look at its normaliser.
UNUSED = ebm.reference.independent(pm.Normal.dist(50, 1), draws=50, random_seed=1)


def gaussian(data=DATA):
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5, initval=2.0)
        ebm.EBM("x", sigma, energy=energy, reference=UNUSED, observed=data)
    return model


def sample(step, draws=2000, chains=4, **kwargs):
    options = {"tune": 1000, "cores": 1, "progressbar": False, "compute_convergence_checks": False}
    return pm.sample(draws, chains=chains, step=step, **{**options, **kwargs})


def grid_moments(log_p, grid=GRID):
    """Mean and sd of a density on an even grid that it does not reach the end of."""
    p = np.exp(log_p - log_p.max())
    assert p[-1] < 1e-5
    p /= p.sum()
    mean = p @ grid
    return mean, np.sqrt(p @ (grid - mean) ** 2)


def gaussian_moments(data):
    return grid_moments(
        stats.norm(0, GRID).logpdf(np.asarray(data)[:, None]).sum(axis=0) - GRID**2 / 50
    )


def z_scores(draws, moments, added=(0.0, 0.0)):
    """Distances of mean and sd from the truth in standard errors: of the draws, and `added`."""
    values = draws.to_numpy()
    found = [values.mean(), values.std()]
    errors = [float(az.mcse(values, method=how)) for how in ("mean", "sd")]
    return np.abs(np.subtract(found, moments)) / np.hypot(errors, added)


# 4 standard errors: with these few comparisons a false alarm in 4000 runs of the file.


def test_gaussian_against_its_grid(seed):
    with gaussian():
        idata = sample(ebm.ExchangeMetropolis(sampler=exact), random_seed=seed)
    assert (z_scores(idata["posterior"]["sigma"], gaussian_moments(DATA)) < 4).all()
    sampler_stats = idata["sample_stats"]
    assert 0.1 < sampler_stats["accepted"].mean() < 0.6
    # Tuned, then fixed in each chain.
    assert (sampler_stats["scaling"] == sampler_stats["scaling"][:, :1].values).all()


def test_without_the_exchange_the_posterior_is_wrong(seed):
    """A negative control: the normaliser then never enters, and sigma runs away."""
    with gaussian():
        step = ebm.ExchangeMetropolis(sampler=exact)
        step._energy_of_draws = lambda u, w: 0.0
        idata = sample(step, draws=1000, random_seed=seed)
    assert (z_scores(idata["posterior"]["sigma"], gaussian_moments(DATA)) > 8).any()


def test_draws_do_not_depend_on_the_cores_or_on_an_earlier_run(seed):
    with gaussian():
        step = ebm.ExchangeMetropolis(sampler=exact)
        runs = [
            sample(step, draws=50, tune=200, chains=2, cores=cores, random_seed=seed)
            for cores in (1, 2, 1)
        ]
    first, *others = (run["posterior"]["sigma"].to_numpy() for run in runs)
    assert len(np.unique(first[:, -1])) == 2
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_rows_of_parameters_potentials_and_new_data(seed):
    """Two groups of one variable, each with its own scale, and a potential that is known."""
    group = np.repeat([0, 1], [20, 40])
    with pm.Model():
        sigma = pm.HalfNormal("sigma", 5, shape=2, initval=[2.0, 2.0])
        x = pm.Data("x_data", np.ones(60))
        ebm.EBM("x", sigma[group], energy=energy, reference=UNUSED, observed=x)
        pm.Potential("tilt", -sigma[0])
        step = ebm.ExchangeMetropolis(sampler=exact, S=[0.3, 0.2])
        data = np.r_[DATA, np.resize([-0.5, 0.5], 40)]
        pm.set_data({"x_data": data})
        idata = sample(step, random_seed=seed)
    log_p = [stats.norm(0, GRID).logpdf(data[group == g][:, None]).sum(axis=0) for g in (0, 1)]
    tilted = grid_moments(log_p[0] - GRID**2 / 50 - GRID)
    assert (z_scores(idata["posterior"]["sigma"][..., 0], tilted) < 4).all()
    plain = grid_moments(log_p[1] - GRID**2 / 50)
    assert (z_scores(idata["posterior"]["sigma"][..., 1], plain) < 4).all()


SIDE = 4
BITS = (np.arange(2**SIDE**2)[:, None] >> np.arange(SIDE**2)) & 1
STATES = (2 * BITS - 1).reshape(-1, SIDE, SIDE)


def neighbours(s):
    return (s[..., 1:, :] * s[..., :-1, :]).sum((-1, -2)) + (s[..., 1:] * s[..., :-1]).sum((-1, -2))


def ising(s, beta):
    return -beta * neighbours(s)


SUMS = neighbours(STATES)
LEVELS, LEVEL_OF_STATE, COUNTS = np.unique(SUMS, return_inverse=True, return_counts=True)
BY_LEVEL = np.split(np.argsort(LEVEL_OF_STATE), np.cumsum(COUNTS)[:-1])


def enumerated(rng, draws, beta):
    log_p = np.log(COUNTS) + beta * LEVELS
    p = np.exp(log_p - log_p.max())
    levels = rng.choice(len(LEVELS), size=draws, p=p / p.sum())
    return STATES[[rng.choice(BY_LEVEL[level]) for level in levels]]


def test_ising_against_enumeration(rng, seed):
    """One 4 × 4 lattice with 12 as sum over its 24 pairs, under beta ~ HalfNormal(1)."""
    lattice = STATES[np.flatnonzero(SUMS == 12)[:1]]
    grid = np.linspace(0, 5, 4001)
    log_z = np.logaddexp.reduce(np.log(COUNTS) + grid[:, None] * LEVELS, axis=1)
    log_p = 12 * grid - log_z - grid**2 / 2
    # Half a cell at the bound of the prior.
    log_p[0] -= np.log(2)
    with pm.Model():
        beta = pm.HalfNormal("beta", 1)
        coins = ebm.reference.from_draws(
            STATES[rng.integers(2**16, size=100)], np.full(100, -16 * np.log(2))
        )
        ebm.EBM("s", beta, energy=ising, reference=coins, observed=lattice)
        idata = sample(ebm.ExchangeMetropolis(sampler=enumerated), random_seed=seed)
    assert (z_scores(idata["posterior"]["beta"], grid_moments(log_p, grid)) < 4).all()


def networks_of_7():
    """Edges, triangles and the log count of each pair of them over all 2²¹ graphs on 7 nodes."""
    pairs = list(itertools.combinations(range(7), 2))
    tie = {pair: (np.arange(2**21) >> k & 1).astype(np.int8) for k, pair in enumerate(pairs)}
    ties = sum(t.astype(np.int64) for t in tie.values())
    closed = sum(
        (tie[i, j] & tie[j, k] & tie[i, k]).astype(np.int64)
        for i, j, k in itertools.combinations(range(7), 3)
    )
    counts = np.bincount(ties * 36 + closed).reshape(22, 36)
    found = np.nonzero(counts)
    return *found, np.log(counts[found])


@pytest.mark.slow
def test_network_against_enumeration_and_a_pooled_reference(seed):
    """7 nodes, four of them all tied (6 ties, 4 triangles), under N(0, 1) priors of theta.

    Three answers: exact on a grid, by exchange with Gibbs draws, and by chains at nine anchors as
    reference, on the same grid: its mean and sd lie within 4 of the errors that it is said to add.
    """
    ties, closed, log_counts = networks_of_7()
    axis = np.linspace(-5, 5, 51)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    log_z = np.array([np.logaddexp.reduce(log_counts + a * ties + b * closed) for a, b in grid])
    # The value of tests/energies/test_ergm.py, which sums over the graphs one by one.
    assert abs(np.logaddexp.reduce(log_counts - ties + 0.3 * closed) - 6.848514) < 1e-6
    log_p = grid @ [6, 4] - log_z - (grid**2).sum(axis=1) / 2
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = p @ grid
    sd = np.sqrt(p @ (grid - mean) ** 2)

    energy = ergm((edges, triangles))
    observed = np.zeros((1, 21), dtype=np.int64)
    observed[0, [0, 1, 2, 6, 7, 11]] = 1  # 01, 02, 03, 12, 13, 23
    rng = np.random.default_rng(seed)
    coins = ebm.reference.from_draws(rng.integers(2, size=(64, 21)), np.full(64, -21 * np.log(2)))
    reference = ebm.reference.pooled(
        energy,
        [(np.array([a, b - 0.6 * a]),) for a in (-2.2, -1.2, -0.2) for b in (-0.7, -0.2, 0.3)],
        sampler=partial(ebm.sampling.gibbs, reference=coins, draws=200, thin=5),
        signature="(k)",
        random_seed=seed,
        progressbar=False,
    )
    with pm.Model():
        theta = pm.Normal("theta", 0, 1, shape=2)
        ebm.EBM(
            "x", theta, energy=energy, signature="(k)->(d)", reference=reference, observed=observed
        )
        step = ebm.ExchangeMetropolis(sweeps=50, S=sd)
        exchanged = sample(step, draws=700, tune=200, chains=2, random_seed=seed)
        some = exchanged.isel(draw=slice(None, None, 10))
        ebm.compute_reference_stats(some, checks=[], progressbar=False)
    x = to_adjacency(reference.points).astype(float)
    statistics = [x.sum((1, 2)) / 2, np.einsum("bij,bjk,bik->b", x, x, x) / 6]
    estimated = np.array(
        [np.logaddexp.reduce(reference.log_weights + t @ statistics) for t in grid]
    )
    q = p * np.exp(log_z - log_z[p.argmax()] - estimated + estimated[p.argmax()])
    q /= q.sum()
    shifts = np.stack([q @ grid - mean, np.sqrt(q @ (grid - q @ grid) ** 2) - sd])
    assert (abs(shifts) < 4 * some["reference_mcse"]["theta"].to_numpy()).all()
    for k in range(2):
        truth = (mean[k], sd[k])
        assert (z_scores(exchanged["posterior"]["theta"][..., k], truth) < 4).all()


def test_a_domain_bounds_the_chain(seed):
    with pm.Model():
        sigma = pm.HalfNormal("sigma", 5, initval=1.5)
        domain = lambda s: pt.lt(s, 1.8)
        ebm.EBM("x", sigma, energy=energy, reference=UNUSED, observed=DATA, domain=domain)
        idata = sample(ebm.ExchangeMetropolis(sampler=exact), draws=500, random_seed=seed)
    assert idata["posterior"]["sigma"].max() < 1.8


def test_refusals():
    reference = ebm.reference.independent(pm.Normal.dist(0, 4), draws=100, random_seed=1)
    with gaussian() as model:
        with pytest.raises(ValueError, match="x is continuous, and Gibbs"):
            ebm.ExchangeMetropolis()
        with pytest.raises(ValueError, match="samplers for y, and the observed EBMs are x"):
            ebm.ExchangeMetropolis(sampler={"y": exact})
        with pytest.raises(ValueError, match="S has shape"):
            ebm.ExchangeMetropolis(sampler=exact, S=[1.0, 2.0])
        step = ebm.ExchangeMetropolis(sampler=lambda rng, draws, sigma: np.zeros(3))
        with pytest.raises(ValueError, match=r"sampler of x returned shape \(3,\)"):
            step.step(model.initial_point())
        step = ebm.ExchangeMetropolis(sampler=lambda rng, draws, s: np.full(DATA.shape, np.nan))
        with pytest.raises(ValueError, match="sampler of x returned NaN at the parameters"):
            step.step(model.initial_point())
        pm.Normal("more")
        with pytest.raises(ValueError, match="more would be moved by another step"):
            ebm.ExchangeMetropolis([model["sigma"]], sampler=exact)
        pm.Poisson("count", 1)
        with pytest.raises(ValueError, match="count are discrete"):
            ebm.ExchangeMetropolis(sampler=exact)
    with gaussian() as model:
        log_z = log_partition(energy, model["sigma"], reference=reference)
        pm.Potential("likelihood", -log_z)
        with pytest.raises(ValueError, match="likelihood has an estimated normaliser"):
            ebm.ExchangeMetropolis(sampler=exact)
    with gaussian() as model:
        parts = [ebm.EBM.dist(s, energy=energy, reference=reference) for s in (model["sigma"], 9.0)]
        pm.Mixture("mixed", [0.5, 0.5], parts, observed=DATA)
        with pytest.raises(ValueError, match="mixed has an estimated normaliser"):
            ebm.ExchangeMetropolis(sampler=exact)
    with pm.Model():
        pm.Normal("y", pm.Normal("m"), 1, observed=DATA)
        with pytest.raises(ValueError, match="no observed EBM"):
            ebm.ExchangeMetropolis(sampler=exact)
