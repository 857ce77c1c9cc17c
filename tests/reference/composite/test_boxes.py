"""The floor of panels: it fills the axes, and is fine where data are."""

import numpy as np
import pytest

from pymc_ebm.reference.composite.boxes import Boxes, floor

NONE = np.empty(0)


def volume(boxes):
    return (boxes.upper - boxes.lower).prod(axis=1).sum()


@pytest.mark.parametrize("n_dim", [1, 2])
def test_halves_fill_a_box(n_dim, rng):
    lower = rng.normal(size=(3, n_dim))
    boxes = Boxes(lower, lower + rng.random((3, n_dim)))
    parts = boxes.halved()
    assert len(parts.lower) == 3 * 2**n_dim
    np.testing.assert_allclose(volume(parts), volume(boxes))
    own = parts.lower.reshape(3, -1, n_dim)
    np.testing.assert_allclose(own.min(axis=1), boxes.lower)


def test_one_dimension(rng):
    data = np.arcsinh(rng.normal(size=(5000, 1)))
    boxes = floor(np.array([64.0]), data, NONE)
    np.testing.assert_allclose(volume(boxes), 128)
    at_data = (boxes.lower < data.max()) & (boxes.upper > data.min())
    width = boxes.widths[at_data[:, 0]]
    low, high = np.quantile(data, [0.01, 0.99])
    assert width.max() <= (high - low + 2) / 64
    assert boxes.widths.max() == 32  # far out they are wide


def test_breakpoints_are_ends_of_panels():
    boxes = floor(np.array([8.0]), np.zeros((3, 1)), np.array([0.3, -1.7, 9.0]))
    for place in (0.3, -1.7):
        beside = (boxes.lower == place) | (boxes.upper == place)
        assert beside.sum() == 2 and boxes.widths[beside[:, 0]].max() <= 0.05
    np.testing.assert_allclose(volume(boxes), 16)


@pytest.mark.parametrize("n_dim", [1, 2])
def test_no_panel_has_more_than_a_sixteenth_of_the_data(n_dim, rng):
    """Two clusters far apart are narrow in t; equal data cannot be parted."""
    centres = rng.choice([-1, 1], size=(400, 1)) + 1e-4 * rng.normal(size=(400, n_dim))
    data = np.concatenate([centres, np.full((100, n_dim), 0.5)])
    boxes = floor(np.full(n_dim, 8.0), data, NONE)
    inside = np.all(
        (data >= boxes.lower[:, None]) & (data < boxes.upper[:, None]), axis=2
    ).sum(axis=1)  # fmt: skip
    assert sorted(inside)[-2] <= 401 / 16 and inside.max() <= 100 + 401 / 16
    assert len(boxes.lower) < 400


def test_two_dimensions(rng):
    data = rng.normal(size=(500, 2))
    boxes = floor(np.full(2, 24.0), data, NONE)
    np.testing.assert_allclose(volume(boxes), 48**2)
    at_data = (
        ((boxes.lower[:, None] <= data) & (boxes.upper[:, None] > data)).all(axis=2).any(axis=1)
    )
    assert boxes.widths[at_data].max() <= 0.75
