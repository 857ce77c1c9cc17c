"""Shifts of posteriors whose change is known."""

import numpy as np
from scipy import stats

from pymc_ebm.diagnostics.second_estimate.compare import shift_of

Z = stats.norm.ppf((np.arange(1000) + 0.5) / 1000)
NONE = np.zeros((1, len(Z)))


def test_a_mean_moves_by_the_slope():
    for slope in (0.05, 0.5, 2.0):
        shift = shift_of(3 + 2 * Z[:, None], slope * Z, NONE)
        np.testing.assert_allclose(shift.mean, slope, rtol=0.05)
        np.testing.assert_allclose(shift.log_sd, 0, atol=0.03)


def test_an_sd_changes_by_the_curvature():
    for ratio in (0.8, 1.25):
        change = -(ratio**-2 - 1) * Z**2 / 2
        shift = shift_of(Z[:, None], change, NONE)
        np.testing.assert_allclose(np.exp(shift.log_sd), ratio, rtol=0.03)


def test_two_parameters_by_the_fit(rng):
    """A posterior that moves by three sds leaves no effective draws, and the fit still tells."""
    draws = rng.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=500)
    shift = shift_of(draws, draws @ [0.0, 4.0], np.zeros((1, 500)))
    assert shift.effective < 0.1
    np.testing.assert_allclose(shift.mean, [3.2, 4.0], rtol=0.15)


def test_noise_is_that_of_differences_between_draws():
    level = np.full((16, len(Z)), 3.0)
    assert shift_of(Z[:, None], 0 * Z, level, runs=16).noise_sd == 0
    slopes = np.linspace(-1, 1, 16)[:, None] * 0.01
    shift = shift_of(Z[:, None], 0 * Z, slopes * Z, runs=16)
    exact = np.sqrt((slopes**2).sum()) * stats.t(15).ppf(0.975) / stats.norm.ppf(0.975)
    np.testing.assert_allclose(shift.mean_se, exact, rtol=0.01)


def test_a_parameter_that_never_moves():
    draws = np.column_stack([Z, np.ones(len(Z))])
    shift = shift_of(draws, 0.1 * Z, NONE)
    assert shift.mean[1] == shift.log_sd[1] == 0


def test_a_parameter_that_never_moves_does_not_move():
    """The mean of equal values differs from them by rounding, so that their sd is not 0."""
    draws = np.full((40, 2), 0.1)
    assert (draws.std(axis=0) > 0).all()
    found = shift_of(draws, np.linspace(0, 1, 40), np.zeros((1, 40)))
    assert not found.mean.any() and not found.log_sd.any()
