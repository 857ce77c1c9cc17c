"""Bisection: it ends where the errors are within their tolerances, and knows these."""

import numpy as np
import pytest
from scipy import stats

from pymc_ebm.reference.composite.axes import Axes
from pymc_ebm.reference.composite.bisect import Masses, Panels
from pymc_ebm.reference.composite.boxes import Boxes
from pymc_ebm.reference.composite.rule import gauss_kronrod

WIDTHS = [0.01, 0.3, 1.0]


MOST = 10_000


def one_box(n_dim):
    rng = np.random.default_rng(1)
    bound = np.full(n_dim, np.inf)
    axes = Axes(rng.normal(size=(200, n_dim)), -bound, bound)
    rule = gauss_kronrod(7 if n_dim == 1 else 3, n_dim)
    # Not symmetric around the model, of which symmetry would hide the error.
    return Panels(axes, rule, Boxes(np.full((1, n_dim), -6.1), np.full((1, n_dim), 5.9)))


def gaussians(points):
    return np.array([-stats.norm(0.2, w).logpdf(points).sum(axis=1) for w in WIDTHS])


@pytest.mark.parametrize(("n_dim", "tolerance"), [(1, 1e-9), (2, 1e-5)])
def test_it_finds_the_mass_within_its_error(n_dim, tolerance):
    panels = one_box(n_dim)
    masses = panels.bisect(gaussians, np.full(3, tolerance), MOST)
    error = masses.shares()[1].sum(axis=0)
    assert (error <= tolerance).all()
    log_z = np.logaddexp.reduce(masses.log_mass, axis=0)
    np.testing.assert_allclose(log_z, 0, atol=tolerance)
    assert panels.n_nodes == len(panels.boxes.lower) * len(panels.rule.weights)


def test_a_loose_tolerance_takes_fewer_nodes():
    found = []
    for tolerances in ([1e-9, 1e-9, 1e-9], [1e-2, 1e-9, 1e-9], [1e-2, 1e-2, 1e-2]):
        panels = one_box(1)
        panels.bisect(gaussians, np.array(tolerances), MOST)
        found.append(panels.n_nodes)
    assert found == sorted(found, reverse=True) and found[0] > 1.5 * found[2]


@pytest.mark.parametrize("n_dim", [1, 2])
def test_it_stops_at_the_most_nodes(n_dim):
    panels = one_box(n_dim)
    masses = panels.bisect(gaussians, np.full(3, 1e-12), 500)
    assert panels.n_nodes <= 500
    assert masses.shares()[1].sum(axis=0).max() > 1e-12
    assert len(masses.log_mass) == len(panels.boxes.lower)


def test_an_anchor_without_mass_asks_for_nothing():
    panels = one_box(1)
    masses = panels.bisect(lambda x: np.full((1, len(x)), np.inf), np.array([1e-9]), MOST)
    assert len(panels.boxes.lower) == 1 and masses.shares()[1].sum() == 0


def test_calibration_by_hand():
    """4 × error/change, at most 1, and 1 where the change is nothing."""
    with np.errstate(divide="ignore"):
        logs = [np.log(np.array(m)) for m in ([[1, 0.5]] * 3, [[1e-5, 1e-6], [0.1, 0], [0, 0]],
                                              [[1e-3, 1e-3], [0.1, 0], [1e-14, 0]])]  # fmt: skip
    share = Masses(*logs).calibration(2, margin=4.0)
    # The shares of Z, 3 and 1.5, are 1/3 at most and 2/3 at most.
    np.testing.assert_allclose(share, [4 * 1e-5 / 2e-3, 1.0, 1.0])


def test_calibration_by_the_anchors_that_are_near():
    """What is resolved there is not told by one that is not; a far one tells where they do not."""
    with np.errstate(divide="ignore"):
        logs = [np.log(np.array(m)) for m in ([[1, 1]] * 2, [[1e-6, 1e-2], [0, 1e-3]],
                                              [[1e-3, 1e-1], [0, 1e-1]])]  # fmt: skip
    near, every = (Masses(*logs).calibration(n, margin=4.0) for n in (1, 2))
    np.testing.assert_allclose(near, [4e-3, 4e-2])
    np.testing.assert_allclose(every, [0.4, 4e-2])
