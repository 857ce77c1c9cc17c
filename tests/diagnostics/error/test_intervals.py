"""Intervals of log Z and of the log-likelihood by their standard errors, over thousands of seeds.

The paper's Gaussian: φ = exp(−x²/2θ²) with Z = √(2π) θ, and q = N(2, 4²).
"""

import numpy as np
import pymc as pm
import pytest
from scipy import special, stats

import pymc_ebm as ebm
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.uniforms import uniforms
from pymc_ebm.weights.groups import log_partition_mcse
from pymc_ebm.weights.normalised import normalise
from pymc_ebm.weights.pareto_tails import pareto_k

THETA = 2.0
LOG_Z = np.log(np.sqrt(2 * np.pi) * THETA)
# Relative variance of one weight in closed form, for q = N(2, 4²) at θ = 2 (paper.md).
RELATIVE_VARIANCE = 0.7440


def energy(x, theta):
    return x**2 / (2 * theta**2)


def base_log_weights(y):
    return -stats.norm(2, 4).logpdf(y) - np.log(y.shape[-1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "draws", "quantile"),
    [
        ("iid", 1000, stats.norm),
        ("antithetic", 1000, stats.norm),
        # The spread of 16 scramblings has 15 degrees of freedom.
        pytest.param("sobol", 256, stats.t(15), marks=pytest.mark.slow),
    ],
)
def test_intervals_cover_log_z(method, draws, quantile, rng):
    """95% intervals cover 94 to 96% of 10,000 seeds: 4.6 standard errors of 0.22%.

    Each column of uniform numbers is a reference of its own.
    """
    inside = []
    for _ in range(20):
        u, groups = uniforms(method, draws, 500, rng)
        y = 2 + 4 * special.ndtri(u.T)
        log_weights = base_log_weights(y) - energy(y, THETA)
        assert pareto_k(log_weights[0]) < 0.5
        log_z, weights = normalise(log_weights)
        error = log_partition_mcse(weights, groups)
        inside.append(abs(log_z - LOG_Z) < quantile.ppf(0.975) * error)
    assert 0.94 < np.mean(inside) < 0.96


def test_c_sqrt_r_is_the_spread(rng, model_with_references):
    """N = 1, 50 and 1000: standard deviations over 4000 references within 10%.

    One has a standard error of 1/√8000 = 1.1%, and the mean of 100 claims one of 1%. The closed
    form is of the first order in 1/M = 0.001.
    """
    n_seeds, draws = 4000, 1000
    y = rng.normal(2, 4, size=(n_seeds, draws))
    log_weights = base_log_weights(y) - energy(y, THETA)
    log_z = special.logsumexp(log_weights, axis=1)
    _, weights = normalise(log_weights[:100])
    r = np.mean(log_partition_mcse(weights, np.arange(draws)) ** 2)

    first = Reference(y[0], base_log_weights(y[0]), np.arange(draws))
    with pm.Model() as model:
        theta = pm.HalfNormal("theta", 5)
        x = pm.Data("x", np.zeros(1))
        ebm.EBM("data", theta, energy=energy, reference=first, observed=x)
    function = model_with_references(model)
    for n in (1, 50, 1000):
        data = rng.normal(0, THETA, n)
        pm.set_data({"x": data}, model=function.model)
        logliks = -energy(data, THETA).sum() - n * log_z
        at = function(theta=THETA)
        np.testing.assert_allclose(at.loglik, logliks[0], rtol=1e-10)
        [c] = at.amplification
        seen = np.std(logliks, ddof=1)
        np.testing.assert_allclose(c * np.sqrt(r), seen, rtol=0.1)
        np.testing.assert_allclose(seen, n * np.sqrt(RELATIVE_VARIANCE / draws), rtol=0.1)
