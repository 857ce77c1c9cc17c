"""Which space a second estimate sums over, and by which way."""

from types import SimpleNamespace

import numpy as np
import pytensor.tensor as pt
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


def answer(reference, energy=poisson, lower=0.0, data=PAIRS):
    n_dim = reference.points[0].size
    ask = lambda x, chosen: np.stack([energy(x, RATES[i]) for i in chosen])
    question = Question(
        ask, RATES[:, None], np.full(n_dim, lower), np.full(n_dim, np.inf),
        data[:, :n_dim].astype(float), reference.points.reshape(-1, n_dim).astype(float),
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


@pytest.mark.parametrize("n_dim", [1, 2])
def test_counts_begin_at_zero_wherever_the_points_begin(n_dim):
    """log Z of a Poisson law is its rate. Points from 1 on miss exp(−rate) of it: that the data do
    not begin below leaves open which was meant, and one datum of 0 does not."""
    points = np.indices([40] * n_dim).reshape(n_dim, -1).T + 1
    points = np.random.default_rng(1).permutation(points[:, 0] if n_dim == 1 else points)
    given = ebm.reference.from_draws(points, np.zeros(len(points)))
    open_, told = answer(given), answer(given, data=np.append(PAIRS, [[0, 0]], axis=0))
    for found in (open_, told):
        np.testing.assert_allclose(found.log_z, n_dim * RATES, atol=1e-9)
    assert "support=(1, np.inf)" in open_.doubt and not told.doubt


def test_points_that_begin_late_by_chance_leave_nothing_open():
    """Of a Poisson law of rate 2 to 4 the counts above 60 have 1e-60."""
    far = lambda x, rate: poisson(np.maximum(x - 60, 0), rate) + 40 * np.maximum(60 - x[:, 0], 0)
    points = np.arange(55, 100)
    found = answer(ebm.reference.from_draws(points, np.zeros(45)), far, data=PAIRS + 60)
    assert not found.doubt


def test_states_that_are_cut_off_at_one_have_no_second_estimate():
    """Over 0 and 1 alone the second would repeat the first."""
    with pytest.raises(CannotTell, match="complete=True"):
        answer(ebm.reference.enumeration(range(2), shape=2), data=np.array([[0, 1], [1, 1]]))


def test_data_beyond_the_points_belong_to_the_space():
    """Points are 0 and 1, and one datum is 3: the sum is over all counts, 2 rate."""
    states = np.indices([2, 2]).reshape(2, -1).T
    given = ebm.reference.from_draws(np.tile(states, (10, 1)), np.zeros(40))
    found = answer(given, data=np.array([[0, 1], [1, 3], [2, 0]]))
    np.testing.assert_allclose(found.log_z, 2 * RATES, atol=1e-9)


def test_data_beyond_all_states_of_chains_belong_to_the_space(rng):
    """Chains of 0 to 2, and data of 1, 2, 3, 5 and 1, 2, 3, 4: the values of both, site by site."""
    energy = lambda x, rate: (pt.gammaln(x + 1.0) - x * pt.log(rate)).sum(-1)
    chains = [rng.integers(0, 3, size=(2, 100, 2)) for _ in range(2)]
    found = answer(ebm.reference.pooled(energy, [(2.0,), (4.0,)], draws=chains))
    values = [0, 1, 2, 3, 5], [0, 1, 2, 3, 4]
    sums = [[np.exp(v * np.log(rate) - gammaln(np.add(v, 1))).sum() for v in map(np.array, values)]
            for rate in RATES]  # fmt: skip
    np.testing.assert_allclose(found.log_z, np.log(sums).sum(axis=1))
