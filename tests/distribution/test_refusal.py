"""Defaults that would make a posterior wrong, refused before sampling, and the way out."""

import re

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy.special import gammaln

import pymc_ebm as ebm
from pymc_ebm.distribution.error_forecast import ErrorForecast
from pymc_ebm.distribution.pilot import PilotLikelihood
from pymc_ebm.distribution.refusal import check_added
from pymc_ebm.energy.energy import Energy

Z = np.linspace(-1, 1, 200)


def quartic(x, s):
    return (x**4).sum(-1) / s**4


def rows_of(rng, dimensions, reference=None):
    """200 rows, each of a scale of its own: log Z = D (log s + log 2 Γ(5/4))."""
    shape = (len(Z), dimensions)
    data = rng.gamma(0.25, size=shape) ** 0.25 * rng.choice([-1, 1], shape)
    data *= np.exp(0.5 * Z)[:, None]
    with pm.Model() as model:
        b = pm.Normal("b")
        ebm.EBM(
            "x", pt.exp(b * Z), energy=quartic, reference=reference, observed=data,
            progressbar=False,
        )  # fmt: skip
    return model, data


@pytest.mark.usefixtures("interpreted")
def test_a_regression_in_twelve_dimensions(rng):
    """Fitted points have few effective ones. Those that follow the scales are exact in b."""
    with pytest.raises(ValueError, match="no default reference serves") as refused:
        rows_of(rng, 12)
    said = str(refused.value)
    assert "annealed runs have one row of parameters, not 200" in said
    assert re.search(r"8192 points fitted to the data, \d\d? of them effective, would add", said)
    assert "independent(lambda mu, sigma: pm.Normal.dist(mu, sigma, shape=12), 4096)" in said
    q = ebm.reference.independent(lambda s: pm.Normal.dist(0, 0.6 * s, shape=12), 256)
    model, data = rows_of(rng, 12, q)
    log_p = model.compile_logp(vars=model.observed_RVs)
    found = [log_p({"b": b}) for b in (0.4, 0.5, 0.6)]
    s = np.exp(np.outer([0.4, 0.5, 0.6], Z))
    log_z = 12 * (np.log(s) + np.log(2) + gammaln(1.25)).sum(axis=1)
    truth = -((data**4).sum(axis=1) / s**4).sum(axis=1) - log_z
    np.testing.assert_allclose(np.diff(found), np.diff(truth), atol=1e-6)


@pytest.mark.usefixtures("interpreted")
def test_an_error_that_can_be_used_warns(rng):
    """In five dimensions the forecast is between a tenth and a fourth of a posterior sd."""
    with pytest.warns(UserWarning, match=r"would add 0\.[12].* posterior sds to a mean\. Better"):
        rows_of(rng, 5)


def test_a_likelihood_without_a_maximum_is_left_to_the_prior(rng):
    """One datum for each mean and scale: it grows without bound where scales vanish."""
    energy = Energy(lambda x, mu, s: (x - mu) ** 2 / (2 * s**2))
    data = rng.normal(size=6)
    q = ebm.reference.independent(pm.Normal.dist(0, 3), 256, random_seed=rng)
    for scale, known in ((pm.HalfNormal.dist(shape=6), False), (pm.HalfNormal.dist(), True)):
        with pm.Model() as model:
            mu, s = pm.Normal("mu", shape=6), model.register_rv(scale, "s")
            if known:
                mu = mu[0] + np.zeros(6)
            forecast = ErrorForecast(PilotLikelihood(energy, [mu, s + np.zeros(6)], data, 0))
            assert not forecast.plausible()
            effective = forecast.effective_points(q)
            assert forecast.plausible() == known and (effective > 20) == known
            if not known:
                check_added(q, forecast, [], None, 6)


def test_chains_of_one_row_say_so(rng, monkeypatch):
    """States of rows, where fitted points have no chance: each way has its reason."""
    monkeypatch.setattr("pymc_ebm.distribution.default_reference.most_points", lambda rows: 64)
    monkeypatch.setattr("pymc_ebm.distribution.default_reference.first_points", lambda rows: 64)
    bits = rng.integers(0, 2, size=(30, 24))
    bits[:, 12:] = bits[:, :12]
    energy = lambda x, b: -b * (x[..., 12:] * x[..., :12]).sum(-1)
    with pm.Model(), pytest.raises(ValueError, match="no default reference serves") as refused:
        b = pm.Normal("b", 2)
        ebm.EBM("x", b * np.linspace(0.9, 1.1, 30), energy=energy, observed=bits)
    said = str(refused.value)
    assert "1.68e+07 states are too many to sum over; chains have one row" in said
    assert "reference=ebm.reference.rows([...])" in said
