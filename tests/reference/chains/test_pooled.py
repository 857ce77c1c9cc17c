"""References from chains: bridge weights and their error, against closed forms."""

from functools import partial

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import signal
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.energies import ising
from pymc_ebm.energy.energy import Energy
from pymc_ebm.reference.chains import mbar
from pymc_ebm.reference.chains._pooled import _of_chains
from pymc_ebm.reference.chains.batches import autocorrelation_time, batches
from pymc_ebm.reference.laws.site_law import SiteLaw
from pymc_ebm.weights.groups import group_variance

LOG_Z = lambda s: np.log(np.sqrt(2 * np.pi) * np.asarray(s))


def gaussian(x, s):
    return x**2 / (2 * s**2)


def autoregressive(rng, chains, draws, rho):
    """Stationary chains with the standard normal distribution; τ = (1 + ρ)/(1 − ρ)."""
    noise = rng.normal(size=(chains, draws))
    noise[:, 1:] *= np.sqrt(1 - rho**2)
    return signal.lfilter([1.0], [1.0, -rho], noise)


def estimate(q, energies):
    """log Ẑ and its standard error for energies ``(T, M)``."""
    log_weights = q.log_weights - energies
    log_z = logsumexp(log_weights, axis=1)
    weights = np.exp(log_weights - log_z[:, None])
    return log_z, np.sqrt(group_variance(q.influence(weights), q.groups, q.unused_draws))


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_autocorrelation_time(rho, rng):
    """Within 10%; its standard error at 40,000 draws is below 3%: √(2(2W + 1)/n) with W = 5τ."""
    x = autoregressive(rng, 4, 10_000, rho)[..., None]
    np.testing.assert_allclose(autocorrelation_time(x), (1 + rho) / (1 - rho), rtol=0.1)
    labels = batches(x)
    assert labels.min() == 0 and len(np.unique(labels)) == labels.max() + 1
    assert (np.diff(labels, axis=1) >= 0).all()


def test_too_few_batches_warn(rng):
    walk = np.cumsum(rng.normal(size=(2, 500, 1)), axis=1)
    with pytest.warns(UserWarning, match="too few for a good error estimate"):
        batches(walk)


@pytest.mark.slow
def test_error_of_pooled_chains(rng):
    """Standard errors against the spread over 120 pools, at anchors and between them.

    A spread has a standard error of 6.5%, three of which are allowed; batches of ten correlation
    times leave out up to 10%. The first anchor's log Z is given, and has no error.
    """
    at = np.array([0.8, 1.0, 1.5, 2.0, 3.0, 4.0])
    scales, energy = (1.0, 2.0, 4.0), Energy(gaussian)  # which is compiled once
    found, variances = [], []
    for _ in range(120):
        q = ebm.reference.pooled(
            energy,
            [(s,) for s in scales],
            draws=[s * autoregressive(rng, 4, 500, 0.8) for s in scales],
            log_partitions=[LOG_Z(1.0), None, None],
        )
        log_z, error = estimate(q, gaussian(q.points, at[:, None]))
        found.append(log_z - LOG_Z(at))
        variances.append(error**2)
    spread = np.std(found, axis=0, ddof=1)
    reported = np.sqrt(np.mean(variances, axis=0))
    moving = at != 1.0
    np.testing.assert_allclose(reported[moving], spread[moving], rtol=0.3)
    assert spread[~moving] < 1e-8 and reported[~moving] < 1e-8
    # The mean of 120, with a bias of second order, within 5 standard errors.
    error = 5 * spread / np.sqrt(120) + spread**2 + 1e-8
    assert (abs(np.mean(found, axis=0)) < error).all()
    assert q.absolute
    np.testing.assert_allclose(q.pool.overlap.sum(axis=1), 1, rtol=1e-8)


def test_chain_is_relative_unless_log_z_is_known(rng):
    """Geyer's own setting: log Z(θ) − log Z(θ0) = log θ/θ0, and nothing at θ0."""
    y = rng.normal(0, 2, size=(4, 5000))
    relative = ebm.reference.chain(gaussian, 2.0, draws=y)
    absolute = ebm.reference.chain(gaussian, 2.0, draws=y, log_partition=LOG_Z(2.0))
    assert not relative.absolute and absolute.absolute
    at = np.array([1.5, 2.0, 2.3])
    log_z, error = estimate(relative, gaussian(y.ravel(), at[:, None]))
    assert (abs(log_z - np.log(at / 2)) < 5 * error + 1e-12).all()
    np.testing.assert_allclose(
        estimate(absolute, gaussian(y.ravel(), at[:, None]))[0], log_z + LOG_Z(2.0)
    )


