"""Draws that are repeated or depend on one another: their errors, by what is known of them."""

import warnings

import numpy as np
import pytest
from scipy import signal, stats

import pymc_ebm as ebm
from pymc_ebm.reference.given_groups import given_groups
from pymc_ebm.weights.groups import group_variance

Q = stats.norm(0, 1.5)


def autoregressive(rng, phi, shape):
    """Stationary series along the last axis, with the law of Q; τ = (1 + φ)/(1 − φ)."""
    noise = 1.5 * np.sqrt(1 - phi**2) * rng.normal(size=(*shape[:-1], shape[-1] + 500))
    return signal.lfilter([1], [1, -phi], noise)[..., 500:]


def metropolis(rng, n):
    """A chain of Q with repeats."""
    x, found = 0.0, np.empty(n)
    for i, (step, u) in enumerate(zip(5 * rng.normal(size=n), rng.random(n), strict=True)):
        x = x + step if u < np.exp((x**2 - (x + step) ** 2) / (2 * 1.5**2)) else x
        found[i] = x
    return found


def quietly(draws, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ebm.reference.from_draws(draws, Q.logpdf, **kwargs)


def log_z(q):
    """Of exp(−x²/2), and its standard error by the groups."""
    weights = np.exp(q.log_weights - q.points**2 / 2)
    share = weights / weights.sum()
    return np.log(weights.sum()), np.sqrt(group_variance(share, q.groups))


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: autoregressive(rng, 0.9, (2000,)),
        lambda rng: metropolis(rng, 1500),
        lambda rng: np.tile(Q.rvs(100, random_state=rng), 16),
        lambda rng: rng.choice(Q.rvs(100, random_state=rng), 1600),
    ],
    ids=["autoregressive", "Metropolis", "tiled", "bootstrapped"],
)
def test_errors_are_the_spread_over_many_references(make, rng):
    """Of 60 references the spread has a standard error of 9%; batches leave out up to 15%."""
    found = np.array([log_z(quietly(make(rng))) for _ in range(60)])
    spread, reported = found[:, 0].std(ddof=1), np.sqrt(np.mean(found[:, 1] ** 2))
    assert abs(np.log(reported / spread)) < 0.4


def test_independent_draws_stay_their_own(rng):
    """By a chance of 1e-6 each; of any law, rounded or of whole numbers too."""
    draws = [
        rng.normal(size=(30, 400)),
        rng.standard_cauchy((30, 400)),
        np.round(rng.normal(size=(30, 400)), 2),
        rng.poisson(0.01, (30, 400)),
        rng.choice([-1.0, 1.0], (10, 400, 36)),
        rng.normal(size=(10, 400)).astype(np.float32),
    ]
    for some in draws:
        for y in some:
            found = given_groups(y, -(y.reshape(len(y), -1) ** 2).sum(axis=1))
            for numbers, wanted in zip(found, (np.arange(400), 1, np.arange(400)), strict=True):
                np.testing.assert_array_equal(numbers, wanted)


def test_chains_that_hardly_moved(rng):
    """τ is 2000 of 8000 draws. Of 40 errors few are beyond three of what is said.

    A quarter is, of Student's t with so few degrees of freedom; it is most of them with each draw
    taken for its own, of which the error is 40 times too small.
    """
    said = [quietly(y) for y in autoregressive(rng, 0.999, (40, 8000))]
    assert all(4 <= q.n_groups <= 20 for q in said)
    truth = np.log(np.sqrt(2 * np.pi))
    off = np.array([abs(log_z(q)[0] - truth) / log_z(q)[1] for q in said])
    assert (off > 3).mean() < 0.5


def test_what_is_found_is_told(rng):
    y = Q.rvs(2000, random_state=rng)
    with pytest.warns(UserWarning, match="500 of 2000 draws are distinct"):
        tiled = ebm.reference.from_draws(np.tile(y[:500], 4), Q.logpdf)
    once = ebm.reference.from_draws(y[:500], Q.logpdf)
    np.testing.assert_array_equal(tiled.points, once.points)
    np.testing.assert_allclose(tiled.log_weights, once.log_weights)
    assert tiled.n_groups == 500 and tiled.unused_draws == 0
    with pytest.warns(UserWarning, match="depend on those before, over about"):
        q = ebm.reference.from_draws(autoregressive(rng, 0.9, (2000,)), Q.logpdf)
    assert 20 <= q.n_groups < 40 and (np.diff(q.groups) >= 0).all()
    with pytest.warns(UserWarning, match="sorted, or of chains that have not mixed"):
        assert ebm.reference.from_draws(np.sort(y), Q.logpdf).n_groups == 2000
    given = ebm.reference.from_draws(np.sort(y), Q.logpdf, groups=np.arange(2000) // 2)
    assert given.n_groups == 1000


def test_a_slow_sum_of_many_coordinates(rng):
    """Spins that follow a slow field: each hardly depends on the one before."""
    field = autoregressive(rng, 0.95, (4000,)) / 1.5
    spins = np.where(rng.random((4000, 64)) < stats.norm.cdf(0.2 * field)[:, None], 1.0, -1.0)
    with pytest.warns(UserWarning, match="depend on those before"):
        groups = given_groups(spins, np.zeros(4000))[2]
    assert groups.max() + 1 < 50


def test_rows_of_draws(rng):
    """Samples of two events, one of them by a chain."""
    rows = [Q.rvs(1000, random_state=rng), autoregressive(rng, 0.9, (2000,))]
    with pytest.warns(UserWarning, match="depend on those before"):
        q = ebm.reference.from_draws(rows, [Q.logpdf(y) for y in rows])
    assert q.row(0).n_groups == 1000 and 20 <= q.row(1).n_groups < 40
