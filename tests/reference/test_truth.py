"""Estimates of log Z against known answers."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import gamma, gammaln, logsumexp

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


def assert_close(q, energy, truth, se_bound=0.01):
    value, se = log_z(q, energy)
    assert se <= se_bound
    assert abs(value - truth) <= 5 * se + 1e-12


@pytest.mark.parametrize("method", ["iid", "antithetic", "sobol"])
@pytest.mark.parametrize(
    "energy, truth",
    [
        (lambda x: x**4, np.log(2 * gamma(1.25))),
        (lambda x: x**2 / 2, np.log(2 * np.pi) / 2),
        (
            lambda x: np.where(x > 1, x**2 / 2 + np.log(2 * np.pi) / 2, np.inf),
            stats.norm.logsf(1),
        ),
    ],
    ids=["quartic", "gaussian", "selected"],
)
def test_independent(method, energy, truth, seed):
    q = ref.independent(pm.Normal.dist(0, 1.5), 65536, method, random_seed=seed)
    assert_close(q, energy, truth)


@pytest.mark.filterwarnings("ignore:Use the scale argument:FutureWarning")
@pytest.mark.parametrize("method", ["iid", "antithetic", "sobol"])
@pytest.mark.parametrize("heavy", [False, True])
def test_independent_whitened(method, heavy, seed):
    cov = np.array([[2.0, 0.7], [0.7, 1.0]])
    dist = pm.MvStudentT.dist(nu=5, mu=np.zeros(2), scale=cov) if heavy else None
    dist = pm.MvNormal.dist(np.zeros(2), cov=cov) if dist is None else dist
    q = ref.independent(dist, 32768, method, random_seed=seed)
    assert q.event_shape == (2,)
    assert_close(q, lambda x: (x**2).sum(-1), np.log(np.pi))


def test_independent_batched_mixture_and_positive(seed):
    q = ref.independent(pm.Normal.dist([0.0, 1.0], 2, size=(3, 2)), 8192, random_seed=seed)
    assert q.event_shape == (3, 2)
    assert_close(q, lambda x: (x**2 / 4).sum((-1, -2)), 3 * np.log(4 * np.pi), 0.05)
    mixture = pm.NormalMixture.dist([0.5, 0.5], [-2.0, 2.0], [1.5, 1.5])
    q = ref.independent(mixture, 16384, random_seed=seed)
    assert_close(q, lambda x: x**2 / 2, np.log(2 * np.pi) / 2)
    q = ref.independent(pm.Poisson.dist(3.0), 16384, random_seed=seed, support="nonnegative")
    assert q.discrete
    assert_close(q, lambda k: -k * np.log(2) + gammaln(k + 1), 2.0)


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


def test_ising_enumeration():
    spins = ref.enumeration([-1, 1], shape=(4, 4), complete=True)
    assert spins.points.dtype.kind == "i" and spins.n_points == 65536
    s = spins.points
    beta = 0.5 * np.log(1 + np.sqrt(2))
    energy = -beta * (s * np.roll(s, -1, 1) + s * np.roll(s, -1, 2)).sum((1, 2))
    assert abs(logsumexp(-energy) - 15.521915) < 1e-6


def test_enumeration_forms():
    product = ref.enumeration([[0, 1, 2], [5, 7]])
    assert product.points.tolist() == [[0, 5], [0, 7], [1, 5], [1, 7], [2, 5], [2, 7]]
    assert product.edge.tolist() == [False, True, False, True, True, True]
    assert ref.enumeration(np.array([[0, 1], [1, 0]])).event_shape == (2,)
    assert ref.enumeration(iter([(0, 1), (1, 0), (1, 1)])).n_points == 3
    assert ref.enumeration([-1, 0, 1]).edge.tolist() == [True, False, True]


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


def test_from_draws(seed):
    y = stats.norm(0, 1).rvs(200_000, random_state=seed)
    kept = y[y > 1]
    q = ref.from_draws(kept, stats.norm.logpdf, total_draws=len(y), support=(1, np.inf))
    energy = lambda x: x**2 / 2 + np.log(2 * np.pi) / 2
    # Of 200,000 draws a share p = Φ(−1) is kept: a binomial's √((1 − p)/(p · 200,000)) = 0.0051.
    assert abs(log_z(q, energy)[0] - stats.norm.logsf(1)) < 5 * 0.0051
