"""Which space a second estimate sums over, and by which way."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import gammaln

import pymc_ebm as ebm
from pymc_ebm.diagnostics.second_estimate.question import CannotTell, Question
from pymc_ebm.diagnostics.second_estimate.ways import answers_to
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.base import Space
from pymc_ebm.space.states import States

RATES = np.linspace(2.0, 4.0, 5)


class Even(Space):
    """0, 2, …, 58, of which a step takes any other."""

    event_shape, measure, noun, discrete = (), "a sum over even numbers", "even numbers", True
    key = b"even"
    _listed = States(2 * np.arange(30))

    def contains(self, x, event_ndim=None):
        return self._listed.contains(x)

    def inside(self, x):
        return self._listed.inside(x)

    def of_events(self, event_shape):
        return self

    def intersection(self, other):
        return self

    def base_law(self, data, rng):
        return self._listed.base_law(data, rng)

    @property
    def moves(self):
        return self._listed.moves


PAIRS = np.array([[3, 2], [1, 4], [5, 3], [2, 2]])


def poisson(x, rate):
    return (gammaln(x + 1) - x * np.log(rate)).sum(axis=1)


def answer(reference, energy=poisson, lower=0.0):
    n_dim = reference.points[0].size
    ask = lambda x, chosen: np.stack([energy(x, RATES[i]) for i in chosen])
    question = Question(
        ask, RATES[:, None], np.full(n_dim, lower), np.full(n_dim, np.inf),
        PAIRS[:, :n_dim].astype(float), reference.points.reshape(-1, n_dim).astype(float),
    )  # fmt: skip
    integral = SimpleNamespace(reference=reference, names=["x"])
    return next(answers_to(question, integral, np.random.default_rng(1), 60.0))


def test_a_truncated_sum_is_not_the_space():
    """Of pairs up to 4, which hold 0.87 to 0.4 of the model; log Z is twice the rate."""
    found = answer(ebm.reference.enumeration([np.arange(5)] * 2))
    np.testing.assert_allclose(found.log_z, 2 * RATES, atol=1e-10)


def test_states_of_two_values_are_all_there_are():
    spins = ebm.reference.enumeration([-1, 1], shape=2)
    found = answer(spins, lambda x, b: -b * x[:, 0] * x[:, 1] / 4, lower=-np.inf)
    np.testing.assert_allclose(found.log_z, np.log(4 * np.cosh(RATES / 4)))


def test_a_space_of_its_own_is_not_left():
    """Odd counts have energies too, and are no part of the space."""
    reference = Reference(2 * np.arange(30), np.zeros(30), np.arange(30), Even())
    found = answer(reference)
    truth = np.log(np.cosh(RATES))  # Σ λ^x/x! over even x is cosh λ
    se = np.sqrt((found.scaled_noise**2).sum(axis=0))
    assert (np.abs(found.log_z - truth) < 5 * se).all() and (se < 0.3).all()


def test_listed_states_are_summed():
    listed = Reference(PAIRS, np.zeros(4), np.arange(4), States(PAIRS), exact=True, complete=False)
    truth = [np.logaddexp.reduce(-poisson(PAIRS, rate)) for rate in RATES]
    np.testing.assert_allclose(answer(listed).log_z, truth)


def test_a_sum_that_diverges_cannot_be_told():
    given = ebm.reference.from_draws(np.tile(PAIRS, (10, 1)), np.zeros(40))
    with pytest.raises(CannotTell, match="does not converge"):
        answer(given, lambda x, b: b * (x[:, 0] == x[:, 1]))
