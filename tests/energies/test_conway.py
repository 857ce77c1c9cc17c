"""Counts: log Z in closed form."""

import numpy as np
import pytest
from scipy.special import gammaln, i0e

import pymc_ebm as ebm
from pymc_ebm.energies import conway_maxwell_poisson


@pytest.mark.parametrize(
    "rate, nu, log_z, atol",
    [
        (1.5, 1.2, 1.389641, 1e-6),
        (3.0, 2.0, 1.968370, 1e-6),
        (3.0, 2.0, np.log(i0e(2 * np.sqrt(3))) + 2 * np.sqrt(3), 1e-12),  # I₀(2√λ)
        (4.0, 1.0, 4.0, 1e-12),  # Poisson
        (0.6, 0.0, -np.log(0.4), 1e-12),  # geometric
        (0.6, 60.0, np.log(1.6), 1e-12),  # Bernoulli
    ],
)
def test_counts(rate, nu, log_z, atol):
    counts = ebm.reference.enumeration(range(300))
    found = ebm.log_partition(conway_maxwell_poisson, np.log(rate), nu, reference=counts)
    assert abs(found.eval() - log_z) < atol


def test_small_integer_counts_in_double_precision(values_of):
    k = np.arange(100, dtype=np.int8)
    found = values_of(conway_maxwell_poisson, k, 0.3, 1.2)
    np.testing.assert_allclose(found, -0.3 * k + 1.2 * gammaln(k + 1.0), rtol=1e-13)
