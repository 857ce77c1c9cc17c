"""Estimates against exact maximum likelihood, and both errors against what is seen."""

import numpy as np
import pymc as pm
import pytest

import pymc_ebm as ebm
from pymc_ebm.fitting.find_mle import solve

NAMES = ["gaussian", "quartic", "conway", "ising"]
every_case = pytest.mark.parametrize("case", NAMES, indirect=True)


def within(fit, truth, names, times):
    """Whether every parameter lies within so many mcse of the truth."""
    return all(
        abs(float(fit.estimate[n]) - t) < times * float(fit.mcse[n])
        for n, t in zip(names, truth, strict=True)
    )


@pytest.mark.slow
@every_case
@pytest.mark.parametrize("method", ["geyer", "gradient_descent", "exact_gradient"])
def test_within_four_mcse_of_the_exact_estimate(method, case, rng):
    """In at least 99% of 200 references (or runs of draws) at fixed data.

    Normal errors leave 4 mcse once in 16,000 per parameter; the other 1% is for the error of mcse.
    """
    model, problem = case.build(rng, 100)
    truth = case.mle(model["data"].get_value())
    options = {"exact_gradient": {"sampler": case.draw}, "geyer": {"recenter": False}}
    inside = []
    for _ in range(200):
        if method != "exact_gradient":
            problem.set_reference(0, case.reference(rng))
        fit = solve(problem, method, random_seed=rng, **options.get(method, {}))
        inside.append(within(fit, truth, case.names, 4))
    assert np.mean(inside) >= 0.99


@every_case
def test_recentred_reference_adds_less_than_a_tenth(case, rng):
    model, problem = case.build(rng, 100)
    fit = solve(problem, "geyer", random_seed=rng)
    assert fit.converged
    assert all(fit.mcse[n] <= 0.1 * fit.se[n] for n in case.names)
    assert within(fit, case.mle(model["data"].get_value()), case.names, 5)


SPREADS = [
    *[("geyer", name) for name in NAMES],
    *[("noise_contrastive", name) for name in NAMES],
    ("gradient_descent", "gaussian"),
    ("exact_gradient", "gaussian"),
    ("score_matching", "gaussian"),
    ("score_matching", "quartic"),
    ("pseudolikelihood", "conway"),
    ("pseudolikelihood", "ising"),
]


def reference_for(method, case, rng):
    """Noise needs a density that is known at the data: a fitted reference has one."""
    if method != "noise_contrastive":
        return None
    return ebm.reference.fitted(case.simulate(rng, 400), 4096, random_seed=rng)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "case"), SPREADS, indirect=["case"])
def test_se_is_the_spread_over_replicated_data(method, case, rng):
    """500 data sets: a standard deviation has a standard error of 3.2%, and 15% are 4.7 of them.

    The mean of the estimates lies within 4 of its standard errors, and one more for the bias of
    order 1/N, of the truth, which is the population optimum of every one of these methods.
    """
    n = 400
    model, problem = case.build(rng, n, reference_for(method, case, rng))
    options = {"geyer": {"recenter": False}, "exact_gradient": {"sampler": case.draw}}
    estimates, variances, mcse = [], [], []
    for _ in range(500):
        with model:
            pm.set_data({"data": case.simulate(rng, n)})
        fit = solve(problem, method, random_seed=rng, **options.get(method, {}))
        estimates.append(case.vector(fit.estimate))
        variances.append(case.vector(fit.se) ** 2)
        mcse.append(case.vector(fit.mcse))
    spread = np.std(estimates, axis=0, ddof=1)
    # Draws of its own add to each run of this method; a fixed reference is the same in all.
    own = np.mean(np.square(mcse), axis=0) if method == "exact_gradient" else 0.0
    np.testing.assert_allclose(np.sqrt(np.mean(variances, axis=0) + own), spread, rtol=0.15)
    error = 5 * spread / np.sqrt(500) + 4 * np.mean(mcse, axis=0)
    assert (np.abs(np.mean(estimates, axis=0) - case.truth) < error).all()
