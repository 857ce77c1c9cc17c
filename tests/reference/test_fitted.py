"""The fitted reference: a density that sums to one, and shaped like the data."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln, logsumexp

from pymc_ebm import reference as ref
from pymc_ebm.space.base_laws.kernel_mixture import KernelMixture
from pymc_ebm.space.box_map import BoxMap


def log_z(q, energy):
    return logsumexp(q.log_weights - energy(q.points))


def test_densities_sum_to_one(rng):
    z = np.concatenate([rng.normal(-4, 1, 80), rng.normal(4, 1, 80)])[:, None]
    line = ref.quadrature(-np.inf, np.inf, 4000)
    mixture = KernelMixture(z, rng)
    total = np.exp(line.log_weights + mixture.log_density(line.points[:, None])).sum()
    assert abs(total - 1) < 1e-6
    counts = rng.poisson(3, 100)[:, None] + 0.5
    nonnegative = BoxMap(np.zeros(1), np.full(1, np.inf))
    mixture = KernelMixture(nonnegative.forward(counts), rng, correlated=False)
    mass = np.exp(mixture.log_mass(np.arange(30_000)[:, None], nonnegative)).sum()
    assert 1 - 1e-4 < mass <= 1 + 1e-9


def test_gaussian_and_constant(rng):
    for data in (rng.normal(3, 2, 300), np.full(5, 3.0), np.array([3.0])):
        q = ref.fitted(data, support="real", random_seed=rng)
        assert abs(log_z(q, lambda x: (x - 3) ** 2 / 8) - np.log(8 * np.pi) / 2) < 0.01


def test_bimodal(rng):
    data = np.concatenate([rng.normal(-10, 1, 100), rng.normal(10, 1, 100)])
    q = ref.fitted(data, random_seed=rng)
    energy = lambda x: -np.logaddexp(stats.norm.logpdf(x, -10), stats.norm.logpdf(x, 10))
    assert abs(log_z(q, energy) - np.log(2)) < 0.02


def test_positive_and_unit(rng):
    q = ref.fitted(rng.exponential(2, 300), support="positive", random_seed=rng)
    assert (q.points > 0).all()
    assert abs(log_z(q, lambda x: x / 2) - np.log(2)) < 0.01
    q = ref.fitted(np.append(rng.beta(2, 3, 300), [0.0, 1.0]), support="unit", random_seed=rng)
    assert abs(log_z(q, lambda x: -stats.beta.logpdf(x, 2, 3))) < 0.01


def test_counts(rng):
    q = ref.fitted(rng.poisson(3, 300), random_seed=rng)
    assert q.discrete and q.points.min() >= 0
    assert abs(log_z(q, lambda k: gammaln(k + 1) - k * np.log(3)) - 3) < 0.02
    q = ref.fitted(rng.poisson(3, (300, 2)), random_seed=rng)
    energy = lambda k: (gammaln(k + 1) - k * np.log(3)).sum(-1)
    assert abs(log_z(q, energy) - 6) < 0.05
    q = ref.fitted(rng.integers(-5, 6, 300), random_seed=rng)
    assert abs(log_z(q, lambda k: k**2 / 8) - np.log(8 * np.pi) / 2) < 0.02
    q = ref.fitted(rng.binomial(10, 0.3, 300), support=(0, 10), random_seed=rng)
    assert abs(log_z(q, lambda k: -stats.binom.logpmf(k, 10, 0.3))) < 0.02


@pytest.mark.parametrize("low", [0, -1])
def test_binary(low, rng):
    data = np.where(rng.random((200, 6)) < 0.3, 1, low)
    q = ref.fitted(data, random_seed=rng)
    assert set(np.unique(q.points)) == {low, 1}
    assert abs(log_z(q, lambda x: np.zeros(len(x))) - 6 * np.log(2)) < 0.02


def test_multivariate(rng):
    cov = np.array([[1.0, 0.9], [0.9, 1.0]])
    data = rng.multivariate_normal([1, 2], cov, 300)
    q = ref.fitted(data, random_seed=rng)
    energy = lambda x: -stats.multivariate_normal([1, 2], cov).logpdf(x)
    assert abs(log_z(q, energy)) < 0.02
    image = ref.fitted(data.reshape(-1, 2, 1), random_seed=rng)
    assert image.event_shape == (2, 1)


@pytest.mark.parametrize(
    "data, kwargs, error, words",
    [
        ([1.0, 2.0], {}, ValueError, "positive"),
        ([1, 2], {}, ValueError, "positive"),
        ([-1.0, 2.0], {"support": "positive"}, ValueError, "1 of 2.*index 0"),
        ([0.0, np.nan], {}, NotImplementedError, r"1 NaN.*\[1\]"),
        ([], {}, ValueError, "empty"),
        ([1j], {}, TypeError, "complex128"),
        (["a"], {}, TypeError, "dtype"),
    ],
)
def test_errors(data, kwargs, error, words):
    with pytest.raises(error, match=words):
        ref.fitted(data, **kwargs)


def test_quantiles_of_one_axis(rng):
    """SciPy's distribution function gives the uniforms back, in both tails and between modes."""
    for z in (
        rng.normal(3, 2, 300),
        np.r_[rng.normal(-1e3, 1, 99), rng.normal(1e3, 0.01, 99)],
        [3.0],
    ):
        mixture = KernelMixture(np.reshape(z, (-1, 1)), rng)
        u = np.r_[1e-10, 1e-5, np.sort(rng.random(500)), 1 - 1e-5, 1 - 1e-10]
        x = mixture.quantile(u[:, None])[:, 0]
        below, above = (
            sum(
                np.exp(log_weight) * tail((x - location[0]) / (factor * mixture.scale[0, 0]), 5)
                for log_weight, location, factor in mixture.components
            )
            for tail in (stats.t.cdf, stats.t.sf)
        )
        np.testing.assert_allclose(below, u, rtol=1e-6)
        np.testing.assert_allclose(above, 1 - u, rtol=1e-6)


def test_sobol_points_on_one_axis_keep_their_balance(rng):
    """With a component and a radius of their own it is 3e-4 at so many points, without 2e-5."""
    data = rng.normal(0, 2, 1000)
    truth = np.log(2) + np.log(2 * np.pi) / 2
    found = [log_z(ref.fitted(data, 16384, random_seed=rng), lambda x: x**2 / 8) for _ in range(10)]
    assert np.sqrt(np.mean((np.array(found) - truth) ** 2)) < 6e-5
