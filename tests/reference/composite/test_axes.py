"""Coordinates: there and back, slopes, ends, and data on a bound."""

import numpy as np
import pytest
from scipy import integrate

from pymc_ebm.reference.composite.axes import Axes

REAL, HALF, BOX = (-np.inf, np.inf), (2.0, np.inf), (-1.0, 3.0)


def axes_of(data, *bounds):
    lower, upper = np.array(bounds).T
    return Axes(data, lower, upper)


@pytest.mark.parametrize("bounds", [(REAL,), (HALF,), (BOX,), (REAL, REAL), (HALF, BOX)])
def test_there_and_back(bounds, rng):
    data = 2 + rng.random((50, len(bounds)))
    axes = axes_of(data, *bounds)
    t = axes.coordinates(data)
    placed = axes.place(t)
    np.testing.assert_allclose(placed.points, data, rtol=1e-12)
    # The slope is the determinant of central differences.
    steps = 1e-5 * np.eye(len(bounds))
    columns = [(axes.place(t + s).points - axes.place(t - s).points) / 2e-5 for s in steps]
    expected = np.log(np.abs(np.linalg.det(np.stack(columns, axis=2))))
    np.testing.assert_allclose(placed.log_slopes, expected, atol=1e-7)


def test_a_correlated_pair_is_round(rng):
    """Half of them lie within a quarter of the interquartile range of each other's axis."""
    data = rng.multivariate_normal([3, -1], [[4, 1.9], [1.9, 1]], 20_000) * [1, 100]
    t = axes_of(data, REAL, REAL).coordinates(data)
    assert abs(np.corrcoef(np.sinh(t).T)[0, 1]) < 0.1
    np.testing.assert_allclose(np.sinh(t).std(axis=0), 1, rtol=0.1)


def test_uncorrelated_coordinates_keep_their_axes(rng):
    data = rng.normal(size=(100_000, 2))
    t = axes_of(data, REAL, REAL).coordinates(data)
    np.testing.assert_allclose(np.sinh(t), data, atol=0.1)


def test_what_rounds_onto_a_bound_has_no_slope(rng):
    """1 − 10⁻²⁰ is 1: such a point has no weight, and the others lie inside."""
    axes = axes_of(rng.random((50, 1)), (0.0, 1.0))
    t = np.linspace(-axes.end[0], axes.end[0], 2001)[:, None]
    points, log_slopes = axes.place(t)
    assert ((points > 0) & (points < 1)).all()
    assert np.isneginf(log_slopes[-1]) and points[~np.isneginf(log_slopes)].max() > 1 - 1e-15
    # Most of the axis serves the bound at 0, which numbers come nearer to.
    assert points.min() < 1e-300


def test_the_whole_line_is_reached(rng):
    """A Student t of half a degree of freedom has 10⁻¹³ of its mass beyond the end."""
    axes = axes_of(rng.normal(size=(50, 1)), REAL)
    assert axes.place(np.array([[axes.end[0]]])).points[0, 0] > 1e26
    placed = lambda t: axes.place(np.array([[t]]))
    mass = lambda t: np.exp(
        placed(t).log_slopes[0] - 0.75 * np.log1p(placed(t).points[0, 0] ** 2)
    )  # fmt: skip
    outer = integrate.quad(mass, axes.end[0] - 5, axes.end[0])[0]
    assert outer < 1e-11


def test_data_without_spread():
    axes = axes_of(np.full((5, 1), 7.0), REAL)
    np.testing.assert_allclose(axes.place(np.zeros((1, 1))).points, 7.0)
    axes = axes_of(np.full((5, 2), 2.5), HALF, BOX)
    assert np.isfinite(axes.place(np.zeros((1, 2))).log_slopes).all()
