"""Every sampler as the one that makes an EBM's predictive draws."""

import warnings
from functools import partial

import arviz as az
import cloudpickle
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

import pymc_ebm as ebm

SAMPLERS = {
    "importance_resampling": ebm.sampling.importance_resampling,
    "systematic": partial(ebm.sampling.importance_resampling, method="systematic"),
    "independent_metropolis": partial(ebm.sampling.independent_metropolis, tune=300),
    "gibbs": partial(ebm.sampling.gibbs, tune=20),
}
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS.values(), ids=SAMPLERS)


def poisson(k, rate):
    return -k * pt.log(rate) + pt.gammaln(k + 1)


@pytest.fixture(scope="module")
def space():
    return ebm.reference.enumeration(np.arange(60), complete=True)


@every_sampler
@pytest.mark.usefixtures("interpreted")
def test_draws_by_row(sampler, space, seed):
    """2000 draws at each of three rates have the Poisson's mean within 5 standard errors."""
    rates = np.array([0.5, 3.0, 8.0])
    dist = ebm.EBM.dist(rates, energy=poisson, reference=space, sampler=sampler, shape=(2000, 3))
    draws = pm.draw(dist, random_seed=seed)
    assert draws.dtype == "int64"
    assert (np.abs(draws.mean(axis=0) - rates) < 5 * np.sqrt(rates / 2000)).all()
    # Independent of one another: neighbours do not correlate.
    centred = draws - draws.mean(axis=0)
    correlation = (centred[1:] * centred[:-1]).mean(axis=0) / draws.var(axis=0)
    assert (np.abs(correlation) < 5 / np.sqrt(2000)).all()
    np.testing.assert_array_equal(draws, pm.draw(dist, random_seed=seed))
    assert (draws != pm.draw(dist, random_seed=seed + 1)).any()


@every_sampler
@pytest.mark.usefixtures("interpreted")
def test_predictive_draws(sampler, space, seed):
    """Prior and posterior predictive of a model, also after a pickle."""
    data = np.random.default_rng(1).poisson(3.0, size=40)
    with pm.Model() as model:
        rate = pm.Uniform("rate", 2.9, 3.1)
        ebm.EBM("k", rate, energy=poisson, reference=space, sampler=sampler, observed=data)
    for same in (model, cloudpickle.loads(cloudpickle.dumps(model))):
        with same:
            prior = pm.sample_prior_predictive(25, random_seed=seed)
            posterior = pm.sample_posterior_predictive(
                prior.prior, random_seed=seed, progressbar=False
            )
        for found in (prior.prior_predictive["k"], posterior.posterior_predictive["k"]):
            assert found.shape == (1, 25, 40)
            # 1000 draws of mean and variance 3 within 3%.
            assert abs(float(found.mean()) - 3) < 5 * np.sqrt(3 / 1000) + 0.03


def test_many_rows_at_once(space, seed, monkeypatch):
    """Rows in blocks, some of them equal: means within 5 standard errors of each rate's."""
    monkeypatch.setattr(ebm.sampling.rows, "BLOCK", 4 * 60)
    rates = np.tile([0.5, 3.0, 8.0, 20.0, 1.0, 0.1], 1000)
    draws = pm.draw(ebm.EBM.dist(rates, energy=poisson, reference=space), random_seed=seed)
    by_rate = draws.reshape(1000, 6)
    assert (np.abs(by_rate.mean(axis=0) - rates[:6]) < 5 * np.sqrt(rates[:6] / 1000)).all()
    assert (np.abs(np.corrcoef(by_rate.T) - np.eye(6)) < 5 / np.sqrt(1000)).all()


MOVING = {
    "stays": lambda s: pm.Normal.dist(0.0, 30.0),
    "follows": lambda s: pm.Normal.dist(0.0, 30 * s),
}


@pytest.mark.parametrize("law", MOVING.values(), ids=MOVING)
def test_few_effective_points_are_told_once(law, seed):
    """At 30 posterior draws, of a reference that stays and of one that follows the parameters."""
    q = ebm.reference.independent(
        law if law is MOVING["follows"] else law(None), 128, random_seed=1
    )
    scales = np.linspace(1.0, 2.0, 30)
    with pm.Model() as model:
        s = pm.HalfNormal("s")
        ebm.EBM("x", s, energy=lambda x, s: x**2 / (2 * s**2), reference=q, observed=np.zeros(9))
    posterior = az.from_dict({"posterior": {"s": scales[None]}})
    with model, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("default")  # as Python does where nothing is said
        drawn = pm.sample_posterior_predictive(posterior, random_seed=seed, progressbar=False)
    [few] = [str(w.message) for w in said if "effective" in str(w.message)]
    assert "fewer than 50 effective reference points of 128" in few
    assert drawn.posterior_predictive["x"].shape == (1, 30, 9)


def test_draws_are_points_that_follow_the_parameters(seed):
    """Means of 4000 draws at two scales within 5 standard errors, and of |x| √(2/π) s."""
    q = ebm.reference.independent(lambda m, s: pm.Normal.dist(m, 2 * s), 4096, random_seed=1)
    energy = lambda x, m, s: (x - m) ** 2 / (2 * s**2)
    m, s = np.array([0.0, 50.0]), np.array([1.0, 0.01])
    law = ebm.EBM.dist(m, s, energy=energy, reference=q, shape=(4000, 2))
    z = (pm.draw(law, random_seed=seed) - m) / s
    # The points stand for the model themselves: 4096 of half the density.
    error = np.sqrt(1 / 4000 + 2 / 4096)
    assert (np.abs(z.mean(axis=0)) < 5 * error).all()
    assert (np.abs(np.abs(z).mean(axis=0) - np.sqrt(2 / np.pi)) < 5 * error).all()


def test_metropolis_is_right_where_points_are_few(seed):
    """A scale far below the reference's: resampling repeats points, Metropolis does not."""
    q = ebm.reference.independent(pm.Normal.dist(0.0, 5.0), 64, random_seed=1)
    energy = lambda x, s: x**2 / (2 * s**2)
    dist = ebm.EBM.dist(
        0.5, energy=energy, reference=q, shape=(1000,), sampler=ebm.sampling.independent_metropolis
    )
    draws = pm.draw(dist, random_seed=seed)
    assert stats.kstest(draws, stats.norm(0, 0.5).cdf).pvalue > 1e-3
