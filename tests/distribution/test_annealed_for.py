"""The annealed default reference, from the initial point of a model on."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy.special import gammaln, logsumexp

import pymc_ebm as ebm
from pymc_ebm.distribution.annealed_for import annealed_for
from pymc_ebm.distribution.default_reference import fit_reference
from pymc_ebm.distribution.of_free_values import Unforeseeable
from pymc_ebm.energy.energy import Energy
from pymc_ebm.space.box import Support


def quartic(x, s):
    return (x**4).sum(-1) / s**4


def test_posterior_of_a_scale_in_eight_dimensions(rng):
    """Mean and sd against the closed form on a grid, from a start at twice the truth."""
    n_dim, n = 8, 100
    data = 0.5 * rng.gamma(0.25, size=(n, n_dim)) ** 0.25 * rng.choice([-1, 1], size=(n, n_dim))
    with pm.Model():
        s = pm.HalfNormal("s", 3, initval=1.0)
        q = annealed_for(
            Energy(quartic), [s], data, Support(event_shape=(n_dim,)), progressbar=False
        )
    assert q.n_groups == 16 and q.level == "absolute"
    fourth, of_data = (q.points**4).sum(-1), (data**4).sum()
    grid = np.linspace(0.4, 0.6, 201)
    found = np.array([logsumexp(q.log_weights - fourth / s**4) for s in grid])
    truth = n_dim * (np.log(2 * grid) + gammaln(1.25))

    def moments(log_z):
        log_p = -of_data / grid**4 - n * log_z - grid**2 / 18
        p = np.exp(log_p - log_p.max()) / np.exp(log_p - log_p.max()).sum()
        mean = p @ grid
        return mean, np.sqrt(p @ (grid - mean) ** 2)

    (mean, sd), (true_mean, true_sd) = moments(found), moments(truth)
    # The forecast allows 0.05 sd; three times that.
    assert abs(mean - true_mean) < 0.15 * true_sd
    assert 0.95 < sd / true_sd < 1.05


def test_a_refusal_names_the_forecast_of_each_way(rng, monkeypatch):
    """In twenty dimensions fitted points are few, and so are 64 in place of annealed ones."""
    data = rng.gamma(0.25, size=(200, 20)) ** 0.25 * rng.choice([-1, 1], size=(200, 20))
    few = ebm.reference.independent(pm.Normal.dist(0, 0.6, shape=20), 64, random_seed=1)
    monkeypatch.setattr(
        "pymc_ebm.distribution.default_reference.annealed_for", lambda *a, **kwargs: few
    )
    with pm.Model() as model:
        s = pm.HalfNormal("s", 3)
        with pytest.raises(ValueError, match="no default reference serves") as refused:
            ebm.EBM("x", s, energy=quartic, observed=data, progressbar=False)
    said = str(refused.value)
    assert "points fitted to the data" in said and "64 annealed ones would add" in said
    assert said.count("would add") == 2 and "reference=ebm.reference.annealed" in said
    assert [v.name for v in model.basic_RVs] == ["s"]


@pytest.mark.slow
def test_one_event_of_32_numbers(rng):
    """A ring of coupled numbers with precision 1 + j (2, −1, …, −1): one datum, no reference."""
    ring = 2 * np.eye(32) - np.roll(np.eye(32), 1, 0) - np.roll(np.eye(32), -1, 0)
    energy = lambda x, j: ((x**2).sum(-1) + j * ((x - pt.roll(x, 1, axis=-1)) ** 2).sum(-1)) / 2
    data = np.linalg.solve(np.linalg.cholesky(np.eye(32) + ring).T, rng.normal(size=32))[None]
    with pm.Model():
        q = fit_reference(Energy(energy), [pm.HalfNormal("j", 2)], data, None, False)
    grid = np.linspace(0.02, 6, 300)
    bonds = lambda x: ((x - np.roll(x, 1, axis=-1)) ** 2).sum(-1) / 2
    base = q.log_weights - (q.points**2).sum(-1) / 2
    found = np.array([logsumexp(base - j * bonds(q.points)) for j in grid])
    truth = [-np.linalg.slogdet(np.eye(32) + j * ring)[1] / 2 for j in grid]

    def moments(log_z):
        log_p = -grid * bonds(data)[0] - log_z - grid**2 / 8
        p = np.exp(log_p - log_p.max()) / np.exp(log_p - log_p.max()).sum()
        mean = p @ grid
        return mean, np.sqrt(p @ (grid - mean) ** 2)

    (mean, sd), (true_mean, true_sd) = moments(found), moments(np.array(truth))
    assert abs(mean - true_mean) < 0.15 * true_sd and 0.9 < sd / true_sd < 1.1


def test_a_row_for_each_observation_is_left_to_others(rng):
    data = rng.normal(size=(5, 3))
    with pm.Model():
        s = pm.HalfNormal("s", 3, shape=5)
        with pytest.raises(Unforeseeable):
            annealed_for(Energy(quartic), [s], data, Support(event_shape=(3,)), progressbar=False)


@pytest.mark.slow
def test_the_default_in_twenty_dimensions(rng):
    """Fitted points are too few there, so the default anneals; log Z against the closed form."""
    data = rng.gamma(0.25, size=(200, 20)) ** 0.25 * rng.choice([-1, 1], size=(200, 20))
    with pm.Model():
        s = pm.HalfNormal("s", 3)
        q = fit_reference(Energy(quartic), [s], data, None, False)
    assert q.description.startswith("annealed")
    energies = (q.points**4).sum(-1)
    error = logsumexp(q.log_weights - energies) - 20 * (np.log(2) + gammaln(1.25))
    assert abs(error) < 0.2
