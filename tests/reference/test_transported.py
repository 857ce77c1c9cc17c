"""q(y|θ): points that move with the parameters, against closed forms."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.special import logsumexp

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


@pytest.mark.parametrize("method", ["iid", "antithetic", "sobol"])
def test_transport(method, seed):
    q = ref.independent(lambda t: pm.Normal.dist(2, 2 + t), 16384, method, random_seed=seed)
    theta = pt.dscalar("theta")
    points, log_weights = q.transport(pt.constant(q.points), theta)
    value = pt.logsumexp(log_weights - points**2 / 2)
    f = pytensor.function([theta], [points, log_weights, value, pytensor.grad(value, theta)])
    y, a, _, slope = f(0.3)
    estimate, se = log_z(q, lambda x: x**2 / 2, y, a)
    assert abs(estimate - np.log(2 * np.pi) / 2) <= 5 * se
    difference = (f(0.3 + 1e-5)[2] - f(0.3 - 1e-5)[2]) / 2e-5
    np.testing.assert_allclose(slope, difference, rtol=1e-5, atol=1e-9)
