"""Statistics of a reference's points, all or the outermost, against NumPy."""

from dataclasses import replace

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymc_ebm as ebm
from pymc_ebm.diagnostics.hull import extremes
from pymc_ebm.diagnostics.hull.extremes import all_points, extreme_points, statistics_of
from pymc_ebm.reference import from_draws

SMALL = 1e-6


def split_of(energy, *params, points, signature=None):
    """The energy of an EBM, split into statistics and parameters."""
    reference = from_draws(points, np.zeros(len(points)))
    with pm.Model() as model:
        params = [pm.Normal(f"p{i}", shape=n) for i, n in enumerate(params)]
        ebm.EBM(
            "x",
            *params,
            energy=energy,
            reference=reference,
            observed=points[:5],
            signature=signature,
        )
    [(_, node)] = ebm.diagnostics.find_log_partitions(model)
    return node.op.split


@pytest.fixture(scope="module")
def normal():
    x = np.random.default_rng(0).normal(1, 2, size=3000)
    return from_draws(x, stats.norm.logpdf(x, 1, 2))


@pytest.fixture(scope="module")
def two():
    """Statistics x and 10⁻⁶ x²."""
    return split_of(
        lambda x, a, b: a * x + b * (SMALL * x**2), (), (), points=np.linspace(-1, 1, 30)
    )


def test_statistics_are_columns(rng):
    x = rng.normal(size=(40, 3))
    energy = lambda x, b, a: x @ b + a * (x**4).sum(-1)
    split = split_of(energy, 3, (), points=x, signature="(k),()")
    found = statistics_of(split, x)
    expected = np.column_stack([x, (x**4).sum(-1)])
    # In the order in which the energy uses them, which is not the matter here.
    np.testing.assert_allclose(np.sort(found), np.sort(expected), rtol=1e-12)


def test_points_without_weight_or_that_are_not_finite_are_left_out(normal):
    split = split_of(lambda x, b: b * np.sqrt(x), (), points=np.linspace(0.1, 3, 30))
    log_weights = np.where(np.abs(normal.points) < 2, normal.log_weights, -np.inf)
    with np.errstate(invalid="ignore"):
        found, n = all_points(split, replace(normal, log_weights=log_weights))
    kept = normal.points[(normal.points >= 0) & (normal.points < 2)]
    assert n == len(kept)
    np.testing.assert_allclose(found[:, 0], np.sqrt(kept))


def test_of_one_statistic_the_ends_of_each_block_are_kept(normal, monkeypatch):
    split = split_of(lambda x, b: b * x, (), points=np.linspace(-1, 1, 30))
    monkeypatch.setattr(extremes, "_BLOCK", 700)
    # The third block has no point with weight, and the fourth has one.
    log_weights = normal.log_weights.copy()
    log_weights[1400:2799] = -np.inf
    found, n = extreme_points(split, replace(normal, log_weights=log_weights))
    x = normal.points
    expected = [f(x[low:high]) for low, high in ((0, 700), (700, 1400), (2800, 3000)) for f in
                (np.min, np.max)]  # fmt: skip
    assert n == 1601
    np.testing.assert_array_equal(np.sort(found[:, 0]), np.sort([*expected, x[2799]]))


def test_no_point_with_weight(normal, two):
    found, n = extreme_points(two, replace(normal, log_weights=np.full(3000, -np.inf)))
    assert n == 0 and len(found) == 0


def test_outermost_points_span_most_of_the_hull(normal, two, monkeypatch, rng):
    """Though one statistic is 10⁶ times as large as the other; in random directions."""
    monkeypatch.setattr(extremes, "_BLOCK", 700)
    points = all_points(two, normal)[0]
    kept, n = extreme_points(two, normal)
    assert n == 3000 and 10 < len(kept) <= 5 * 2 * (2 + 64)  # per block and direction, two
    assert {tuple(row) for row in kept} <= {tuple(row) for row in points}
    # How far each reaches from the centre of all, in sds.
    z = (points - points.mean(axis=0)) / points.std(axis=0)
    ends = (kept - points.mean(axis=0)) / points.std(axis=0)
    directions = rng.normal(size=(2, 100))
    ratio = (ends @ directions).max(axis=0) / (z @ directions).max(axis=0)
    assert ratio.max() < 1 + 1e-9 and ratio.min() > 0.9


def test_a_constant_statistic_needs_no_scale(normal):
    """Its spread is zero, by which nothing is divided."""
    energy = lambda x, a, b: a * x + b * (0 * x + 3)
    split = split_of(energy, (), (), points=np.linspace(-1, 1, 30))
    kept, _ = extreme_points(split, normal)
    assert normal.points.min() in kept and normal.points.max() in kept
