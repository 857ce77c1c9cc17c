"""Running sums by group against the formulas, written out."""

import numpy as np
import pytest

from pymc_ebm.weights.group_sums import GroupSpread, GroupSums
from pymc_ebm.weights.groups import group_variance

BLOCKS = (slice(0, 13), slice(13, 14), slice(14, 60))


def filled(sums, influence):
    for points in BLOCKS:
        sums.add(points, influence[..., points])
    return sums


def variance(sums, unused):
    """G/(G − 1) Σ (Φ − Φ̄)², unused draws being groups with Φ = 0."""
    padded = np.concatenate([sums, np.zeros((*sums.shape[:-1], unused))], axis=-1)
    return padded.shape[-1] * padded.var(axis=-1, ddof=1)


@pytest.mark.parametrize("unused", [0, 25])
@pytest.mark.parametrize("size", [1, 3])
def test_sums_that_come_in_blocks(rng, size, unused):
    groups = np.repeat(np.arange(60 // size), size)
    influence = rng.normal(size=(2, 3, 60))
    sums = filled(GroupSums(groups, unused, results=(2, 3)), influence)
    by_group = influence.reshape(2, 3, -1, size).sum(-1)
    np.testing.assert_allclose(sums.sums, by_group, atol=1e-12)
    np.testing.assert_allclose(sums.variance(), variance(by_group, unused))
    np.testing.assert_allclose(sums.variance(), group_variance(influence, groups, unused))
    one = filled(GroupSpread(groups, influence[0, 0].sum(), unused), influence[0, 0])
    np.testing.assert_allclose(one.variance, sums.variance()[0, 0])
    sums.clear()
    assert not sums.sums.any()


def test_neighbours_are_merged_and_unused_draws_in_proportion(rng):
    influence = rng.normal(size=60)
    sums = filled(GroupSums(np.arange(60), 30, most=20), influence)
    assert sums.n_groups == 20 and sums.unused == 10
    by_group = influence.reshape(20, 3).sum(-1)
    np.testing.assert_allclose(sums.sums, by_group)
    np.testing.assert_allclose(sums.variance(), variance(by_group, 10))


def test_order_of_groups_does_not_matter(rng):
    """Groups whose points are scattered, as those of a regression's rows."""
    groups = rng.permutation(np.repeat(np.arange(12), 5))
    influence = rng.normal(size=60)
    sums = filled(GroupSums(groups), influence)
    np.testing.assert_allclose(sums.variance(), group_variance(influence, groups))
    one = filled(GroupSpread(groups, influence.sum()), influence)
    np.testing.assert_allclose(one.variance, group_variance(influence, groups))


def test_the_spread_of_one_group_is_unknown():
    sums = GroupSums(np.zeros(5, dtype=int))
    sums.add(slice(0, 5), np.ones(5))
    assert np.isnan(sums.variance())
