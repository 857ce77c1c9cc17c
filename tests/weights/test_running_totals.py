"""Sums over blocks of points against those over all points."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.groups import group_variance
from pymc_ebm.weights.normalised import ess, normalise
from pymc_ebm.weights.pareto_tails import TopLogWeights, pareto_k
from pymc_ebm.weights.running_totals import RunningTotals

few = settings(derandomize=True, deadline=None, database=None, max_examples=40)

finite = st.floats(-30, 30)

some_without_weight = st.one_of(finite, st.just(-np.inf))

shifts = st.floats(-1e4, 1e4)


def rows(elements=finite):
    return arrays(float, st.tuples(st.integers(1, 3), st.integers(2, 30)), elements=elements)


@st.composite
def influences(draw):
    """Influences of several results, groups that all have points, and unused draws."""
    n_groups = draw(st.integers(2, 6))
    more = draw(st.lists(st.integers(0, n_groups - 1), min_size=1, max_size=15))
    groups = np.array(draw(st.permutations([*range(n_groups), *more])))
    shape = (draw(st.integers(1, 3)), len(groups))
    return draw(arrays(float, shape, elements=finite)), groups, draw(st.integers(0, 5))


def pieces(n_points, cuts):
    ends = sorted({0, n_points, *(c % n_points for c in cuts)})
    return [slice(*ends[i : i + 2]) for i in range(len(ends) - 1)]


cuts = st.lists(st.integers(0, 1000), max_size=4)


@few
@given(rows(some_without_weight), cuts)
def test_totals_of_blocks_are_those_of_all_points(logs, at):
    totals = RunningTotals(len(logs))
    for piece in pieces(logs.shape[1], at):
        totals.add(logs[:, piece])
    log_z, weights = normalise(logs)
    np.testing.assert_allclose(totals.log_z, log_z, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(totals.ess, ess(weights), rtol=1e-9)
    np.testing.assert_allclose(totals.weights(logs), weights, rtol=1e-9, atol=1e-300)


@few
@given(influences(), cuts, st.booleans())
def test_spread_of_blocks_is_that_of_all_points(made, at, own_groups):
    influence, groups, unused = made
    n_points = len(groups)
    groups = np.arange(n_points) if own_groups else groups
    reference = Reference(
        np.arange(float(n_points)), np.zeros(n_points), groups, exact=True, unused_draws=unused
    )
    spread = reference.group_spread(influence[0].sum())
    for piece in pieces(n_points, at):
        spread.add(piece, influence[0, piece])
    expected = group_variance(influence[0], groups, unused)
    np.testing.assert_allclose(spread.variance, expected, rtol=1e-9, atol=1e-9)


@few
@given(st.floats(0.05, 1.5), st.integers(25, 2000), cuts, shifts, st.integers(0, 2**31))
@example(0.7, 324, [100], 1.0, 1)  # as many points as are kept
@example(0.7, 399, [100], 1.0, 1)  # with one point more the tail is larger
def test_tail_of_blocks_is_that_of_all_points(k, n_points, at, c, seed):
    """And does not see a constant."""
    logs = k * np.random.default_rng(seed).exponential(size=n_points)
    top = TopLogWeights(n_points)
    for piece in pieces(n_points, at):
        top.add(logs[piece] + c)
    expected = pareto_k(logs)
    np.testing.assert_allclose(top.pareto_k(), expected, rtol=1e-5)
    np.testing.assert_allclose(pareto_k(logs + c), expected, rtol=1e-5)


def test_blocks_of_weights_that_are_equal_but_for_rounding(rng):
    """Of 500 points the tail has 67, too few for the rule about a factor e."""
    top = TopLogWeights(500)
    for block in np.array_split(3 + 1e-13 * rng.normal(size=500), 4):
        top.add(block)
    assert top.pareto_k() == -np.inf


def test_blocks_of_a_few_weights_above_equal_ones(rng):
    """By 1e-9 nats, which is rounding, or by nats, which no equal weights hide."""
    top = TopLogWeights(500)
    for block in np.split(np.r_[np.zeros(499), 1e-9], 2):
        top.add(block)
    assert top.pareto_k() == -np.inf
    logs, top = np.r_[np.zeros(1990), 3 + rng.exponential(size=10)], TopLogWeights(2000)
    for block in np.split(logs, 4):
        top.add(block)
    np.testing.assert_allclose(top.pareto_k(), pareto_k(logs), rtol=1e-9)
    assert top.pareto_k() != -np.inf


def test_blocks_of_weights_with_and_without_a_range():
    """Of 1112 evenly spaced weights the largest 100 span 99 steps, a factor e or not."""
    for factor in (0.999, 1.001):
        logs, top = factor * np.arange(1112) / 99, TopLogWeights(1112)
        for block in np.array_split(logs, 3):
            top.add(block)
        np.testing.assert_allclose(top.pareto_k(), pareto_k(logs), rtol=1e-9)
        assert np.isfinite(top.pareto_k()) == (factor > 1)
