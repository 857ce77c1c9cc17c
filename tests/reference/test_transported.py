"""q(y|θ): points that move with the parameters, against closed forms."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import logsumexp

from pymc_ebm import EBM, find_MLE, log_partition
from pymc_ebm import reference as ref
from pymc_ebm.energy.split import VECTORISED


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


@pytest.mark.parametrize("heavy", [False, True])
def test_vectors_and_matrices(heavy, seed):
    """Location and scale in two dimensions: log Z moves by log |L| exactly, whatever the points.

    Its level is within five errors of log 2π + log |L|, and q's density is that of SciPy.
    """

    def wider(mean, root):
        if heavy:
            return pm.MvStudentT.dist(5, mu=mean, chol=1.3 * root)
        return pm.MvNormal.dist(mean, chol=1.3 * root)

    def energy(x, mean, root):
        z = pt.linalg.solve_triangular(root, (x - mean).T, lower=True)
        return (z**2).sum(axis=0) / 2

    q = ref.independent(wider, 2048, "sobol", random_seed=seed, signature="(2),(2,2)")
    mean, root = np.array([1.0, -2.0]), np.array([[1.5, 0.0], [0.7, 0.5]])
    params = pt.dvector("mean"), pt.dmatrix("root")
    log_z = log_partition(energy, *params, reference=q, signature="(2),(2,2)")
    graphs = [log_z, *pt.grad(log_z, params), *q.at(params)]
    function = pytensor.function([*params], graphs, mode=VECTORISED)
    value, by_mean, by_root, points, log_weights = function(mean, root)
    assert abs(value - np.log(2 * np.pi * 1.5 * 0.5)) < 0.02
    np.testing.assert_allclose(by_mean, 0, atol=1e-10)
    np.testing.assert_allclose(np.diag(by_root), 1 / np.diag(root), rtol=1e-9)
    scale = 1.69 * root @ root.T
    law = stats.multivariate_t(mean, scale, 5) if heavy else stats.multivariate_normal(mean, scale)
    expected = law.logpdf(points[:5]) + np.log(2048)
    np.testing.assert_allclose(-log_weights[:5], expected, rtol=1e-9)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("heavy", [False, True])
def test_location_and_scale_of_an_EBM(heavy, rng):
    """The estimate is the sample's mean and root of covariance: points that follow θ are exact.

    log Z moves by log |L| whatever the points, so that only the optimiser's tolerance is left.
    """
    x = rng.multivariate_normal([1, -1], [[2, 0.6], [0.6, 1]], 200)
    root = lambda a: pt.stack([pt.stack([pt.exp(a[0]), 0.0]), pt.stack([a[1], pt.exp(a[2])])])

    def wider(mean, a):
        if heavy:
            return pm.MvStudentT.dist(6, mu=mean, chol=1.2 * root(a))
        return pm.MvNormal.dist(mean, chol=1.2 * root(a))

    def energy(x, mean, a):
        z = pt.linalg.solve_triangular(root(a), (x - mean).T, lower=True)
        return (z**2).sum(axis=0) / 2

    q = ref.independent(wider, 1024, "sobol", random_seed=1, signature="(2),(3)")
    with pm.Model() as model:
        mean, a = pm.Normal("mean", 0, 3, shape=2), pm.Normal("a", 0, 1, shape=3)
        EBM("x", mean, a, energy=energy, signature="(k),(c)", reference=q, observed=x)
    found = find_MLE(model=model, progressbar=False)
    of_sample = np.linalg.cholesky(np.cov(x.T, bias=True))
    truth = [np.log(of_sample[0, 0]), of_sample[1, 0], np.log(of_sample[1, 1])]
    assert found.converged
    np.testing.assert_allclose(found.estimate["mean"], x.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(found.estimate["a"], truth, atol=1e-4)


def test_what_vectors_need():
    with pytest.raises(ValueError, match="write numbers"):
        ref.independent(
            lambda m, s: pm.MvNormal.dist(m, s * np.eye(2)), 64, signature="(k),()", random_seed=1
        )
    with pytest.raises(NotImplementedError, match="Give a number for nu"):
        ref.independent(
            lambda nu, m: pm.MvStudentT.dist(nu, mu=m, chol=np.eye(2)),
            64,
            signature="(),(2)",
            random_seed=1,
        )
