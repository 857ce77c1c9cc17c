"""Properties of the bridge weights of several chains, and their response to the points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from pymc_ebm.reference.chains import mbar

few = settings(derandomize=True, deadline=None, database=None, max_examples=15)
shifts = st.floats(-50, 50)


def gaussians(seed, counts, scales):
    """Energies ``(M, K)`` of points of Gaussians of scales s, whose log Z is log s + const."""
    rng = np.random.default_rng(seed)
    y = np.concatenate([s * rng.normal(size=n) for n, s in zip(counts, scales, strict=True)])
    return y[:, None] ** 2 / (2 * np.asarray(scales) ** 2)


SCALES = (1.0, 1.4, 2.0)
seeds = st.integers(0, 2**31)
sizes = st.tuples(*[st.integers(20, 60)] * 3).map(np.array)


@few
@given(seeds, sizes, shifts, shifts, st.sampled_from([0, 1, 2]))
def test_constants_in_the_energies(seed, counts, first, second, known):
    """E_k + c_k moves log Z_k by −c_k; a given log Z moves all of them, and stays as it is."""
    energies = gaussians(seed, counts, SCALES)
    given = np.where(np.arange(3) == known, 0.7, np.nan)
    f = mbar.solve(energies, counts, given)
    assert f[known] == pytest.approx(0.7, abs=1e-12)
    shift = np.array([first, second, 0.0])
    moved = mbar.solve(energies + shift, counts, given - shift)
    np.testing.assert_allclose(moved, f - shift, atol=1e-6)
    np.testing.assert_allclose(mbar.solve(energies, counts, given + first), f + first, atol=1e-6)
    # Each log Z is that of the pooled points.
    base = -mbar.log_mixture(f, energies, counts)
    own = logsumexp(base[:, None] - energies, axis=0)
    np.testing.assert_allclose(own - own[known] + 0.7, f, atol=1e-6)


@few
@given(seeds, sizes, st.permutations([0, 1, 2]))
def test_order_of_the_anchors(seed, counts, order):
    energies = gaussians(seed, counts, SCALES)
    anchor = np.repeat(np.arange(3), counts)
    f = mbar.solve(energies, counts, np.array([0.0, np.nan, np.nan]))
    order = np.array(order)
    points = np.concatenate([np.flatnonzero(anchor == k) for k in order])
    given = np.where(order == 0, 0.0, np.nan)
    found = mbar.solve(energies[points][:, order], counts[order], given)
    np.testing.assert_allclose(found, f[order], atol=1e-6)


@few
@given(seeds, sizes)
def test_memberships_are_shares(seed, counts):
    """p sums to 1 by point and, at the solution, to n_k by anchor: equal anchors share equally."""
    energies = gaussians(seed, counts, (1.0, 1.0, 1.5))
    f = mbar.solve(energies, counts, np.array([0.0, np.nan, np.nan]))
    assert f[1] == pytest.approx(0, abs=1e-6)
    p = mbar.probabilities(f, energies, counts)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(p.sum(axis=0), counts, rtol=1e-6)
    np.testing.assert_allclose(p[:, 0] * counts[1], p[:, 1] * counts[0], rtol=1e-6)
    terms = counts * np.exp(-energies - f)
    np.testing.assert_allclose(p, terms / terms.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(
        mbar.log_mixture(f, energies, counts), np.log(terms.sum(axis=1)), atol=1e-12
    )


@pytest.mark.parametrize("known", [0, 1, 2])
@pytest.mark.parametrize(
    "away", [(0.0, 500.0, -800.0), (3000.0, -3000.0, 0.0), (0.0, 2.0, -3.0), (0.0, 6.0, 6.0)]
)
@pytest.mark.parametrize("level", [0.7, -10.0])
def test_guesses_that_are_far_off(known, away, level, seed, monkeypatch):
    """Where an anchor begins without points, or Newton's step is too long: a few steps suffice."""
    monkeypatch.setattr(mbar, "_MOST_STEPS", 20)
    counts, shift = np.array([25, 40, 30]), np.array([30.0, -20.0, 70.0])
    energies = gaussians(seed, counts, SCALES)
    given = np.where(np.arange(3) == known, level, np.nan)
    expected = mbar.solve(energies, counts, given) - shift
    found = mbar.solve(energies + shift, counts, given - shift, np.array(away) - shift)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def weighted_log_z(omega, energies, target, counts, given, f):
    """log Z of another energy where points count ω times, by iterating the definition from f."""
    anchor = np.repeat(np.arange(len(counts)), counts)
    n = np.bincount(anchor, weights=omega)
    for _ in range(300):
        mixture = logsumexp(np.log(n) - energies - f, axis=1)
        own = logsumexp(np.log(omega)[:, None] - energies - mixture[:, None], axis=0)
        f = np.where(np.isnan(given), own, given)
    return logsumexp(np.log(omega) - target - mixture)


