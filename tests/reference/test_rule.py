"""Quadratures over circles, tori and spheres, against closed forms."""

import numpy as np
import pytest
from scipy import integrate, special

from pymc_ebm import log_partition_at, space
from pymc_ebm.reference import rule


def bingham(b):
    """Log ∫ exp(−Σ b_i x_i²) over the sphere, by Bessel functions around the third axis."""
    ring = lambda t: (
        special.ive(0, (1 - t**2) * (b[0] - b[1]) / 2)
        * np.exp((1 - t**2) * (abs(b[0] - b[1]) - b[0] - b[1]) / 2 - b[2] * t**2)
    )
    return np.log(2 * np.pi * integrate.quad(ring, -1, 1, epsabs=0, epsrel=1e-11)[0])


def kent(kappa, beta):
    """Log ∫ exp(κ z + β (x² − y²)) over the sphere, by Bessel functions around the mean."""
    ring = lambda t: special.ive(0, beta * (1 - t**2)) * np.exp(beta * (1 - t**2) + kappa * (t - 1))
    return kappa + np.log(2 * np.pi * integrate.quad(ring, -1, 1, epsabs=0, epsrel=1e-11)[0])


def two_modes_of_an_angle(kappa):
    """Log ∫ exp(κ cos x + κ/2 cos 2(x − 0.3)) over the circle."""
    density = lambda x: np.exp(kappa * (np.cos(x) + np.cos(2 * (x - 0.3)) / 2))
    return np.log(integrate.quad(density, -np.pi, np.pi, epsabs=0, epsrel=1e-11)[0])


KAPPA = 7.0
CASES = {
    "von Mises": (
        space.circle(), lambda x, k: -k * np.cos(x - 1), np.log(2 * np.pi * np.i0(KAPPA)),
    ),
    "von Mises of hours": (
        space.circle(0, 24), lambda x, k: -k * np.cos(np.pi / 12 * x), np.log(24 * np.i0(KAPPA)),
    ),
    "generalised von Mises": (
        space.circle(), lambda x, k: -k * (np.cos(x) + np.cos(2 * (x - 0.3)) / 2),
        two_modes_of_an_angle(KAPPA),
    ),
    "sine model of two angles": (
        space.circle().of_events((2,)),
        lambda x, k: -k * np.cos(x).sum(-1) - np.sin(x[..., 0]) * np.sin(x[..., 1]),
        np.log(4 * np.pi**2 * sum(
            special.comb(2 * m, m) / (4 * KAPPA**2) ** m * special.iv(m, KAPPA) ** 2
            for m in range(30)
        )),
    ),
    "von Mises in the plane": (
        space.sphere(2), lambda x, k: -k * x[..., 0], np.log(2 * np.pi * np.i0(KAPPA)),
    ),
    "von Mises and Fisher": (
        space.sphere(3), lambda x, k: -k * (x @ [0.6, 0.0, 0.8]),
        np.log(4 * np.pi * np.sinh(KAPPA) / KAPPA),
    ),
    "Watson": (
        space.sphere(3), lambda x, k: -k * (x @ [0.6, 0.0, 0.8]) ** 2,
        np.log(4 * np.pi * special.hyp1f1(0.5, 1.5, KAPPA)),
    ),
    "Bingham": (
        space.sphere(3), lambda x, k: k * (x**2 @ [1.0, 0.3, -0.5]),
        bingham(KAPPA * np.array([1.0, 0.3, -0.5])),
    ),
    "Kent": (
        space.sphere(3),
        lambda x, k: -k * x[..., 2] - 0.4 * k * (x[..., 0] ** 2 - x[..., 1] ** 2),
        kent(KAPPA, 0.4 * KAPPA),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_closed_forms(name):
    where, energy, truth = CASES[name]
    q = rule(where)
    log_weights = q.log_weights - energy(q.points, KAPPA)
    assert abs(special.logsumexp(log_weights) - truth) < 1e-11
    # The coarser rule tells when the nodes are too few.
    few = rule(where, 4)
    log_weights = few.log_weights - energy(few.points, KAPPA)
    error = abs(special.logsumexp(log_weights) - truth)
    coarse = special.logsumexp(few.coarser(log_weights))
    assert abs(coarse - special.logsumexp(log_weights)) > error > 1e-6


def test_as_a_reference():
    q = rule("circle", 64)
    found = log_partition_at(lambda x, k: -k * (x + 1).cos(), 3.0, reference=q)
    assert found.mcse == 0 and abs(found.log_partition - np.log(2 * np.pi * np.i0(3.0))) < 1e-12
    assert q.whole and q.level == "exact"


def test_words():
    with pytest.raises(ValueError, match=r"order is 5\. Give an even number"):
        rule("circle", 5)
    for where in (space.simplex(3), "real", space.sphere(4)):
        with pytest.raises(ValueError, match=r"No rule is known for .*Use ebm\.reference\.rule"):
            rule(where)
    with pytest.raises(ValueError, match="how many numbers"):
        rule("sphere")
