"""Annealing and a refitted mixture against closed forms in several dimensions."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy import special

from pymc_ebm.diagnostics.second_estimate import annealed
from pymc_ebm.diagnostics.second_estimate.annealed import by_annealing
from pymc_ebm.diagnostics.second_estimate.question import Question

ROWS = np.linspace(1.7, 2.3, 24)


def question(energy, slope, rows, data, lower=-np.inf, upper=np.inf):
    rows, n_dim = np.asarray(rows, dtype=float)[:, None], data.shape[1]
    return Question(
        lambda x, chosen: np.stack([energy(x, *rows[i]) for i in chosen]),
        rows,
        np.full(n_dim, lower, dtype=float),
        np.full(n_dim, upper, dtype=float),
        data,
        np.empty((0, n_dim)),
        slope and (lambda x, chosen: slope(x, rows[chosen])),
    )


def gaussian(n_dim, rng, slope=True):
    return question(
        lambda x, s: (x**2).sum(axis=1) / (2 * s**2),
        (lambda x, s: x / s**2) if slope else None,
        ROWS,
        rng.normal(0, 2, (20, n_dim)),
    ), n_dim * np.log(ROWS * np.sqrt(2 * np.pi))


def quartic(n_dim, rng):
    return question(
        lambda x, a: a * (x**4).sum(axis=1),
        lambda x, a: 4 * a * x**3,
        ROWS,
        rng.normal(0, 0.5, (20, n_dim)),
    ), n_dim * (np.log(2 * special.gamma(1.25)) - np.log(ROWS) / 4)


def two_modes(n_dim, rng):
    """The second at (6, …, 6), half as wide and with no data, of a mass that the row gives."""
    first = lambda x, h: h - (x**2).sum(axis=1) / 2
    second = lambda x: -2 * ((x - 6) ** 2).sum(axis=1) + n_dim * np.log(2)

    def slope(x, h):
        share = special.expit(first(x, h[:, 0]) - second(x))[:, None]
        return share * x + (1 - share) * 4 * (x - 6)

    rows, data = ROWS - 2, rng.normal(size=(30, n_dim))
    return question(
        lambda x, h: -np.logaddexp(first(x, h), second(x)),
        slope,
        rows,
        data,
    ), n_dim / 2 * np.log(2 * np.pi) + np.logaddexp(rows, 0)


def boxed(n_dim, rng):
    return question(
        lambda x, s: x.sum(axis=1) / s,
        lambda x, s: np.ones_like(x) / s,
        ROWS,
        rng.exponential(2, (50, n_dim)),
        lower=0,
    ), n_dim * np.log(ROWS)


CASES = {
    "gaussian": lambda rng: gaussian(8, rng),
    "without a gradient": lambda rng: gaussian(4, rng, slope=False),
    "quartic": lambda rng: quartic(5, rng),
    "two modes": lambda rng: two_modes(6, rng),
    "a half space": lambda rng: boxed(3, rng),
}


@pytest.mark.parametrize("name", CASES)
def test_differences_are_within_their_errors(rng, name):
    """Five standard errors at 24 rows that share their points, with 15 degrees of freedom."""
    asked, truth = CASES[name](rng)
    *_, answer = by_annealing(asked, rng, largest=2**10)
    error = answer.log_z - truth
    of_differences = answer.scaled_noise - answer.scaled_noise.mean(axis=1, keepdims=True)
    se = np.sqrt((of_differences**2).sum(axis=0))
    assert (np.abs(error - error.mean()) < 5 * se + 1e-9).all()
    assert np.abs(error).max() < 5 * np.sqrt((answer.scaled_noise**2).sum(axis=0)).max()
    assert np.abs(error).max() < 0.05
    assert not answer.doubt


def test_many_dimensions_are_run_through(rng, monkeypatch):
    """As where few points of a mixture are effective: differences within five standard errors."""
    asked, truth = quartic(8, rng)
    few = partial(annealed.by_trajectories, first=32, draws=4, pilot=512)
    monkeypatch.setattr(annealed, "by_trajectories", few)
    answers = by_annealing(asked, rng, least_effective=1.0)
    answer, larger = next(answers), next(answers)
    assert "16 runs of annealing from a mixture" in answer.way
    # The search and the pilot are not repeated.
    assert 0 < answer.growth < 1 < larger.growth < 3
    for found in (answer, larger):
        error = found.log_z - truth
        of_differences = found.scaled_noise - found.scaled_noise.mean(axis=1, keepdims=True)
        se = np.sqrt((of_differences**2).sum(axis=0))
        assert (np.abs(error - error.mean()) < 5 * se + 1e-9).all() and se.max() < 0.05
        assert not found.doubt


def test_heavy_weights_are_a_doubt(rng):
    """Without a slope to follow: 32 particles know no covariance in 24 dimensions, 2048 of two."""
    asked, _ = quartic(24, rng)
    answer = next(by_annealing(replace(asked, slope=None), rng, particles=32))
    assert "have a heavy tail (k-hat" in answer.doubt
    asked, _ = quartic(2, rng)
    assert not next(by_annealing(asked, rng)).doubt
