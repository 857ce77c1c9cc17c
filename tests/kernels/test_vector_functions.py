"""Functions of vectors in compiled loops, exp and log among them, against NumPy."""

import numba
import numpy as np
import pytest
from scipy import special

from pymc_ebm.kernels import exponential


@numba.njit
def apply_exp(x, out):
    for i in range(x.size):
        out[i] = exponential.exp(x[i])


@numba.njit
def apply_tanh(x, out):
    for i in range(x.size):
        out[i] = exponential.tanh(x[i])


@numba.njit
def apply_sigmoid(x, out):
    for i in range(x.size):
        out[i] = exponential.sigmoid(x[i])


def test_exponential():
    """Against NumPy's, to two units of the last digit, and at the ends of the range."""
    x = np.concatenate(
        [np.linspace(-708, 709.7, 400_001), np.linspace(-1, 1, 100_001), np.logspace(-300, 0, 301)]
    )
    out = np.empty_like(x)
    apply_exp(x, out)
    np.testing.assert_allclose(out, np.exp(x), rtol=4.5e-16)
    ends = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -746.0, -1e300, 1e300, -740.0])
    apply_exp(ends, out[: ends.size])
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(out[: ends.size], np.exp(ends), rtol=1e-3)


@numba.njit
def apply_log(x, out):
    for i in range(x.size):
        out[i] = exponential.log(x[i])


@numba.njit
def apply_log1p(x, out):
    for i in range(x.size):
        out[i] = exponential.log1p(x[i])


@pytest.mark.parametrize(("function", "truth"), [(apply_log, np.log), (apply_log1p, np.log1p)])
def test_logarithms(function, truth):
    """Against NumPy's, to two units of the last digit, near 0 and near 1, and at the ends."""
    near = np.logspace(-16, -1, 1000)
    ends = [0.0, -0.0, -0.5, -1.0, -2.0, np.inf, -np.inf, np.nan, 5e-324, 1e-310, 1.79e308]
    x = np.concatenate([np.logspace(-307, 308, 100_001), 1 + near, 1 - near, near, -near, ends])
    out = np.empty_like(x)
    function(x, out)
    with np.errstate(divide="ignore", invalid="ignore"):
        np.testing.assert_allclose(out, truth(x), rtol=4.5e-16)


@pytest.mark.parametrize(
    ("function", "truth"), [(apply_tanh, np.tanh), (apply_sigmoid, special.expit)]
)
def test_functions_of_neural_energies(function, truth):
    """Against NumPy's and SciPy's, to four units of the last digit, small arguments too."""
    small = np.logspace(-300, 1, 1000)
    x = np.concatenate([np.linspace(-30, 30, 100_001), small, -small, [np.inf, -np.inf, np.nan]])
    out = np.empty_like(x)
    function(x, out)
    np.testing.assert_allclose(out, truth(x), rtol=9e-16)