@pytest.mark.slow
def test_posterior_error_by_a_chain(rng):
    """find_MLE over 100 chains at θ0: mcse is the spread, and the estimate the exact one."""
    data = rng.normal(0, 2, 100)
    with pm.Model() as model:
        sigma = pm.HalfFlat("sigma")
        first = ebm.reference.chain(gaussian, 2.2, draws=2.2 * rng.normal(size=(4, 500)))
        ebm.EBM("x", sigma, energy=gaussian, reference=first, observed=data)
    problem, energy = ebm.fitting.Problem(model), Energy(gaussian)  # which are compiled once
    fits = []
    for _ in range(100):
        draws = 2.2 * autoregressive(rng, 4, 500, 0.5)
        problem.set_reference(0, ebm.reference.chain(energy, 2.2, draws=draws))
        fit = ebm.fitting.solve(problem, recenter=False)
        fits.append([float(fit.estimate["sigma"]), float(fit.mcse["sigma"])])
    estimates, mcse = np.array(fits).T
    exact = np.sqrt(np.mean(data**2))
    spread = estimates.std(ddof=1)
    assert abs(estimates.mean() - exact) < 5 * spread / np.sqrt(100)
    # 7% for the spread, 10% for the ends of batches.
    np.testing.assert_allclose(np.sqrt(np.mean(mcse**2)), spread, rtol=0.22)


def test_report_of_pooled_chains(rng, tmp_path):
    """The level that is not known and the anchors that do not meet are told, also from a file."""
    data = rng.normal(0, 2, 50)
    with pytest.warns(UserWarning, match="overlaps with no others"):
        q = ebm.reference.pooled(
            gaussian, [(2.0,), (2e4,)], draws=[s * rng.normal(size=(4, 500)) for s in (2, 2e4)]
        )
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5)
        ebm.EBM("x", sigma, energy=gaussian, reference=q, observed=data)
    draws = np.clip(rng.normal(2, 0.2, (2, 50)), 1.5, 2.5)
    posterior = xr.Dataset({"sigma": (("chain", "draw"), draws)})
    idata = xr.DataTree.from_dict({"posterior": posterior.assign_coords(chain=[0, 1])})
    ebm.compute_reference_stats(idata, model=model, progressbar=False)
    idata.to_zarr(tmp_path / "idata.zarr")
    with xr.open_datatree(tmp_path / "idata.zarr", engine="zarr") as back:
        verdict = ebm.report(back)
    assert any("up to a constant" in reason for reason in verdict.reasons)
    assert any("overlap with no others" in reason for reason in verdict.reasons)


CRITICAL = np.log(1 + np.sqrt(2)) / 2
BETAS = np.array([0.2, 0.4, CRITICAL])
# Kaufman's formula.
LATTICE_LOG_Z = {
    8: [47.010147, 56.599389, 60.141781],
    16: [188.039888, 225.228847, 238.642257],
}


ISING = Energy(ising)  # which is compiled once


