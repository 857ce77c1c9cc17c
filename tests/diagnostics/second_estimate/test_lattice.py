"""Annealing of sites against the Ising model on a torus and independent sites."""

import numpy as np
import pytest

from pymc_ebm.diagnostics.second_estimate.lattice import over_sites
from pymc_ebm.diagnostics.second_estimate.question import Question, TooLong


def question(energy, rows, values, starts):
    rows, n_dim = np.asarray(rows, dtype=float)[:, None], len(values)
    bounds = np.full(n_dim, np.inf)
    ask = lambda x, chosen: np.stack([energy(x, *rows[i]) for i in chosen])
    nowhere = np.empty((0, n_dim))
    return Question(ask, rows, -bounds, bounds, nowhere, starts, values=values)


def test_ising_on_a_torus(kaufman, rng):
    """Within five standard errors of eight runs, of the level and of differences."""
    size, rows = 6, np.linspace(0.3, 0.5, 12)

    def energy(x, beta):
        s = x.reshape(-1, size, size)
        return -beta * (s * np.roll(s, 1, 1) + s * np.roll(s, 1, 2)).sum(axis=(1, 2))

    values = (np.array([-1, 1]),) * size**2
    [answer] = over_sites(question(energy, rows, values, np.ones((1, size**2))), rng, largest=100)
    error = answer.log_z - [kaufman(size, size, beta) for beta in rows]
    noise = answer.scaled_noise
    assert np.abs(error).max() < 5 * np.sqrt((noise**2).sum(axis=0)).max()
    of_differences = np.sqrt(((noise - noise.mean(axis=1, keepdims=True)) ** 2).sum(axis=0))
    assert (np.abs(error - error.mean()) < 5 * of_differences + 1e-9).all()
    assert np.abs(error).max() < 0.3


def test_sites_of_different_values(rng):
    values = (np.arange(2), np.arange(3), np.array([-1, 4])) * 6
    rows = np.linspace(-0.3, 0.3, 7)
    ask = question(lambda x, b: b * x.sum(axis=1), rows, values, np.zeros((1, 18)))
    [answer] = over_sites(ask, rng, largest=100)
    truth = [sum(np.logaddexp.reduce(-b * v) for v in values) for b in rows]
    se = np.sqrt((answer.scaled_noise**2).sum(axis=0))
    np.testing.assert_allclose(answer.log_z, truth, atol=5 * se.max() + 1e-9)


def test_more_sites_than_time_allows(rng):
    values = (np.arange(2),) * 40
    ask = question(lambda x, b: b * x.sum(axis=1), [0.1, 0.2], values, np.zeros((1, 40)))
    with pytest.raises(TooLong, match="events of 40 numbers"):
        next(over_sites(ask, rng, seconds=1e-6))
