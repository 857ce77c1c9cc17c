"""Shifts of posteriors whose change is known."""

import numpy as np
import pytest
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


def test_a_small_change_reweights_the_draws():
    """At 60% effective draws their weights tell, in whatever unit the parameter is."""
    z = Z / Z.std()
    change = 0.7 * z + 0.2 * np.sin(9 * z)
    weights = np.exp(change) / np.exp(change).sum()
    shift = shift_of(1e-3 * Z[:, None], change, NONE)
    np.testing.assert_allclose(shift.effective, 1 / (weights**2).sum() / len(Z))
    assert 0.5 < shift.effective < 0.7
    np.testing.assert_allclose(shift.mean, weights @ z)
    variance = weights @ (z - weights @ z) ** 2
    np.testing.assert_allclose(shift.log_sd, np.log(variance) / 2)


def exact(draws, change):
    """Means in sds and logs of sds, by the draws' own moments and a change that is quadratic."""
    z = (draws - draws.mean(axis=0)) / draws.std(axis=0)
    slope, curved = change
    after = np.linalg.inv(np.linalg.inv(np.cov(z.T, bias=True).reshape(curved.shape)) - curved)
    values = z @ slope + np.einsum("si,ij,sj->s", z, curved, z) / 2
    return values, after @ slope, np.log(np.diag(after)) / 2


@pytest.mark.parametrize(
    ("slope", "curved"),
    [([-8.0], [[-15.0]]), ([3.0], [[0.5]]), ([9.0, -4.0], [[-20.0, 6.0], [6.0, -12.0]])],
)
@pytest.mark.parametrize("more", [0, 100])
def test_a_normal_posterior_moves_by_a_quadratic_change(slope, curved, more, rng):
    """(Σ⁻¹ − A)⁻¹ and what it makes of b, from as few draws as tell all of A on."""
    n = len(slope)
    root = [[1.0, 0.0], [0.8, 0.6]]
    draws = rng.normal(size=(3 * (1 + n + n * (n + 1) // 2) + more, 2)) @ np.transpose(root)
    draws = draws[:, :n]
    change, mean, log_sd = exact(draws, (np.array(slope), np.array(curved)))
    shift = shift_of(draws, change, np.zeros((1, len(draws))))
    assert shift.effective < 0.5
    np.testing.assert_allclose(shift.mean, mean, rtol=1e-6)
    np.testing.assert_allclose(shift.log_sd, log_sd, atol=1e-6)


@pytest.mark.parametrize(("draws", "curved"), [(17, [-4.0, -12.0]), (300, [4.0, -12.0])])
def test_covariances_tell_where_a_fit_does_not(draws, curved, rng):
    """Of too few draws, and of a curvature that leaves no normal posterior."""
    z = rng.normal(size=(draws, 2))
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    change = z @ [9.0, 3.0] + z**2 @ curved / 2
    shift = shift_of(z, change, np.zeros((1, draws)))
    assert shift.effective < 0.5
    np.testing.assert_allclose(shift.mean, [np.mean(z[:, i] * change) for i in range(2)])
    second = [np.mean((z[:, i] ** 2 - 1) * change) for i in range(2)]
    np.testing.assert_allclose(shift.log_sd, np.array(second) / 2)
    # Weights that no number holds move an sd by 350 nats at most.
    far = shift_of(z, 1e4 * (z**2 @ [1.0, 0.0]), np.zeros((1, draws)))
    assert far.log_sd[0] == 350
    near = shift_of(z[:17], 1e5 * (z[:17] ** 2 @ [-1.0, 1.0]), np.zeros((1, 17)))
    assert near.log_sd.tolist() == [-350, 350]


@pytest.mark.parametrize("runs", [None, 2, 16])
def test_errors_of_means_and_sds(runs):
    """Linear noise moves the mean, quadratic noise the sd, by half its share of z² − 1."""
    wider = 1.0 if runs is None else stats.t(runs - 1).ppf(0.975) / stats.norm.ppf(0.975)
    given = {} if runs is None else {"runs": runs}
    z = Z / Z.std()
    parts = np.linspace(-1, 2, 16)[:, None] * 0.01
    size = np.sqrt((parts**2).sum())
    linear = shift_of(Z[:, None], 0 * Z, parts * z, **given)
    np.testing.assert_allclose(linear.mean_se, wider * size)
    np.testing.assert_allclose(linear.noise_sd, size)
    quadratic = shift_of(Z[:, None], 0 * Z, parts * z**2, **given)
    of_square = np.mean((z**2 - 1) ** 2)
    np.testing.assert_allclose(quadratic.log_sd_se, wider * size * of_square / 2)
    np.testing.assert_allclose(quadratic.noise_sd, size * np.sqrt(of_square))