def lattice_estimate(side, draws, seed):
    """log Ẑ and its error at BETAS by chains from β = 0, denser towards the critical point."""
    rng = np.random.default_rng(seed)
    states = rng.choice(np.array([-1, 1], dtype=np.int8), size=(64, side, side))
    space = ebm.reference.from_draws(states, np.full(64, -(side**2) * np.log(2)))
    u = np.linspace(0, 1, 2 + 3 * side // 8)
    q = ebm.reference.pooled(
        ISING,
        [(b,) for b in CRITICAL * u * (4 - u) / 3],
        sampler=partial(
            ebm.sampling.gibbs, reference=space, draws=draws, tune=200, clusters=True,
            return_inferencedata=False,
        ),
        log_partitions=[side**2 * np.log(2), *[None] * (len(u) - 1)],
        random_seed=rng,
        progressbar=False,
    )  # fmt: skip
    s = q.points
    pairs = (s * (np.roll(s, 1, -1) + np.roll(s, 1, -2))).sum((1, 2), dtype=float)
    return estimate(q, -BETAS[:, None] * pairs)


@pytest.mark.slow
def test_ising_8_by_8(seed):
    """Within 4 standard errors of at most 0.12, and these are the spread over 24 sets of chains.

    The spread over n has a relative error of 1/√(2n − 2), 15%, and three of these are allowed.
    """
    n = 24
    found, error = np.moveaxis([lattice_estimate(8, 400, seed + i) for i in range(n)], 1, 0)
    away = found - LATTICE_LOG_Z[8]
    assert (error <= 0.12).all()
    # Of 72 numbers the largest is above 4 with a chance of 0.5%.
    assert (abs(away) < 4 * error).all()
    assert (abs(away.mean(axis=0)) < 4 * np.sqrt((error**2).mean(axis=0) / n)).all()
    ratio = away.std(axis=0, ddof=1) / np.sqrt((error**2).mean(axis=0))
    np.testing.assert_allclose(ratio, 1, atol=3 / np.sqrt(2 * n - 2))


@pytest.mark.slow
def test_ising_16_by_16(seed):
    """The values of Kaufman's formula, within 4 standard errors of at most 0.07."""
    found, error = lattice_estimate(16, 2500, seed)
    assert (error <= 0.07).all()
    assert (abs(found - LATTICE_LOG_Z[16]) < 4 * error).all()


def test_laws_of_independent_sites_sum_to_one(rng):
    values = np.array([-1, 0, 1])
    rows = rng.choice(values, size=(200, 2, 3), p=[0.7, 0.2, 0.1])
    rows[:, 0, 0] = 1
    law = SiteLaw(rows, values)
    states = np.stack(np.meshgrid(*[values] * 6), axis=-1).reshape(-1, 2, 3)
    np.testing.assert_allclose(np.exp(law.log_density(states)).sum(), 1, rtol=1e-12)
    share = (law.draw(rng, 20_000) == 1).mean(axis=0)
    # Four standard errors: √(0.25/20,000) at most.
    assert (abs(share.ravel() - law.probabilities[2]) < 4 * 0.0036).all()


def test_bridge_weights_from_guesses_that_are_far_off(rng):
    """log Z of Gaussians: the guess gives all points to one anchor, where nothing is curved."""
    scales = np.array([1.0, 1.5, 2.0])
    y = np.concatenate([s * rng.normal(size=2000) for s in scales])
    energies = gaussian(y[:, None], scales)
    given = np.array([LOG_Z(1.0), np.nan, np.nan])
    f = mbar.solve(energies, np.full(3, 2000), given, np.array([0.0, 500.0, -800.0]))
    # Standard errors of log Z are about 0.01.
    np.testing.assert_allclose(f, LOG_Z(scales), atol=0.05)


def test_the_most_precise_estimate_of_an_anchor_sets_the_level(rng):
    """Only where no anchor's log Z is exact."""
    scales = (1.0, 1.5)
    draws = [rng.normal(0, s, size=(4, 1000)) for s in scales]
    make = partial(ebm.reference.pooled, gaussian, [(s,) for s in scales], draws=draws)
    rough, good = (LOG_Z(1.0) + 0.5, 0.5), (LOG_Z(1.5) - 0.01, 0.02)
    both, alone = make(log_partitions=[rough, good]), make(log_partitions=[None, good[0]])
    np.testing.assert_allclose(both.pool.log_partitions, alone.pool.log_partitions)
    assert both.level == alone.level == "absolute"
    assert (both.level_mcse, alone.level_mcse) == (0.02, 0.0)
    assert both.fingerprint != alone.fingerprint
    exact = make(log_partitions=[LOG_Z(1.0), good])
    assert exact.level_mcse == 0
    np.testing.assert_allclose(exact.pool.log_partitions[0], LOG_Z(1.0))
    with pytest.raises(ValueError, match="not negative"):
        make(log_partitions=[None, (1.0, -0.1)])


@pytest.mark.parametrize("apart", [True, False])
def test_batches_look_at_the_slope_of_the_energy(apart, rng):
    """Two modes at ±3 in 20 dimensions: at h = 0 chains that never cross have the same energies.

    ∂E/∂h is −tanh(x) there, and differs from chain to chain.
    """
    energy = lambda x, h: (
        ((abs(x.mean(-1, keepdims=True)) - 3) ** 2).sum(-1) * 10
        + ((x - x.mean(-1, keepdims=True)) ** 2).sum(-1) / 2
        - (h * pt.tanh(x)).sum(-1)
    )
    sign = np.repeat([-1.0, 1.0], 2)[:, None] if apart else rng.choice([-1, 1], (4, 500))
    y = rng.normal(0, 1, (4, 500, 20)) + 3 * sign[..., None]
    make = partial(ebm.reference.chain, energy, np.zeros(20), draws=y, signature="(k)")
    if apart:
        with pytest.warns(UserWarning, match="too few for a good error"):
            assert make().n_groups == 4
    else:
        assert make().n_groups > 100


def test_longer_chains_keep_the_laws_that_tie_them(rng):
    """Spins in a field, whose Z is (2 cosh b)^16: the laws know it, and so do chains made again."""
    energy = Energy(lambda s, b: -b * s.sum(-1))

    def sampler(energy, b, draws=400, random_seed=None, **settings):
        up = random_seed.random((4, draws, 16)) < 1 / (1 + np.exp(-2 * b))
        return np.where(up, 1, -1)

    anchors = [[np.array(0.1)], [np.array(0.6)]]
    chains = [sampler(energy, *b, random_seed=rng) for b in anchors]
    laws = [SiteLaw(c.reshape(-1, 16), np.array([-1, 1])) for c in chains]
    q = _of_chains(chains, energy, anchors, laws, None, None, sampler=sampler, guess=None, rng=rng)
    other = q.again(8000, random_seed=2).again(16_000, random_seed=3)
    assert other.n_points >= 16_000 and other.level == q.level == "absolute"
    assert len(other.pool.laws) == len(q.pool.laws) == 2
    log_z, error = estimate(other, -np.array([[0.1], [0.4]]) * other.points.sum(axis=-1))
    assert (abs(log_z - 16 * np.log(2 * np.cosh([0.1, 0.4]))) < 5 * error).all()


def test_points_are_those_of_their_anchors_where_every_log_z_is_given(rng):
    """Their sums of probabilities are then no whole numbers."""
    scales, draws = (1.0, 2.0), (300, 500)
    q = ebm.reference.pooled(
        gaussian,
        [(s,) for s in scales],
        draws=[rng.normal(0, s, (4, n)) for s, n in zip(scales, draws, strict=True)],
        log_partitions=[LOG_Z(s) for s in scales],
    )
    assert abs(q.pool.probabilities.sum(axis=0) - q.pool.counts).max() > 0.5
    np.testing.assert_array_equal(q.strata(), np.repeat([0, 1], [1200, 2000]))
    energy = lambda theta: gaussian(q.points[:5], theta[0])
    np.testing.assert_allclose(q.log_base(q.points[:5], [1.0], energy), q.log_weights[:5])


def test_what_is_refused(rng):
    draws = [rng.normal(size=(2, 100)), rng.normal(size=(2, 100))]
    pooled = partial(ebm.reference.pooled, gaussian)
    with pytest.raises(ValueError, match="neither sampler= nor draws="):
        pooled([(1.0,)])
    with pytest.raises(ValueError, match="draws of 2 anchors, and 1 anchors"):
        pooled([(1.0,)], draws=draws)
    with pytest.raises(ValueError, match="by chain and draw"):
        pooled([(1.0,)], draws=[np.zeros(100)])
    with pytest.raises(ValueError, match="1 log_partitions for 2 anchors"):
        pooled([(1.0,), (2.0,)], draws=draws, log_partitions=[None])
    with pytest.raises(ValueError, match="one row of parameters"):
        pooled([(np.ones(2),)], draws=draws[:1])
    with pytest.warns(UserWarning, match="overlaps with no others"):
        ebm.reference.pooled(
            lambda x, mu: (x - mu) ** 2 / 2, [(0.0,), (9.0,)], draws=[draws[0], draws[1] + 9]
        )
