"""Sums over whole numbers against closed forms and long sums."""

import numpy as np
import pytest
from scipy import special

from pymc_ebm.diagnostics.second_estimate.counts import over_counts
from pymc_ebm.diagnostics.second_estimate.question import CannotTell


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


def test_a_sum_that_diverges_is_told(asked):
    with pytest.raises(CannotTell, match="converge"):
        over_counts(asked(lambda x, a: 0 * x, [1.0], np.arange(5), 0), most=2**20)
