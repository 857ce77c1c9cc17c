"""Sums over all states against enumeration by hand."""

import itertools

import numpy as np
import pytest

from pymc_ebm.diagnostics.second_estimate.question import CannotTell, Question
from pymc_ebm.diagnostics.second_estimate.states import over_states


def question(values, energy, rows):
    rows = np.asarray(rows, dtype=float)[:, None]
    nowhere = np.empty((0, len(values)))
    bounds = np.full(len(values), np.inf)
    ask = lambda x, chosen: np.stack([energy(x, *rows[i]) for i in chosen])
    return Question(ask, rows, -bounds, bounds, nowhere, nowhere, values=values)


def test_all_states_in_blocks():
    values = (np.array([-1, 1]), np.array([0, 1, 5]), np.array([2]), np.array([-3, 4]))
    energy = lambda x, b: b * (x[:, 0] * x[:, 1] + x[:, 3] * x[:, 2])
    states = np.array(list(itertools.product(*values)))
    rows = np.linspace(-1, 1, 5)
    truth = [np.logaddexp.reduce(-energy(states, b)) for b in rows]
    answer = over_states(question(values, energy, rows), block=5)
    np.testing.assert_allclose(answer.log_z, truth, atol=1e-12)
    assert answer.noise.tolist() == [[0.0] * len(rows)]


def test_too_many_states_are_refused():
    with pytest.raises(CannotTell, match="can be counted"):
        over_states(question((np.arange(2),) * 30, lambda x, b: b * x.sum(1), [1.0]))
