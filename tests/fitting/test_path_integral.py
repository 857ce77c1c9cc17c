"""Differences of the log-likelihood along a path."""

import numpy as np
import pymc as pm
import pytest

import pymc_ebm as ebm

pytestmark = pytest.mark.usefixtures("interpreted")


def gaussian(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


@pytest.mark.parametrize("own", [True, False])
def test_path_integral(own, rng):
    """J(3) − J(1) of the Gaussian in closed form: Σx²/2 (1/9 − 1) + N log 3."""
    data = rng.normal(0, 2, 100)
    q = ebm.reference.independent(pm.Normal.dist(0, 4), draws=500, random_seed=1)
    with pm.Model():
        sigma = pm.HalfFlat("sigma")
        ebm.EBM("x", 0.0, sigma, energy=gaussian, reference=q, observed=data)
        options = {"sampler": lambda rng, draws, mu, s: rng.normal(mu, s, draws)} if own else {}
        found = ebm.fitting.path_integral(
            {"sigma": 1.0}, {"sigma": 3.0}, draws=5000, random_seed=rng, **options
        )
    truth = np.sum(data**2) / 2 * (1 / 9 - 1) + 100 * np.log(3)
    assert abs(found.value - truth) < 4 * found.mcse
    assert found.mcse < 2  # of a difference of −89


def test_path_with_too_few_nodes_warns(rng):
    """From σ = 0.05 to 2 the slope changes like σ⁻³, and ten nodes miss it by thousands of nats."""
    data = rng.normal(0, 2, 100)
    q = ebm.reference.independent(pm.Normal.dist(0, 4), draws=500, random_seed=1)
    with pm.Model():
        sigma = pm.HalfFlat("sigma")
        ebm.EBM("x", 0.0, sigma, energy=gaussian, reference=q, observed=data)
        with pytest.warns(UserWarning, match="Raise nodes"):
            ebm.fitting.path_integral(
                {"sigma": 0.05},
                {"sigma": 2.0},
                sampler=lambda rng, draws, mu, s: rng.normal(mu, s, draws),
                random_seed=rng,
            )


def test_powers_of_a_likelihood_are_refused(rng):
    """With a power a, J has a slope of log Z by a, and draws do not know log Z."""
    x, line = rng.normal(0, 2, 50), ebm.reference.quadrature(-np.inf, np.inf)
    energy = lambda x, s: x**2 / (2 * s**2)
    with pm.Model():
        s, a = pm.HalfNormal("s", 5), pm.Beta("a", 2, 2)
        log_z = ebm.log_partition(energy, s, reference=line)
        pm.Potential("x", a * (-energy(x, s).sum() - 50 * log_z))
        with pytest.raises(ValueError, match=r'multiplies log Z.*method="geyer"'):
            ebm.find_MLE("exact_gradient", progressbar=False)
        with pytest.raises(ValueError, match="multiplies log Z"):
            ebm.fitting.path_integral({"s": 1.5, "a": 0.3}, {"s": 2.5, "a": 0.8})
