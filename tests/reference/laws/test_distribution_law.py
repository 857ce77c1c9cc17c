"""Fresh draws of a reference's proposal and its log density, against SciPy's distributions."""

import cloudpickle
import numpy as np
import pymc as pm
import pytest
from scipy import stats
from scipy.special import logsumexp

from pymc_ebm import reference as ref


def test_independent(rng):
    """Draws by Kolmogorov's distance; a right sampler has p > 1e-3 in 99.9% of seeds."""
    q = ref.independent(pm.Normal.dist(1, 3), 64, "sobol", random_seed=1).proposal
    y = q.draw(rng, 5000)
    assert stats.kstest(y, stats.norm(1, 3).cdf).pvalue > 1e-3
    np.testing.assert_allclose(q.log_density(y), stats.norm(1, 3).logpdf(y), rtol=1e-7)
    assert not np.isin(q.draw(rng, 5000), y).any()


def test_independent_of_theta(rng):
    q = ref.independent(lambda t: pm.Normal.dist(2, 2 + t), 64, random_seed=1).proposal
    for theta in (0.5, 4.0):
        law = stats.norm(2, 2 + theta)
        y = q.draw(rng, 5000, theta)
        assert stats.kstest(y, law.cdf).pvalue > 1e-3
        np.testing.assert_allclose(q.log_density(y, theta), law.logpdf(y), rtol=1e-7)


def test_vector_matrix_and_mixture_events(rng):
    cov = np.array([[2.0, 0.7], [0.7, 1.0]])
    q = ref.independent(pm.MvNormal.dist(np.zeros(2), cov), 64, random_seed=1).proposal
    y = q.draw(rng, 4000)
    truth = stats.multivariate_normal(np.zeros(2), cov)
    np.testing.assert_allclose(q.log_density(y), truth.logpdf(y), rtol=1e-10)
    # The largest entry's standard error is sd² √(2 / 4000) = 0.045; five of them.
    np.testing.assert_allclose(np.cov(y.T), cov, atol=5 * 0.045)
    q = ref.independent(pm.Normal.dist([0.0, 1.0], 2, size=(3, 2)), 64, random_seed=1).proposal
    y = q.draw(rng, 10)
    assert y.shape == (10, 3, 2)
    truth = stats.norm([0, 1], 2).logpdf(y).sum((1, 2))
    np.testing.assert_allclose(q.log_density(y), truth, rtol=1e-7)
    mixture = pm.NormalMixture.dist([0.3, 0.7], [-2.0, 2.0], [1.0, 0.5])
    q = ref.independent(mixture, 64, random_seed=1).proposal
    y = q.draw(rng, 5000)
    cdf = lambda x: 0.3 * stats.norm(-2, 1).cdf(x) + 0.7 * stats.norm(2, 0.5).cdf(x)
    assert stats.kstest(y, cdf).pvalue > 1e-3


def test_function_of_a_distribution(rng):
    q = ref.independent(pm.math.exp(pm.Normal.dist(0, 1)), 64, random_seed=1).proposal
    y = q.draw(rng, 500)
    assert stats.kstest(y, stats.lognorm(1).cdf).pvalue > 1e-3
    np.testing.assert_allclose(q.log_density(y), stats.lognorm(1).logpdf(y), rtol=1e-9)


