"""Gauss–Legendre rules against closed forms."""

import numpy as np
import pytest
from scipy.special import gamma, logsumexp

from pymc_ebm import reference as ref


def log_z(q, energy, points=None, log_weights=None):
    """Estimate and standard error by groups."""
    points = q.points if points is None else points
    log_weights = q.log_weights if log_weights is None else log_weights
    terms = log_weights - energy(points)
    total = logsumexp(terms)
    phi = np.bincount(q.groups, np.exp(terms - total), minlength=q.n_groups)
    g = q.n_groups
    return total, np.sqrt(g / (g - 1) * ((phi - phi.mean()) ** 2).sum())


@pytest.mark.parametrize("bounds", [(-6, 6), (-np.inf, np.inf)])
def test_quadrature_quartic(bounds):
    q = ref.quadrature(*bounds)
    assert abs(np.exp(q.log_weights - q.points**4).sum() - 2 * gamma(1.25)) < 1e-10
    assert q.complete == np.isinf(bounds[0])
    assert (q.edge is None) == q.complete


def test_quadrature_half_line_and_plane():
    q = ref.quadrature(0, np.inf)
    assert abs(log_z(q, lambda x: x / 2)[0] - np.log(2)) < 1e-10
    q = ref.quadrature([-np.inf, -8], [np.inf, 8], 100)
    assert abs(log_z(q, lambda x: (x**2).sum(-1) / 2)[0] - np.log(2 * np.pi)) < 1e-10
    assert q.edge.sum() == 200
