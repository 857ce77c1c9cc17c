"""Log densities of all sites as sums of those of a few."""

import numpy as np
import pytest
from scipy import stats

from pymc_ebm.distribution.hidden.basis import basis_of

Y = np.random.default_rng(1).gamma(2, 1, size=40)


@pytest.mark.parametrize(
    ("law", "size"),
    [
        (lambda u: [stats.norm(u[0], np.exp(u[1])), stats.norm(1 + u[0], 2)], 3),
        (lambda u: [stats.gamma(np.exp(u[0]), scale=np.exp(u[1]))], 3),
        (lambda u: [stats.expon(scale=np.exp(u[0]))], 2),
        (lambda u: [stats.t(3, u[0], np.exp(u[1]))], None),
    ],
    ids=["normal", "gamma", "exponential", "student"],
)
def test_size_and_values(law, size, rng):
    """An exponential family has as many as its statistics, and one for the level; others none."""

    def table(u):
        found = np.stack([d.logpdf(Y) for d in law(u)], axis=1)
        found[7] = 0.0  # a missing pixel
        return found

    basis = basis_of(table, 2, np.random.default_rng(0))
    assert (None if basis is None else len(basis.pivots)) == size
    if basis is not None:
        u = rng.normal(0, 1.5, 2)
        np.testing.assert_allclose(basis.weights @ table(u)[basis.pivots], table(u), atol=1e-8)


def test_densities_of_no_parameters_and_of_what_cannot_be():
    fixed = np.stack([stats.norm(0, 1).logpdf(Y), stats.norm(2, 1).logpdf(Y)], axis=1)
    basis = basis_of(lambda u: fixed, 0, np.random.default_rng(0))
    assert basis is not None and len(basis.pivots) == 2
    fixed[3, 0] = -1e10
    assert basis_of(lambda u: fixed, 0, np.random.default_rng(0)) is None
