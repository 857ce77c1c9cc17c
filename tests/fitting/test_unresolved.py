"""Sums that end too early and rules that are too coarse are no converged estimates."""

import numpy as np
import pymc as pm
import pytest

import pymc_ebm as ebm

pytestmark = pytest.mark.usefixtures("interpreted")

# Geometric counts: the likelihood's maximum is at exp(-λ) = mean / (1 + mean).
COUNTS = np.array([0, 0, 1, 1, 2, 3, 4, 5, 8, 10])
RATE = np.log1p(1 / COUNTS.mean())


def rate(reference, data=COUNTS, energy=lambda x, rate: rate * x):
    with pm.Model():
        rate = pm.HalfFlat("rate", initval=0.5)
        ebm.EBM("x", rate, energy=energy, observed=data, reference=reference)
        return ebm.find_MLE(progressbar=False)


@pytest.mark.parametrize(("states", "serves"), [(11, False), (20, False), (60, True), (200, True)])
def test_a_sum_that_ends_before_the_model(states, serves):
    """What is beyond moves the estimate by 2 standard errors at 11 states, and by 1e-4 at 60."""
    fit = rate(ebm.reference.enumeration(range(states)))
    wrong = abs(fit.estimate["rate"] - RATE) / fit.se["rate"]
    assert fit.converged == serves
    assert (wrong < 0.05) == serves
    assert serves or "truncated space of x" in fit.reason


def test_a_sum_whose_edge_is_not_known():
    """Where a list made by hand ends, nothing is known of what is left out."""
    states = np.arange(60)
    kwargs = {"support": "nonnegative", "exact": True, "complete": False}
    by_hand = ebm.reference.Reference(states, np.zeros(60), states, **kwargs)
    fit = rate(by_hand)
    assert not fit.converged
    assert "edge is not known" in fit.reason


def test_nodes_that_do_not_resolve_the_model():
    """A Gaussian of sd 0.15, the root of the mean square, on nodes of the whole line."""
    data = np.array([-0.1, 0.2, 0.05, -0.05, 0.15, -0.25])
    energy = lambda x, s: x**2 / (2 * s**2)
    few, many = (
        rate(ebm.reference.quadrature(-np.inf, np.inf, order), data, energy) for order in (10, 40)
    )
    assert not few.converged
    assert "do not resolve the model" in few.reason
    assert many.converged
    np.testing.assert_allclose(many.estimate["rate"], np.sqrt(np.mean(data**2)), rtol=1e-5)
