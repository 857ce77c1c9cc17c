"""Annealing with a space's own moves, against counted states and closed forms."""

import itertools

import numba
import numpy as np
import pytest

from pymc_ebm.diagnostics.second_estimate.moves import by_moves
from pymc_ebm.diagnostics.second_estimate.question import CannotTell, Question
from pymc_ebm.space.sites import Sites
from pymc_ebm.space.states import States
from pymc_ebm.space.whole_numbers import WholeNumbers

N_SITES = 8


def squared(x, b):
    """A sum of pairs squared, with terms of four sites."""
    return -b * ((2 * x[:, 1:] - 1) * (2 * x[:, :-1] - 1)).sum(axis=1) ** 2


@numba.njit
def squared_change(x, site, value, b):
    s = 2.0 * x - 1
    before = (s[1:] * s[:-1]).sum()  # s is a copy
    s[site] = 2 * value - 1
    return -b * ((s[1:] * s[:-1]).sum() ** 2 - before**2)


def question(energy, rows, data, **changed):
    rows = np.asarray(rows, dtype=float)[:, None]
    bounds = np.full(data.shape[1], np.inf)
    ask = lambda x, chosen: np.stack([energy(x, *rows[i]) for i in chosen])
    nowhere = np.empty((0, data.shape[1]))
    return Question(ask, rows, -bounds, bounds, data.astype(float), nowhere, **changed)


def first(ask, space, rng, **settings):
    return next(by_moves(ask, space, rng, **{"first": 64, "seconds": 60.0, **settings}))


def check(answer, truth):
    """Within five standard errors, that of eight runs being known to a quarter."""
    se = np.sqrt((answer.scaled_noise**2).sum(axis=0))
    assert answer.runs == 8 and (se < 0.2).all()
    assert (np.abs(answer.log_z - truth) < 5 * se + 1e-9).all()


@pytest.mark.parametrize("local", [True, False], ids=["by local changes", "by energies"])
def test_terms_of_four_sites(local, rng):
    rows = np.linspace(0.02, 0.12, 9)
    states = np.array(list(itertools.product([0.0, 1.0], repeat=N_SITES)))
    truth = [np.logaddexp.reduce(-squared(states, b)) for b in rows]
    change = {"local_change": lambda row: (squared_change, (rows[row],))} if local else {}
    data = rng.integers(2, size=(20, N_SITES))
    check(first(question(squared, rows, data, **change), Sites.of([0, 1], (N_SITES,)), rng), truth)


def test_vectors_of_counts(rng):
    """Independent Poisson counts: log Z is the sum of the rates."""
    from scipy.special import gammaln

    rows = np.linspace(2.0, 4.0, 5)
    poisson = lambda x, rate: (gammaln(x + 1) - x * np.log(rate)).sum(axis=1)
    data = rng.poisson(3.0, size=(30, 3))
    check(first(question(poisson, rows, data), WholeNumbers(0, np.inf, (3,)), rng), 3 * rows)


def test_a_space_of_given_states(rng):
    """Orders of five numbers whose first prefers to be small; the pilot is not made again."""
    orders = np.array(list(itertools.permutations(range(5))), dtype=float)
    rows = np.linspace(0.0, 1.0, 5)
    energy = lambda x, b: b * x[:, 0] ** 2
    truth = [np.logaddexp.reduce(-energy(orders, b)) for b in rows]
    ask = question(energy, rows, orders[:10])
    answers = by_moves(ask, States(orders.astype(int)), rng, pilot=4096, first=64, seconds=60.0)
    one, another = next(answers), next(answers)
    check(one, truth)
    check(another, truth)
    assert one.growth < 1 < another.growth <= 2


def test_no_answer_in_time_is_no_answer(rng):
    ask = question(squared, [0.1, 0.2], rng.integers(2, size=(20, N_SITES)))
    with pytest.raises(CannotTell, match="second_estimate_seconds"):
        first(ask, Sites.of([0, 1], (N_SITES,)), rng, seconds=0.0)
