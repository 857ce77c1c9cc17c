"""Rates of counts by their mean: numba, JAX and NumPy compute what the loops in Python do."""

import jax
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from pymc_ebm.energies.count_rates import log_rate_of_mean
from pymc_ebm.energy.split import RUN_ONCE, VECTORISED

# Means near zero, between counts and near the last one; geometric to nearly two values. No sum up
# to 300 reaches far enough for a mean of 20 at ν = 0.
MEANS, DISPERSIONS = (a.ravel() for a in np.meshgrid([1e-6, 0.3, 1.0, 4.7, 20.0], [0.0, 0.3, 9.0]))


@pytest.mark.parametrize("mode", ["NUMBA", VECTORISED, "JAX"], ids=["numba", "numpy", "jax"])
def test_rates_and_slopes_as_in_python(mode):
    if mode == "JAX":
        jax.config.update("jax_enable_x64", True)
    mu, nu = pt.dvectors("mu", "nu")
    rate = log_rate_of_mean(mu, nu, 300)
    outputs = [rate, *pt.grad(rate.sum(), [mu, nu])]
    found = pytensor.function([mu, nu], outputs, mode=mode)(MEANS, DISPERSIONS)
    expected = pytensor.function([mu, nu], outputs, mode=RUN_ONCE)(MEANS, DISPERSIONS)
    assert np.isnan(expected[0]).sum() == 1
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_no_rate_of_what_no_count_has():
    at = np.array([np.nan, 0.0, -1.0, 60.0, 1e300, 3.0, 3.0, 3.0])
    nu = np.array([1.0, 1.0, 1.0, 1.0, 1.0, -0.1, np.nan, np.inf])
    assert np.isnan(log_rate_of_mean(pt.constant(at), pt.constant(nu), 60).eval()).all()
