"""Variances from groups of points, and normalised weights, by hand and by simulation."""

import numpy as np
import pytest
from scipy import special

from pymc_ebm.weights.groups import (
    group_covariance,
    group_sums,
    group_variance,
    log_partition_mcse,
    variance_of_sums,
)
from pymc_ebm.weights.normalised import ess, normalise


def test_normalise_agrees_with_scipy_by_row(rng):
    log_weights = rng.normal(scale=300, size=(3, 4, 50))
    log_z, weights = normalise(log_weights)
    np.testing.assert_allclose(log_z, special.logsumexp(log_weights, axis=-1))
    np.testing.assert_allclose(weights, special.softmax(log_weights, axis=-1), atol=1e-300)


def test_normalise_without_any_weight():
    log_z, weights = normalise([[-np.inf, -np.inf], [0.0, -np.inf]])
    np.testing.assert_array_equal(log_z, [-np.inf, 0])
    np.testing.assert_array_equal(weights, [[0, 0], [1, 0]])
    np.testing.assert_array_equal(ess(weights), [0, 1])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_normalise_keeps_nan_visible(bad):
    log_z, weights = normalise([0.0, bad])
    assert np.isnan(log_z)
    assert np.isnan(weights).any()


def test_group_variance_of_independent_points(rng):
    m = 500
    _, weights = normalise(rng.normal(size=m))
    expected = m / (m - 1) * (1 / ess(weights) - 1 / m)
    np.testing.assert_allclose(group_variance(weights, np.arange(m)), expected)
    np.testing.assert_allclose(log_partition_mcse(weights, np.arange(m)), np.sqrt(expected))


def test_group_variance_by_hand_and_by_row():
    influence = np.array([[1.0, 2, 3, 4], [0, 0, 1, 5]])
    groups = np.array([1, 0, 1, 0])
    # Group sums 6 and 4, then 5 and 1.
    np.testing.assert_allclose(group_variance(influence, groups), [2 * 2, 2 * 8])
    np.testing.assert_allclose(group_variance(influence[1], groups), 16)


def test_group_variance_of_one_group_is_unknown():
    one = np.zeros(2, int)
    assert np.isnan(group_variance([0.5, 0.5], one))
    found = group_variance(np.ones((3, 4, 2)), one)
    assert found.shape == (3, 4) and np.isnan(found).all()
    found = group_covariance(np.ones((3, 2)), one)
    assert found.shape == (3, 3) and np.isnan(found).all()


def test_points_that_are_their_own_groups_are_the_sums(rng):
    """And no draws are unused unless they are given."""
    influence = rng.normal(size=(2, 3, 9))
    own = np.arange(9)
    np.testing.assert_array_equal(group_sums(influence, own), influence)
    np.testing.assert_allclose(variance_of_sums(influence), 9 * influence.var(axis=-1, ddof=1))
    np.testing.assert_allclose(group_covariance(influence[0], own), 9 * np.cov(influence[0]))


@pytest.mark.parametrize(
    ("theta", "q_sd", "relative_variance"),
    [(0.5, 2, 3.8149), (1, 2, 1.6772), (1.5, 2, 1.2297), (2, 4, 0.7440), (3, 5, 0.4348)],
)
def test_spread_of_the_papers_curves(rng, theta, q_sd, relative_variance):
    """N sqrt(value / M), in nats, as the closed form of the paper's experiment gives it."""
    n, m = 100, 400_000
    y = rng.normal(2, q_sd, size=m)
    log_weights = -(y**2) / (2 * theta**2) + (y - 2) ** 2 / (2 * q_sd**2)
    _, weights = normalise(log_weights)
    seen = n * log_partition_mcse(weights, np.arange(m))
    np.testing.assert_allclose(seen, n * np.sqrt(relative_variance / m), rtol=0.03)


def test_group_variance_counts_antithetic_pairs_once(rng):
    """Pairs whose errors cancel: the spread over repetitions is that of the pair sums.

    A standard deviation over 300 repetitions has a standard error of 4%; five of them.
    """
    m, estimates, predicted = 400, [], []
    groups = np.repeat(np.arange(m // 2), 2)
    for _ in range(300):
        z = rng.normal(size=m // 2)
        log_z, weights = normalise(0.3 * np.column_stack([z, -z]).ravel())
        estimates.append(log_z)
        predicted.append(log_partition_mcse(weights, groups))
    np.testing.assert_allclose(np.mean(predicted), np.std(estimates), rtol=0.2)


def test_unused_draws_count_as_groups_without_weight():
    """A draw thrown away is a point of weight zero: the same variance either way."""
    influence = np.array([0.2, 0.5, 0.3])
    padded = np.concatenate([influence, np.zeros(7)])
    np.testing.assert_allclose(
        group_variance(influence, np.arange(3), unused_draws=7),
        group_variance(padded, np.arange(10)),
    )
