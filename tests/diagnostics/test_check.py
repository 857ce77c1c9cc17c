"""What `check` says before sampling."""

import warnings

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm


def gaussian(x, s):
    return x**2 / (2 * s**2)


def normal(m, s, draws):
    return ebm.reference.independent(pm.Normal.dist(m, s), draws, random_seed=1)


def model_of(data, reference=None, energy=gaussian, **prior):
    with pm.Model() as model, warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        sigma = pm.HalfNormal("sigma", 5, **prior)
        ebm.EBM("x", sigma, energy=energy, reference=reference, observed=data)
    return model


def test_verdicts(rng):
    data = rng.normal(0, 2, 100)
    assert ebm.check(model_of(data)).status == "ok"
    narrow = ebm.check(model_of(data, normal(0, 0.5, 1000)))
    assert narrow.status == "failed"
    assert any("miss a part of the model" in reason for reason in narrow.reasons)
    few = ebm.check(model_of(data, normal(0, 4, 60)))
    assert few.status != "ok" and any("times the draws" in r for r in few.remedies)


def test_a_start_that_is_impossible(rng):
    """The energy is +inf beyond σ, and the data reach beyond it at the start."""

    def bounded(x, s):
        return pt.switch(pt.abs(x) > s, np.inf, 0.0)

    data = rng.uniform(-3, 3, 50)
    reference = ebm.reference.independent(pm.Uniform.dist(-20, 20), 1000, random_seed=1)
    found = ebm.check(model_of(data, reference, bounded, initval=1.0))
    assert found.status == "failed"
    assert any("of x is -inf at the start" in reason for reason in found.reasons)
    assert "initval" in found.remedies[0]


def test_data_outside_the_hull():
    data = np.array([-1.0, 2.0, 0.5, -0.5, 1.5, -2.5])
    model = model_of(data, normal(0, 0.1, 1000), lambda x, b: b * x**2)
    found = ebm.check(model)
    assert found.status == "failed"
    assert any("no maximum" in reason for reason in found.reasons)


def test_it_agrees_with_the_report_of_the_posterior(rng):
    """Two vector parameters: added errors within a third of those of the posterior by NUTS."""
    x = rng.normal(1, 2, 200)

    def energy(x, theta):
        return (x - theta[0]) ** 2 / (2 * pt.exp(2 * theta[1]))

    with pm.Model() as model:
        theta = pm.Normal("theta", 0, 5, shape=2)
        q = ebm.reference.independent(pm.Normal.dist(1, 4), 20_000, random_seed=1)
        ebm.EBM("x", theta, energy=energy, reference=q, signature="(k)", observed=x)
        idata = pm.sample(
            500,
            chains=2,
            cores=1,
            random_seed=1,
            nuts_sampler="pymc",
            progressbar=False,
            quiet=True,
        )
        ebm.compute_reference_stats(idata, progressbar=False)
    found, truth = ebm.check(model, draws=400), ebm.report(idata)
    assert found.status == truth.status
    for statistic in ("mean", "sd"):
        added = found.added_error["theta"][statistic]
        np.testing.assert_allclose(added, truth.added_error["theta"][statistic], rtol=0.33)


def test_a_model_without_normalisers():
    with pm.Model() as model:
        pm.Normal("a")
    with pytest.raises(ValueError, match="no estimated normaliser"):
        ebm.check(model)
