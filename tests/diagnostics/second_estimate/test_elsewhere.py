"""Where to look far from a posterior's draws, and what is found there."""

import arviz as az
import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymc_ebm as ebm
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.second_estimate import second_estimate
from pymc_ebm.diagnostics.second_estimate.elsewhere import (
    Heights,
    look_elsewhere,
    of_prior,
    places_beyond,
)
from pymc_ebm.diagnostics.second_estimate.question import CannotTell


def test_places_are_along_each_parameter_or_where_draws_are_widest(rng):
    draws = rng.normal(size=(60, 3)) * [1.0, 0.01, 0.0] + [0.0, 5.0, 7.0]
    places = places_beyond(draws, np.array([True, False, False]))
    assert (places[:, 0] == np.round(places[:, 0])).all() and (places[:, 2] == 7).all()
    assert abs(places[:, 0]).max() > 50 and np.ptp(places[:, 1]) > 1
    many = rng.normal(size=(60, 200)) + 3 * rng.normal(size=(60, 1))
    places = places_beyond(many, np.zeros(200, dtype=bool))
    assert 50 < len(places) <= 120
    # The first direction is what all have in common.
    assert abs(places[:6].mean(axis=1)).max() > 10


# By the second and the first how far a place at 10 is above the draws, the noise of the second in
# nats there, and whether it is in doubt there.
FOUND = {
    "nothing": ((-50, -50, 0.0, False), {"looked": True}),
    "as both say": ((5, 5, 0.0, False), {"looked": True}),
    "less than the first says": ((5, 20, 0.0, False), {"looked": True}),
    "clear": ((50, -50, 0.0, False), "elsewhere"),
    "clear beyond its noise": ((50, -50, 5.0, False), "elsewhere"),
    "by noise": ((50, -50, 40.0, False), "doubts"),
    "in doubt": ((50, -50, 0.0, True), "doubts"),
}


@pytest.mark.parametrize(("heights", "kind"), FOUND.values(), ids=FOUND)
def test_what_is_found(heights, kind):
    second, first, noise, doubted = heights
    draws = np.linspace(-1, 1, 50)[:, None]

    def at(places):
        far = np.clip((places[:, 0] - 2) / 8, 0, 1) * (places[:, 0] < 12)
        doubts = ("Why.",) if doubted else ()
        runs = np.outer(np.resize([1.0, -1.0], 16) / 4, noise * far)
        return Heights((first * far).__getitem__, second * far, runs, 16, doubts)

    found = look_elsewhere(
        draws, np.array([[-9.0], [10.0]]), at, ["a"], np.array([False]), Limits()
    )
    assert found["looked"] and (found == kind if isinstance(kind, dict) else kind in found)


def test_one_estimate_for_many_places_is_no_evidence():
    """The first misses mass at each place; that made for the best alone does not."""
    asked = []

    def at(places):
        asked.append(len(places))
        first = -(places[:, 0] ** 2) / 2
        missed = 1000.0 * (abs(places[:, 0]) > 5) * (len(asked) == 1)
        return Heights(first.__getitem__, first + missed, np.zeros((8, len(places))), 8)

    draws = np.linspace(-1, 1, 50)[:, None]
    places = places_beyond(draws, np.array([False]))
    assert look_elsewhere(draws, places, at, ["a"], np.array([False]), Limits()) == {"looked": True}
    assert 2 <= len(asked) <= 4 and asked[1] < asked[0]


def test_a_place_that_is_no_evidence_does_not_hide_another():
    """At −9 the first estimate misses most, and at 10 both are right."""
    calls = []

    def at(places):
        calls.append(places)
        first = -(places[:, 0] ** 2) / 2
        there = 200.0 * (abs(places[:, 0] - 10) < 2)
        missed = 1000.0 * (places[:, 0] < -5) * (len(calls) == 1)
        return Heights(first.__getitem__, first + there + missed, np.zeros((8, len(places))), 8)

    draws, places = np.linspace(-1, 1, 50)[:, None], np.array([[-9.0], [10.0]])
    found = look_elsewhere(draws, places, at, ["a"], np.array([False]), Limits())
    assert abs(found["elsewhere"]["at"] - 10) < 2


def test_where_there_is_no_estimate_nothing_is_known():
    def at(places):
        raise CannotTell("Why.")

    draws = np.zeros((50, 1))
    found = look_elsewhere(draws, draws + 9, at, ["a"], np.array([False]), Limits())
    assert found == {"looked": False}


def test_a_place_without_an_estimate_does_not_end_the_search():
    """A draw of the prior at 1000 has none, and at 10 the posterior is higher."""

    def at(places):
        if (places > 500).any():
            raise CannotTell("Why.")
        first = -(places[:, 0] ** 2) / 2
        second = first + 200.0 * (abs(places[:, 0] - 10) < 2)
        return Heights(first.__getitem__, second, np.zeros((8, len(places))), 8)

    draws, places = np.linspace(-1, 1, 50)[:, None], np.array([[10.0], [1000.0]])
    found = look_elsewhere(draws, places, at, ["a"], np.array([False]), Limits())
    assert found["looked"] and abs(found["elsewhere"]["at"] - 10) < 2


def test_draws_of_the_prior(rng):
    with pm.Model():
        a, b = pm.Normal("a", 3, 1e-6, shape=2), pm.Poisson("b", 4)
        drawn = of_prior([a, b], 3, rng)
        assert np.allclose(drawn[:, :2], 3, atol=1e-4) and (drawn[:, 2] % 1 == 0).all()
        assert len(of_prior([a, pm.Flat("c")], 3, rng)) == 0
        line = ebm.reference.quadrature(-5, 5)
        latent = ebm.EBM("x", a[0], energy=lambda x, m: (x - m) ** 2, reference=line)
        assert len(of_prior([a, latent], 3, rng)) == 0


def whole(rng):
    return pm.Poisson("m", 9), {"m": rng.integers(0, 4, (2, 50))}


def among_seven(rng):
    others = pm.Normal("others", 0, 1, shape=6)
    draws = {"m": rng.uniform(-4, 3, (2, 50)), "others": rng.normal(size=(2, 50, 6))}
    return pm.Normal("m", 0, 30) + 0 * others.sum(), draws


@pytest.mark.usefixtures("interpreted")
@pytest.mark.filterwarnings("ignore:The energies of the data are mostly above")
@pytest.mark.parametrize("made", [whole, among_seven])
def test_whole_numbers_and_many_parameters(made, rng):
    """A density that is wrong by 20 nats beyond 5 keeps the posterior away from data around 9."""
    points = rng.normal(0, 6, 8192)
    q = ebm.reference.from_draws(points, stats.norm(0, 6).logpdf(points) - 20 * (points > 5))
    with pm.Model() as model:
        m, draws = made(rng)
        energy = lambda x, m: (x - m) ** 2 / 2
        ebm.EBM("x", m, energy=energy, reference=q, observed=rng.normal(9, 1, 30))
    idata = az.from_dict({"posterior": draws})
    found = ebm.compute_reference_stats(idata, model=model, checks=[], progressbar=False)
    normalisers = Normalisers(model)
    posterior = idata["posterior"].to_dataset()[list(normalisers.parameters)]
    said = second_estimate(posterior, normalisers, found["reference_stats"].to_dataset())
    assert said.looked and said.elsewhere["parameter"] == "m" and abs(said.elsewhere["at"] - 9) < 6
