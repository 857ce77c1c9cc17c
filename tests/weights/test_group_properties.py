"""What must hold of any groups of points."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pymc_ebm.weights.groups import group_covariance, group_sums, group_variance

few = settings(derandomize=True, deadline=None, database=None, max_examples=40)

finite = st.floats(-30, 30)


@st.composite
def influences(draw):
    """Influences of several results, groups that all have points, and unused draws."""
    n_groups = draw(st.integers(2, 6))
    more = draw(st.lists(st.integers(0, n_groups - 1), min_size=1, max_size=15))
    groups = np.array(draw(st.permutations([*range(n_groups), *more])))
    shape = (draw(st.integers(1, 3)), len(groups))
    return draw(arrays(float, shape, elements=finite)), groups, draw(st.integers(0, 5))


@few
@given(influences(), st.randoms())
def test_variance_of_groups(made, random):
    """By NumPy's ``var`` over the groups, G² times that of a mean of G; labels mean nothing."""
    influence, groups, unused = made
    n_groups = int(groups.max()) + 1
    sums = np.array([influence[:, groups == g].sum(axis=1) for g in range(n_groups)]).T
    padded = np.column_stack([sums, np.zeros((len(sums), unused))])
    expected = padded.shape[1] * padded.var(axis=1, ddof=1)
    found = group_variance(influence, groups, unused)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(group_sums(influence, groups), sums, atol=1e-12)
    labels = np.array(random.sample(range(n_groups), n_groups))
    np.testing.assert_allclose(group_variance(influence, labels[groups], unused), found, atol=1e-9)
    covariance = group_covariance(influence, groups, unused)
    by_numpy = padded.shape[1] * np.atleast_2d(np.cov(padded))
    np.testing.assert_allclose(covariance, by_numpy, rtol=1e-9, atol=1e-9)


@few
@given(influences())
def test_groups_that_are_merged_are_groups(made):
    """Sums of groups put together in twos are the sums of twos."""
    influence, groups, _ = made
    pairs = group_sums(influence, groups // 2)
    singles = group_sums(influence, groups)
    ends = np.arange(0, singles.shape[1], 2)
    np.testing.assert_allclose(np.add.reduceat(singles, ends, axis=1), pairs, atol=1e-10)
