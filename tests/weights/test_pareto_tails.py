"""Shapes of the tails of weights, by weights whose tails are known."""

import numpy as np
import pytest

from pymc_ebm.weights.pareto_tails import _without_ties, khat_threshold, pareto_k


def test_pareto_k_has_the_right_sign(rng):
    """Weights exp(k E) with E exponential have a tail of k.

    It is fitted to the 3 √M largest, with a standard error of (1 + k)/√3000: 0.04 for k = 1.2.
    """
    assert pareto_k(1.2 * rng.exponential(size=1_000_000)) > 1
    assert pareto_k(0.2 * rng.exponential(size=1_000_000)) < 0.5


def test_pareto_k_with_weights_of_zero(rng):
    """Points outside the support have none, and do not count as steps."""
    log_weights = np.where(rng.random(20_000) < 0.7, np.log1p(rng.pareto(2.0, 20_000)), -np.inf)
    found = pareto_k(log_weights)
    assert abs(found - 0.5) < 0.15  # three standard errors
    assert abs(pareto_k(np.ceil(8 * log_weights) / 8) - found) < 0.05


@pytest.mark.parametrize("alpha", [1.2, 2.0, 5.0])
def test_pareto_k_of_weights_in_steps(alpha, rng):
    """Statistics of integers make weights in steps; k-hat is that of the weights between them.

    0.05 is a third of the standard error of k-hat, (1 + k) / √(3√M) by Smith (1987).
    """
    log_weights = np.log1p(rng.pareto(alpha, 20_000))
    step = 1 / (4 * alpha)
    found = pareto_k(np.ceil(log_weights / step) * step)
    assert abs(found - pareto_k(log_weights)) < 0.05


def test_pareto_k_of_a_bounded_lattice_statistic(rng):
    """Weights bounded by the mixture of two binomials: no k-hat above 0, and none undefined."""
    t = np.concatenate([rng.binomial(1000, p, size=4000) for p in (0.48, 0.52)])
    slope = np.log(0.52 / 0.48)
    mixture = np.logaddexp(-slope * t, slope * (t - 1000.0))
    for theta in np.linspace(-slope, slope, 41):
        assert pareto_k(theta * t - mixture) < 0


def test_pareto_k_of_steps_that_almost_meet():
    """Weights within 1% of one another have no tail, wherever the steps lie.

    Levels and counts as of a 3 by 4 lattice near β = 0, where the weight rises and then falls.
    """
    levels = np.array([0.0, -0.00193, -0.00934, -0.00939, -0.04109, -0.5])
    assert pareto_k(np.repeat(levels, [144, 38, 316, 9, 640, 10_853])) < 0


def test_pareto_k_without_a_tail(rng):
    assert pareto_k(np.full(100, 3.0)) == -np.inf
    assert pareto_k(3 + 1e-13 * rng.normal(size=1000)) == -np.inf
    assert pareto_k(rng.integers(0, 3, size=5000)) == -np.inf
    # A tail of 12 among 60, all equal.
    assert pareto_k(np.repeat([0.0, -1.0], [20, 40])) == -np.inf
    # The largest weights in two steps that hardly differ, among many.
    steps = np.repeat([0.0, -0.02, -0.05, -3.0], [500, 1000, 40_000, 30_000])
    assert pareto_k(steps) == -np.inf


@pytest.mark.parametrize(
    "log_weights",
    [
        np.r_[np.zeros(99), np.nan],
        np.r_[np.zeros(99), np.inf],
        np.r_[np.zeros(4999), 800.0],
        np.full(100, -np.inf),
        np.arange(10.0),
    ],
    ids=["nan", "inf", "one dominates", "none", "few"],
)
def test_pareto_k_is_nan_where_it_says_nothing(log_weights):
    assert np.isnan(pareto_k(log_weights))


def test_where_a_tail_begins(rng):
    """30 points have one, the largest fifth; from 100 on it must span a factor e.

    ArviZ takes the largest 3 √M, which is 99 of 1111 and 100 of 1112.
    """
    log_weights = rng.exponential(size=30)
    assert np.isfinite(pareto_k(log_weights)) and np.isnan(pareto_k(log_weights[:29]))
    narrow = rng.uniform(0, 0.9, size=1112)
    assert np.isfinite(pareto_k(narrow[:1111])) and pareto_k(narrow) == -np.inf
    # Of evenly spaced weights the tail spans 99 steps.
    steps = rng.permutation(1112) / 99
    assert pareto_k(0.999 * steps) == -np.inf and np.isfinite(pareto_k(1.001 * steps))
    exactly = np.r_[np.linspace(0, 1, 100), rng.uniform(-3, -1, 1012)]
    assert np.isfinite(pareto_k(exactly))


def test_ties_are_spread_over_the_gap_below():
    """Two at 1 and three at 3, in the middles of halves and thirds; single ones stay."""
    found = _without_ties(np.array([3.0, 0, 3, 1, 4, 1, 3, -np.inf]))
    expected = [-np.inf, 0, 1 - 3 / 4, 1 - 1 / 4, 3 - 10 / 6, 3 - 1, 3 - 2 / 6, 4]
    np.testing.assert_allclose(np.sort(found), expected)
    found = _without_ties(np.array([0.0, 3, 1, 1]))
    np.testing.assert_allclose(np.sort(found), [0, 1 - 3 / 4, 1 - 1 / 4, 3])


def test_differences_that_are_rounding(rng):
    """1e-9 nats are, and a little more are not."""
    apart = rng.permutation(np.linspace(0, 1, 60))
    assert pareto_k(0.9e-9 * apart) == -np.inf
    assert pareto_k(1.1e-9 * apart) != -np.inf


def test_khat_threshold():
    np.testing.assert_allclose(khat_threshold(1000), 2 / 3)
    assert khat_threshold(10**6) == 0.7
    np.testing.assert_allclose(khat_threshold(2), 1 - np.log(10) / np.log(2))
    assert khat_threshold(1) == -np.inf
