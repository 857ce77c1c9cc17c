"""Simulation-based calibration of posteriors on a grid, and what must fail it.

θ comes from the prior and data from p(x|θ) by an exact sampler, which shares neither points nor
seed with the fit. If the posterior is the right one, the rank of θ among its draws is uniform, and
so is that of any quantity f(θ, data). The prior instead of the posterior leaves ranks of θ uniform
too, whatever the likelihood; those of the log-likelihood show it. Log Z is the third quantity.

Each quantity's ranks in 600 replicates are tested by χ² over ten equal classes. A calibration
passes where three times the least of the three p-values is at least 0.001, so that a sound one
fails once in 1000; what must fail has to reach 1e-6.

M. Modrák et al. (2023), "Simulation-based calibration checking for Bayesian computation: the choice
of test quantities shapes sensitivity", Bayesian Analysis, doi:10.1214/23-BA1404.
"""

import zlib
from typing import NamedTuple

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from scipy.interpolate import CubicSpline

import pymc_ebm as ebm
from pymc_ebm.reference.base import Reference

REPLICATES, DRAWS, CLASSES = 600, 99, 10
ALPHA, CLEARLY = 1e-3, 1e-6
N = 40
GRID = np.linspace(-3, 3, 61)


def energy(x, theta):
    """Log Z is even in θ, so that its ranks are not those of θ."""
    return x**4 - theta * x


def draw_exactly(rng, theta):
    """N draws of p(x|θ): its distribution function on steps of 3e-4, inverted."""
    x = np.linspace(-3, 3, 20_001)
    cdf = np.cumsum(np.exp(-energy(x, theta)))
    return np.interp(rng.random(N) * cdf[-1], cdf, x)


def reference(rng, sd=1.2, draws=1000):
    y = rng.normal(0, sd, draws)
    return Reference(y, -stats.norm(0, sd).logpdf(y) - np.log(draws), np.arange(draws))


class Replicates(NamedTuple):
    """R data sets with the parameters that made them.

    Attributes
    ----------
    theta : ndarray
        ``(R,)``, from the prior.
    data : ndarray
        ``(R, N)``.
    quantities : ndarray
        Log-likelihood and log Z on the grid, ``(R, 2, K)``.
    """

    theta: np.ndarray
    data: np.ndarray
    quantities: np.ndarray


def model_of(likelihood, q):
    with pm.Model() as model:
        theta = pm.Uniform("theta", GRID[0], GRID[-1])
        likelihood(theta, pm.Data("data", np.zeros(N)), q)
    return model


def by_ebm(theta, x, q):
    ebm.EBM("x", theta, energy=energy, reference=q, observed=x)


def by_potential(times_energy, times_log_z):
    """A likelihood as users write it, with factors for their slips; 1 and −1 are right."""

    def likelihood(theta, x, q):
        log_z = ebm.log_partition(energy, theta, reference=q)
        both = -times_energy * energy(x, theta).sum() + times_log_z * x.shape[0] * log_z
        pm.Potential("x", both)

    return likelihood


def on_grid(function, data, references=None):
    """Log posterior density ``(R, K)``, and log-likelihood and log Z ``(R, 2, K)``."""
    found = np.empty((len(data), 3, len(GRID)))
    for i, x in enumerate(data):
        pm.set_data({"data": x}, model=function.model)
        if references is not None:
            function.set_references(next(references))
        at = [function(theta=value) for value in GRID]
        found[i] = np.transpose([(a.logp, a.loglik, a.log_z[0].item()) for a in at])
    return found[:, 0], found[:, 1:]