@pytest.mark.parametrize("known", [[0], [0, 2]])
def test_response_against_finite_differences(known, seed):
    """Influences of the points on log Z elsewhere, which has moved with f and n."""
    counts = np.array([12, 9, 14])
    energies = gaussians(seed, counts, SCALES)
    target = energies[:, 0] / 1.3
    given = np.full(3, np.nan)
    given[known] = np.log(np.array(SCALES)[known])
    f = mbar.solve(energies, counts, given)
    weights = np.exp(-target - mbar.log_mixture(f, energies, counts))
    weights /= weights.sum()
    p = mbar.probabilities(f, energies, counts)
    influence = weights + mbar.response(p, counts, given) @ (p.T @ weights)
    for m in (0, 5, 15, 30):
        ends = []
        for step in (1e-5, -1e-5):
            omega = np.ones(counts.sum())
            omega[m] = np.exp(step)
            ends.append(weighted_log_z(omega, energies, target, counts, given, f))
        np.testing.assert_allclose(influence[m], (ends[0] - ends[1]) / 2e-5, rtol=1e-4, atol=1e-8)


def test_the_first_guess_is_thermodynamic_integration():
    """E_k = k t with means of t of 2, 1 and −3: log Z has the slope −t, by the trapezoidal rule."""
    t = np.array([1.0, 3, 0, 1, 2, -4, -2])
    energies = t[:, None] * np.arange(3)
    np.testing.assert_allclose(mbar._trapezoid(energies, np.array([2, 3, 2])), [0, -1.5, -0.5])


def test_anchors_that_do_not_overlap_are_told():
    """By hand: 0 and 1 share 5%, 2 shares 2% with either and together 4%, 3 shares nothing."""
    overlap = np.array(
        [[0.93, 0.05, 0.02, 0], [0.05, 0.93, 0.02, 0], [0.02, 0.02, 0.96, 0], [0, 0, 0, 1.0]]
    )
    unknown = [np.nan] * 3
    np.testing.assert_array_equal(mbar.untied(overlap, np.array([0.0, *unknown])), [3])
    overlap[:2, 2] = overlap[2, :2] = 0.014
    np.testing.assert_array_equal(mbar.untied(overlap, np.array([0.0, *unknown])), [2, 3])
    # Two pairs, of which each anchor shares 2% with the other pair, or 1%.
    for share, apart in ((0.02, []), (0.01, [2, 3])):
        pairs = np.full((4, 4), share)
        pairs[:2, :2] = pairs[2:, 2:] = 0.4
        np.testing.assert_array_equal(mbar.untied(pairs, np.array([0.0, *unknown])), apart)
    # Those whose log Z is known are tied by that.
    np.testing.assert_array_equal(mbar.untied(overlap, np.array([0, np.nan, 1, 1])), [])
    np.testing.assert_array_equal(mbar.untied(overlap, np.array([0, np.nan, np.nan, 1])), [2])


def test_steps_without_an_end_are_told(monkeypatch, seed):
    """200 of them, or as many as there may be."""
    energies = gaussians(seed, [30, 30, 30], SCALES)
    solve = lambda: mbar.solve(energies, np.full(3, 30), np.array([0.0, np.nan, np.nan]))
    with monkeypatch.context() as patch, pytest.raises(ValueError, match="found in 200 steps"):
        patch.setattr(mbar, "_dual", lambda f, energies, counts: (0.0, 0 * energies))
        solve()
    monkeypatch.setattr(mbar, "_MOST_STEPS", 1)
    with pytest.raises(ValueError, match="3 anchors were not found in 1 steps"):
        solve()
