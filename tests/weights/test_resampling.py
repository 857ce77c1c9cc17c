"""Systematic resampling: each particle goes on about as often as its share of the weight says."""

import numpy as np

from pymc_ebm.weights.resampling import resampled


def test_particles_go_on_by_their_weights(rng):
    """n times the share of a particle, rounded down or up; the mean is a sum of three numbers."""
    weights = rng.exponential(size=(3, 50))
    log_means, index = resampled(np.log(weights), rng)
    np.testing.assert_allclose(log_means, np.log(weights.mean(axis=1)))
    often = np.bincount(index, minlength=150).reshape(3, 50)
    expected = 50 * weights / weights.sum(axis=1, keepdims=True)
    assert (np.abs(often - expected) < 1 + 1e-9).all()
    assert (often.sum(axis=1) == 50).all()


def test_a_run_without_weight_stays(rng):
    log_means, index = resampled(np.array([[-np.inf] * 4, [-np.inf, 0.0, -np.inf, -np.inf]]), rng)
    np.testing.assert_array_equal(log_means, [-np.inf, -np.log(4)])
    np.testing.assert_array_equal(index, [0, 1, 2, 3, 5, 5, 5, 5])
