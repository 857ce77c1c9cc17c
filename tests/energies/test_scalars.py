"""Counts, polynomials and hidden units: log Z in closed form, by quadrature and by brute force."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gamma, gammaln, i0e, kve, logsumexp

import pymc_ebm as ebm
from pymc_ebm.energies import conway_maxwell_poisson, polynomial, restricted_boltzmann


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


def test_hidden_units_by_brute_force(rng, values_of):
    """E(v) and Z over all 2⁴ · 2³ joint states, and Z with the two kinds of units exchanged."""
    w, a, b = rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=3)
    v = np.array(list(itertools.product([0, 1], repeat=4)))
    h = np.array(list(itertools.product([0, 1], repeat=3)))
    joint = (v @ a)[:, None] + h @ b + v @ w @ h.T
    found = values_of(restricted_boltzmann, v, w, a, b)
    np.testing.assert_allclose(found, -logsumexp(joint, axis=1), rtol=1e-12)
    visible = ebm.reference.enumeration([0, 1], shape=4, complete=True)
    log_z = ebm.log_partition(
        restricted_boltzmann, w, a, b, reference=visible, signature="(d,h),(d),(h)"
    ).eval()
    np.testing.assert_allclose(log_z, logsumexp(joint), rtol=1e-12)
    exchanged = values_of(restricted_boltzmann, h, w.T, b, a)
    np.testing.assert_allclose(logsumexp(-exchanged), log_z, rtol=1e-12)
