"""Both gradients of J_BL, and descents that do not arrive."""

import numpy as np
import pymc as pm
import pytest
from scipy.special import ndtri
from scipy.stats import norm

import pymc_ebm as ebm
from pymc_ebm.fitting.find_mle import solve
from pymc_ebm.fitting.problem import Problem

pytestmark = pytest.mark.usefixtures("interpreted")
LINE = ebm.reference.quadrature(-np.inf, np.inf)


def gaussian(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


def test_the_gradient_both_ways(rng):
    """Eqs. 12 and 18 for q2 of the paper, y = 2 + (2 + θ) z: their difference by hand.

    Both roots lie within 5 of their mcse of the exact estimate.
    """
    data = rng.normal(0, 2, 100)
    energy = lambda x, s: x**2 / (2 * s**2)
    q = ebm.reference.independent(lambda s: pm.Normal.dist(2, 2 + s), draws=2000, random_seed=rng)
    with pm.Model() as model:
        sigma = pm.HalfFlat("sigma")
        ebm.EBM("x", sigma, energy=energy, reference=q, observed=data)
    problem = Problem(model)
    at = 1.7
    y = 2 + (2 + at) * ndtri(q.points)
    log_w = -energy(y, at) - norm(2, 2 + at).logpdf(y)
    w = np.exp(log_w - log_w.max())
    w /= w.sum()
    of_data = -np.sum(data**2) / at**3
    held = of_data + 100 * w @ (y**2 / at**3)
    # ∂y/∂θ = z moves E and log q(y|θ) = −log(2 + θ) − z²/2, which moves by its first term only.
    path = of_data + 100 * w @ (y**2 / at**3 - y * (y - 2) / (2 + at) / at**2 + 1 / (2 + at))
    for loss, slope in ((problem.loss, path), (problem.held_loss, held)):
        _, gradient = loss.value_and_gradient(np.array([np.log(at)]))
        np.testing.assert_allclose(gradient, slope * at, rtol=1e-8)
    assert abs(held - path) > 1e-3 * abs(path)
    for way in ("derivative", "expectation"):
        fit = solve(problem, "gradient_descent", gradient=way)
        assert fit.converged
        away = abs(fit.estimate["sigma"] - np.sqrt(np.mean(data**2)))
        assert away < 5 * fit.mcse["sigma"]


def test_gradient_descent_that_diverges_or_runs_out(rng):
    with pm.Model():
        s = pm.HalfFlat("s")
        ebm.EBM("x", 0.0, s, energy=gaussian, reference=LINE, observed=rng.normal(0, 2, 50))
        with pytest.raises(ValueError, match=r"diverged.*smaller learning_rate"):
            ebm.find_MLE("gradient_descent", learning_rate=10.0, progressbar=False)
        with pytest.raises(ValueError, match="learning_rate is 'adam'"):
            ebm.find_MLE("gradient_descent", learning_rate="adam", progressbar=False)
        short = ebm.find_MLE(
            "gradient_descent",
            learning_rate=lambda t: 1e-4 / (1 + t),
            max_iterations=20,
            progressbar=False,
        )
    assert not short.converged
    assert "raise max_iterations" in short.reason


def test_data_on_the_edge_have_no_maximum():
    """Twenty ones of 0 and 1: the supremum is at infinity, where 21.5 ± 10448 had converged."""
    states = ebm.reference.enumeration([0, 1], complete=True)
    energy = lambda x, t: -t * x
    with pm.Model():
        t = pm.Flat("t", initval=0.0)
        ebm.EBM("x", t, energy=energy, observed=np.ones(20, dtype=int), reference=states)
        fit = ebm.find_MLE("gradient_descent", progressbar=False)
    assert not fit.converged
    assert fit.estimate["t"] == np.inf
    assert "no finite maximum" in fit.reason