def test_outside_the_support():
    q = ref.independent(pm.HalfNormal.dist(1), 64, random_seed=1, support="positive").proposal
    assert q.log_density(np.array([-1.0, 1.0]))[0] == -np.inf
    q = ref.independent(pm.Poisson.dist(3.0), 64, random_seed=1, support="nonnegative").proposal
    found = q.log_density(np.array([-1, 2]))
    np.testing.assert_allclose(found, [-np.inf, stats.poisson(3).logpmf(2)])
    assert q.log_density(np.array([2.0, 2.5])).tolist() == [found[1], -np.inf]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "make, outside",
    [
        (lambda r: ref.fitted(r.normal(0, 2, 200), random_seed=r), None),
        (
            lambda r: ref.fitted(r.gamma(2, 1, 200), support="positive", random_seed=r),
            [-1.0, -1e-9],
        ),
        (lambda r: ref.fitted(r.beta(2, 3, 200), support="unit", random_seed=r), [-1.0, 1.5]),
        (lambda r: ref.fitted(r.normal(0, 1, (200, 3)), random_seed=r), None),
        (lambda r: ref.fitted(r.poisson(3, 200), random_seed=r), [-1, 1.5, 2.0**60]),
        (lambda r: ref.fitted(r.choice([-1, 1], (200, 5)), random_seed=r), [[0, 1, 1, 1, -1]]),
    ],
    ids=["line", "positive", "unit", "vector", "counts", "binary"],
)
def test_fitted(make, outside, rng):
    """The density is that of the points' weights, and draws spread as the points do.

    Log q over draws and over the points are two samples of one distribution (p > 1e-3 in 99.9%
    of seeds); means of coordinates, with 1% of each tail cut, agree within 5 standard errors.
    """
    reference = make(rng)
    q = reference.proposal
    log_q = -reference.log_weights - np.log(reference.n_points)
    np.testing.assert_allclose(q.log_density(reference.points), log_q, rtol=1e-9, atol=1e-9)
    y = q.draw(rng, 5000)
    assert y.shape == (5000, *reference.event_shape) and y.dtype == reference.points.dtype
    if reference.points.dtype.kind == "f":
        assert stats.ks_2samp(q.log_density(y), log_q).pvalue > 1e-3
    for axis in range(y.reshape(5000, -1).shape[1]):
        mine, own = y.reshape(5000, -1)[:, axis], reference.points.reshape(-1, y[0].size)[:, axis]
        spread = np.clip(own, *np.quantile(own, [0.01, 0.99]))
        mine = np.clip(mine, spread.min(), spread.max())
        assert abs(mine.mean() - spread.mean()) < 5 * spread.std() / np.sqrt(5000)
    if outside is not None:
        assert np.isneginf(q.log_density(np.array(outside))).all()


def test_fitted_density_at_new_points(rng):
    """Sums to one on a grid that is not the reference's."""
    q = ref.fitted(rng.gamma(2, 1, 200), support="positive", random_seed=rng).proposal
    grid = ref.quadrature(0, np.inf, 4000)
    assert abs(logsumexp(grid.log_weights + q.log_density(grid.points))) < 1e-4
    q = ref.fitted(rng.poisson(3, 200), random_seed=rng).proposal
    assert abs(logsumexp(q.log_density(np.arange(-5, 3000)))) < 1e-3


def test_enumeration(rng):
    q = ref.enumeration([-1, 1], shape=(2, 2), complete=True).proposal
    y = q.draw(rng, 1600)
    counts = np.unique(y.reshape(-1, 4), axis=0, return_counts=True)[1]
    assert stats.chisquare(counts).pvalue > 1e-3 and len(counts) == 16
    states = np.array([[[1, 1], [1, -1]], [[1, 1], [1, 0]]])
    np.testing.assert_allclose(q.log_density(states), [-np.log(16), -np.inf])
    assert ref.enumeration(range(30)).proposal is None


def test_not_every_reference_has_one(rng):
    y = rng.normal(size=30)
    assert ref.from_draws(y, stats.norm.logpdf(y)).proposal is None
    assert ref.quadrature(-1, 1, 30).proposal is None


def test_given_draws_with_the_density_anywhere(rng):
    q = ref.from_draws(rng.normal(size=30), stats.norm.logpdf).proposal
    assert q.draw is None
    np.testing.assert_allclose(q.log_density(np.zeros(1)), -0.5 * np.log(2 * np.pi))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ref.independent(pm.Normal.dist(0, 3), 64, random_seed=1),
        lambda: ref.independent(lambda t: pm.Normal.dist(0, 3 * t), 64, random_seed=1),
        lambda: ref.fitted(np.linspace(-1, 1, 30), 1024, random_seed=1),
        lambda: ref.enumeration(np.arange(-2, 3), complete=True),
    ],
)
def test_pickles_and_leaves_the_fingerprint(make, seed):
    reference = make()
    copy = cloudpickle.loads(cloudpickle.dumps(reference))
    y = [r.proposal.draw(np.random.default_rng(seed), 20, 1.0) for r in (reference, copy)]
    np.testing.assert_array_equal(*y)
    again = cloudpickle.loads(cloudpickle.dumps(reference))  # after compilation
    np.testing.assert_array_equal(
        reference.proposal.log_density(y[0], 1.0), again.proposal.log_density(y[0], 1.0)
    )
    bare = ref.Reference(
        reference.points, reference.log_weights, reference.groups, reference.support,
        exact=reference.exact, transport=reference.transport, description=reference.description,
    )  # fmt: skip
    assert bare.fingerprint == reference.fingerprint
