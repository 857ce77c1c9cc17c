"""Polynomials by quadrature."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gamma, kve

import pymc_ebm as ebm
from pymc_ebm.energies import polynomial

U = 0.7**2 / (8 * 0.3)

POLYNOMIALS = {
    "Gaussian": ((-1.2, 0.8), np.log(np.pi / 0.8) / 2 + 1.2**2 / (4 * 0.8)),
    "quartic": ((0, 0, 0, 1), np.log(2 * gamma(1.25))),
    # kve is exp(u) K(u).
    "one well": ((0, 0.7, 0, 0.3), np.log(np.sqrt(0.7 / 0.3) / 2 * kve(0.25, U))),
    "two wells": (
        (0.4, -2.0, 0.1, 1.0),
        np.log(quad(lambda x: np.exp(-0.4 * x + 2 * x**2 - 0.1 * x**3 - x**4), -6, 6)[0]),
    ),
}


@pytest.mark.parametrize("coefficients, log_z", POLYNOMIALS.values(), ids=POLYNOMIALS)
def test_polynomials(coefficients, log_z):
    line = ebm.reference.quadrature(-12, 12, 400)
    found = ebm.log_partition(polynomial, *map(float, coefficients), reference=line)
    assert abs(found.eval() - log_z) < 1e-9


def test_no_polynomial():
    with pytest.raises(ValueError, match="0 coefficients"):
        polynomial(np.zeros(3))
