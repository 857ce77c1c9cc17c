"""What must hold of any weights."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pymc_ebm.weights.groups import group_variance
from pymc_ebm.weights.normalised import ess, normalise

few = settings(derandomize=True, deadline=None, database=None, max_examples=40)

finite = st.floats(-30, 30)

some_without_weight = st.one_of(finite, st.just(-np.inf))

shifts = st.floats(-1e4, 1e4)


def log_weights(elements=finite, most=30):
    return arrays(float, st.integers(1, most), elements=elements)


def rows(elements=finite):
    return arrays(float, st.tuples(st.integers(1, 3), st.integers(2, 30)), elements=elements)


@few
@given(rows(some_without_weight), shifts, st.randoms())
def test_a_constant_and_the_order_of_points(logs, c, random):
    log_z, weights = normalise(logs)
    moved_z, moved = normalise(logs + c)
    np.testing.assert_allclose(moved_z, log_z + c, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(moved, weights, rtol=1e-7, atol=1e-12)
    order = random.sample(range(logs.shape[1]), logs.shape[1])
    np.testing.assert_allclose(normalise(logs[:, order])[0], log_z, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(normalise(logs[:, order])[1], weights[:, order], atol=1e-15)


@few
@given(log_weights(), st.randoms())
def test_effective_points_are_one_to_m(logs, random):
    """M for equal weights, 1 for one alone, the same in any order, twice as many if all are split.

    A split point is two with half the weight; as one group they vary as the one did.
    """
    log_z, weights = normalise(logs)
    size = ess(weights)
    assert 1 - 1e-9 <= size <= logs.size * (1 + 1e-9)
    np.testing.assert_allclose(ess(weights[random.sample(range(logs.size), logs.size)]), size)
    np.testing.assert_allclose(ess(np.full(logs.size, 1 / logs.size)), logs.size)
    np.testing.assert_allclose(ess(np.eye(logs.size)), 1)
    split_z, split = normalise(np.repeat(logs - np.log(2), 2))
    np.testing.assert_allclose(split_z, log_z, atol=1e-12)
    np.testing.assert_allclose(ess(split), 2 * size)
    one = np.arange(logs.size)
    np.testing.assert_allclose(
        group_variance(split, np.repeat(one, 2)), group_variance(weights, one)
    )
