"""Data against noise: where the estimate goes, and the errors of both."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm.fitting import solve

pytestmark = pytest.mark.usefixtures("interpreted")


def gaussian(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


@pytest.mark.slow
def test_noise_contrastive_goes_over_to_geyer(rng):
    """The two estimates meet as M/N grows: their distance falls like N/M."""
    data = rng.normal(0, 2, 40)
    noises = [
        ebm.reference.independent(pm.Normal.dist(0, 3), draws, "sobol", random_seed=1)
        for draws in (2**8, 2**11, 2**14)
    ]
    with pm.Model() as model:
        sigma = pm.HalfFlat("sigma")
        ebm.EBM("x", 0.0, sigma, energy=gaussian, reference=noises[0], observed=data)
    problem, distances = ebm.fitting.Problem(model), []
    for q in noises:
        problem.set_reference(0, q)
        fits = [solve(problem, recenter=False), solve(problem, "noise_contrastive")]
        distances.append(float(abs(fits[0].estimate["sigma"] - fits[1].estimate["sigma"])))
    truth = np.log(np.sqrt(2 * np.pi) * fits[1].estimate["sigma"])
    np.testing.assert_allclose(fits[1].estimate["x_log_partition"], truth, atol=0.01)
    assert distances[2] < distances[1] / 4 < distances[0] / 16
    assert distances[2] < 1e-3


def test_noise_with_points_of_no_weight(rng):
    """Points too far out for the number format: the estimate is that of the log data' Gaussian."""
    logs = rng.normal(0, 150, 60)
    q = ebm.reference.fitted(np.exp(logs), 4096, support="positive", random_seed=1)
    assert np.isneginf(q.log_weights).any()
    with pm.Model():
        s = pm.HalfFlat("s", initval=100.0)
        ebm.EBM(
            "x",
            s,
            energy=lambda x, s: pt.log(x) + pt.log(x) ** 2 / (2 * s**2),
            reference=q,
            observed=np.exp(logs),
        )
        fit = ebm.find_MLE("noise_contrastive", progressbar=False)
    assert fit.converged
    assert abs(fit.estimate["s"] - np.sqrt(np.mean(logs**2))) < 0.2 * fit.se["s"]


def test_noise_shared_by_two_variables_is_one_noise(rng):
    """Two variables with the same data double the loss: the noise's error is that of one."""
    data = rng.normal(0, 2, 100)
    q = ebm.reference.independent(pm.Normal.dist(0, 4), draws=1000, random_seed=1)
    fits = []
    for names in ("x", "xy"):
        with pm.Model():
            sigma = pm.HalfFlat("sigma")
            for name in names:
                ebm.EBM(name, 0.0, sigma, energy=gaussian, reference=q, observed=data)
            fits.append(ebm.find_MLE("noise_contrastive", progressbar=False))
    one, two = fits
    np.testing.assert_allclose(two.mcse["sigma"], one.mcse["sigma"], rtol=1e-6)
    np.testing.assert_allclose(two.se["sigma"], one.se["sigma"] / np.sqrt(2), rtol=1e-6)


def test_the_problem_keeps_its_references(rng):
    """Draws take the place of a rule for noise; the rule is exact again afterwards."""
    data = rng.normal(0, 2, 60)
    with pm.Model() as model:
        ebm.EBM("x", 0.0, pm.HalfFlat("sigma"), energy=gaussian, observed=data)
    problem = ebm.fitting.Problem(model)
    [own], before = problem.references, solve(problem)
    assert own.level == "exact"
    for _ in range(2):
        noisy = solve(problem, "noise_contrastive")
        assert noisy.mcse["sigma"] > 0 and problem.references == [own]
    after = solve(problem)
    assert before.mcse["sigma"] == after.mcse["sigma"] == 0
    np.testing.assert_allclose(after.estimate["sigma"], np.sqrt(np.mean(data**2)), rtol=1e-5)