def p_values(replicates, logp, rng):
    """Of the ranks of θ, the log-likelihood and log Z, ``(3,)``."""
    fine = np.linspace(GRID[0], GRID[-1], 2001)
    density = CubicSpline(GRID, logp, axis=1)(fine)
    cdf = np.cumsum(np.exp(density - density.max(axis=1, keepdims=True)), axis=1)
    ranks = np.empty((len(logp), 3), int)
    for i, (theta, quantities) in enumerate(
        zip(replicates.theta, replicates.quantities, strict=True)
    ):
        draws = np.interp(rng.random(DRAWS) * cdf[i, -1], cdf[i], fine)
        f = CubicSpline(GRID, quantities, axis=1)
        ranks[i] = [(draws < theta).sum(), *(f(draws) < f(theta)[:, None]).sum(axis=1)]
    counts = [np.bincount(r * CLASSES // (DRAWS + 1), minlength=CLASSES) for r in ranks.T]
    return stats.chisquare(counts, axis=1).pvalue


def passes(p):
    return len(p) * p.min() >= ALPHA


@pytest.fixture(scope="module")
def replicates(model_with_references) -> Replicates:
    """With the quantities of the model as it should be, by a reference that the fits do not use."""
    rng = np.random.default_rng(zlib.crc32(b"replicates"))
    theta = rng.uniform(GRID[0], GRID[-1], REPLICATES)
    data = np.array([draw_exactly(rng, value) for value in theta])
    function = model_with_references(model_of(by_ebm, reference(rng, draws=4000)), weights=False)
    return Replicates(theta, data, on_grid(function, data)[1])


@pytest.mark.slow
@pytest.mark.parametrize("likelihood", [by_ebm, by_potential(1, -1)], ids=["EBM", "potential"])
def test_posteriors_are_calibrated(likelihood, replicates, rng, model_with_references):
    """A fresh reference of 1000 points for every replicate."""
    function = model_with_references(model_of(likelihood, reference(rng)), weights=False)
    references = iter(lambda: reference(rng), None)
    logp, _ = on_grid(function, replicates.data, references)
    p = p_values(replicates, logp, rng)
    assert passes(p)


@pytest.mark.parametrize(
    ("times_energy", "times_log_z"),
    [(1, 0), (1, -1.1), (1, -0.9), (1, 1), (-1, -1)],
    ids=["no log Z", "N + 10%", "N - 10%", "sign of log Z", "sign of the energy"],
)
def test_wrong_likelihoods_are_not(
    times_energy, times_log_z, replicates, rng, model_with_references
):
    wrong = by_potential(times_energy, times_log_z)
    function = model_with_references(model_of(wrong, reference(rng)), weights=False)
    logp, _ = on_grid(function, replicates.data)
    p = p_values(replicates, logp, rng)
    assert p.min() < CLEARLY


def test_50_narrow_points_are_not(replicates, rng, model_with_references):
    """Fresh ones for every replicate, as above."""
    function = model_with_references(model_of(by_ebm, reference(rng)), weights=False)
    references = iter(lambda: reference(rng, sd=0.3, draws=50), None)
    logp, _ = on_grid(function, replicates.data, references)
    assert p_values(replicates, logp, rng).min() < CLEARLY


def test_a_missing_likelihood_shows_in_the_log_likelihood_alone(replicates, rng):
    """The prior for a posterior: ranks of θ are uniform."""
    p = p_values(replicates, np.zeros((REPLICATES, len(GRID))), rng)
    assert p[0] > ALPHA
    assert p[1] < CLEARLY


@pytest.mark.filterwarnings("ignore:.*effective:UserWarning")
def test_self_simulated_data_prove_nothing(replicates, seed, rng, model_with_references):
    """50 points of a narrow reference fail with exact data, and pass with data drawn from them.

    Data that the model itself simulates, by ``pm.sample_prior_predictive`` or any resampling of
    the reference's points, come from the discrete distribution P(x = y_m) = w̄_m(θ) on these points.
    Of that log Ẑ is the exact normaliser, not an estimate, so that the posterior is the right one
    for such data whatever the points are. Calibration then tests the arithmetic, which is right in
    both cases, and not whether the points stand for the space, the one thing that can be wrong.
    """
    narrow = reference(rng, sd=0.3, draws=50)
    model = model_of(by_ebm, narrow)
    function = model_with_references(model, weights=False)
    logp, _ = on_grid(function, replicates.data)
    with_exact_data = p_values(replicates, logp, rng)
    assert with_exact_data.min() < CLEARLY

    simulated = pm.sample_prior_predictive(REPLICATES, model=model, random_seed=seed % 2**31)
    theta = simulated["prior"]["theta"].to_numpy().ravel()
    data = simulated["prior_predictive"]["x"].to_numpy().reshape(REPLICATES, N)
    assert np.isin(data, narrow.points).all()
    logp, quantities = on_grid(function, data)
    p = p_values(Replicates(theta, data, quantities), logp, rng)
    assert passes(p)
