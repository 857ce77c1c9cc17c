"""Sums over whole numbers against closed forms and long sums."""

import numpy as np
import pytest
from scipy import special

from pymc_ebm.diagnostics.second_estimate.counts import (
    check_convergence,
    over_counts,
    over_range,
)
from pymc_ebm.diagnostics.second_estimate.question import CannotTell, NotThisWay, Question


def test_poisson(asked, rng):
    rate = rng.gamma(30, 0.1, 250)
    energy = lambda x, rate: special.gammaln(x + 1) - x * np.log(rate)
    answer = over_counts(asked(energy, rate, rng.poisson(3, 100), 0))
    np.testing.assert_allclose(answer.log_z, rate, atol=1e-12)


def test_a_slow_tail(asked, rng):
    energy = lambda x, a: a * np.log(x)
    answer = over_counts(asked(energy, [3.8, 4.0, 4.2], rng.zipf(4, 100), 1))
    np.testing.assert_allclose(answer.log_z, np.log(special.zeta([3.8, 4.0, 4.2])), atol=1e-9)


def test_even_numbers_alone(asked, rng):
    """The ends of a range may be states that the model does not have."""
    energy = lambda x, m: np.where(x % 2 == 0, (x - m) ** 2 / 50, np.inf)
    rows, even = rng.uniform(20, 40, 30), np.arange(0, 1000, 2)
    truth = np.logaddexp.reduce(-((even - rows[:, None]) ** 2) / 50, axis=1)
    answer = over_counts(asked(energy, rows, 2 * rng.poisson(15, 100), 0))
    np.testing.assert_allclose(answer.log_z, truth, atol=1e-12)


def test_weight_far_beyond_the_data(asked):
    """COM-Poisson with dispersion 0.05 has its mode at 3000 for data below 10."""
    rows, all_of_it = np.linspace(1.45, 1.55, 9), np.arange(40_000)
    energy = lambda x, rate: 0.05 * special.gammaln(x + 1) - x * np.log(rate)
    truth = [np.logaddexp.reduce(-energy(all_of_it, rate)) for rate in rows]
    answer = over_counts(asked(energy, rows, np.arange(10), 0))
    np.testing.assert_allclose(answer.log_z, truth, atol=1e-10)


def test_weight_far_below_starts_without_data(asked):
    rows = [-300_000.0, -299_000.0]
    answer = over_counts(asked(lambda x, m: (x - m) ** 2 / 800, rows, (), starts=[7]))
    np.testing.assert_allclose(answer.log_z, 0.5 * np.log(2 * np.pi * 400), atol=1e-12)
    assert answer.noise.shape == (1, 2) and not answer.noise.any()


@pytest.mark.parametrize("sign", [-1, 1])
def test_bounds_between_whole_numbers(sign, asked):
    """Most weight is at the bound, and more would be beyond."""
    question = asked(lambda x, a: sign * a * x, [0.3], np.arange(5), -4.5, 99.5)
    truth = np.logaddexp.reduce(-sign * 0.3 * np.arange(-4, 100))
    np.testing.assert_allclose(over_counts(question).log_z, [truth], atol=1e-12)


def test_a_sum_that_diverges_is_told(asked):
    with pytest.raises(CannotTell, match="converge"):
        over_counts(asked(lambda x, a: 0 * x, [1.0], np.arange(5), 0), most=2**20)


def vectors(energy, data, rows=((1.0,),), lower=(-np.inf, -np.inf), upper=(np.inf, np.inf)):
    """A question about pairs of whole numbers; ``energy(x, *row)`` of points ``(B, 2)``."""
    of_rows = lambda x, chosen: np.stack([energy(x, *rows[i]) for i in chosen])
    bounds = [np.array(bound, dtype=float) for bound in (lower, upper)]
    data = np.array(data, dtype=float)
    return Question(of_rows, np.array(rows), *bounds, data, np.empty((0, 2)))


@pytest.mark.parametrize("shift", [(0, 0), (40, -25), (-40, 25)])
def test_vectors_far_from_the_data(shift):
    """Two discrete normal laws: the box grows at each end that has weight, at any row."""
    rows, line = [(4.0,), (0.5,), (2.0,)], np.arange(-400, 401)
    energy = lambda x, sd: ((x - np.array(shift)) ** 2).sum(axis=1) / (2 * sd**2)
    (answer,) = over_range(vectors(energy, [[0, 0], [1, 3]], rows))
    one = np.array([np.logaddexp.reduce(-(line**2) / (2 * sd**2)) for (sd,) in rows])
    np.testing.assert_allclose(answer.log_z, 2 * one, atol=1e-12)
    assert answer.noise.shape == (1, 3) and not answer.noise.any()


def test_vectors_between_bounds():
    """Bounds are inside, and beyond them is no weight whatever the energy says."""
    question = vectors(
        lambda x, a: 0.3 * x.sum(axis=1), [[2, 5], [3, 9]], lower=(0.5, 3.5), upper=(3.5, 99.5)
    )
    (answer,) = over_range(question)
    truth = [np.logaddexp.reduce(-0.3 * np.arange(low, end)) for low, end in ((1, 4), (4, 100))]
    np.testing.assert_allclose(answer.log_z, [sum(truth)], atol=1e-12)


def test_rows_by_rows():
    """So many states that few rows fit at once."""
    rows = [(sd,) for sd in np.linspace(10, 14, 60)]
    data = [[-120, -120], [120, 120]]
    energy = lambda x, sd: (x**2).sum(axis=1) / (2 * sd**2)
    (answer,) = over_range(vectors(energy, data, rows, (-150, -150), (150, 150)))
    np.testing.assert_allclose(
        answer.log_z, [np.log(2 * np.pi * sd**2) for (sd,) in rows], atol=1e-9
    )


def test_a_box_of_too_many_states():
    question = vectors(lambda x, a: (x**2).sum(axis=1) / 200, [[0, 0], [1, 3]])
    with pytest.raises(NotThisWay, match="more than 1000 states"):
        next(over_range(question, most=1000))


@pytest.mark.parametrize(
    "energy, lower, converges",
    [
        (lambda x, a: (x**2).sum(axis=1), (-np.inf, -np.inf), True),
        (lambda x, a: x[:, 0] ** 2, (-np.inf, -np.inf), False),
        (lambda x, a: np.where(x[:, 1] < 9, (x**2).sum(axis=1), x[:, 0] ** 2), (0, 0), False),
        (lambda x, a: np.where(x[:, 0] > -9, (x**2).sum(axis=1), x[:, 1] ** 2), (0, 0), True),
        (
            lambda x, a: np.where(x[:, 0] > -9, (x**2).sum(axis=1), x[:, 1] ** 2),
            (-np.inf, 0),
            False,
        ),
        # Of pairs of counts with the sum k there are k + 1.
        (lambda x, a: 6 * np.log1p(np.abs(x).sum(axis=1)), (0, 0), True),
        (lambda x, a: 1.5 * np.log1p(np.abs(x).sum(axis=1)), (0, 0), False),
    ],
)
def test_terms_that_do_not_fall(energy, lower, converges):
    question = vectors(energy, [[0, 1], [2, 3]], lower=lower)
    if converges:
        check_convergence(question)
    else:
        with pytest.raises(CannotTell, match="does not converge"):
            check_convergence(question)
