"""Choice sets and step selection: rows with points of their own in a model."""

import arviz as az
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

import pymc_ebm as ebm
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.weights.normalised import normalise

ENUMERATED = 1e-10


def utility(x, beta):
    return -(x @ beta)


@pytest.fixture(scope="module")
def choices():
    """60 choices among 2 to 6 alternatives of three attributes, by a multinomial logit."""
    rng = np.random.default_rng(3)
    offers = [rng.normal(size=(n, 3)) for n in rng.integers(2, 7, 60)]
    beta = np.array([1.0, -0.5, 0.0])
    picked = [rng.choice(len(o), p=np.exp(o @ beta) / np.exp(o @ beta).sum()) for o in offers]
    return offers, np.array(picked), np.array([o[i] for o, i in zip(offers, picked, strict=True)])


@pytest.fixture(scope="module")
def model(choices):
    offers, _, chosen = choices
    sets = ebm.reference.rows([ebm.reference.enumeration(o, complete=True) for o in offers])
    with pm.Model() as model:
        beta = pm.Normal("beta", 0, 2, shape=3)
        ebm.EBM("choice", beta, energy=utility, reference=sets, signature="(k)", observed=chosen)
    return model


def test_multinomial_logit_is_that_of_pymc(model, choices, rng):
    """Value and gradient of pm.Categorical on the same utilities, absent alternatives at −∞."""
    offers, picked, _ = choices
    padded = np.zeros((60, 6, 3))
    there = np.zeros((60, 6), dtype=bool)
    for r, o in enumerate(offers):
        padded[r, : len(o)], there[r, : len(o)] = o, True
    with pm.Model() as by_pymc:
        beta = pm.Normal("beta", 0, 2, shape=3)
        pm.Categorical("choice", logit_p=pt.where(there, padded @ beta, -1e30), observed=picked)
    ours, theirs = (m.logp_dlogp_function(ravel_inputs=True) for m in (model, by_pymc))
    for function in (ours, theirs):
        function.set_extra_values({})
    for _ in range(3):
        at = rng.normal(size=3)
        for found, truth in zip(ours(at), theirs(at), strict=True):
            np.testing.assert_allclose(found, truth, atol=ENUMERATED)
    assert ebm.kernels.route(model.logp()).name == "linear"


def test_report_predictions_and_likelihoods_by_row(model, choices, rng):
    """Draws of a row are its own alternatives with their probabilities (χ², p > 1e-6)."""
    offers, _, _ = choices
    verdict = ebm.check(model, progressbar=False)
    assert verdict.status == "ok" and "counting its" in str(verdict)
    beta = np.array([0.6, -0.4, 0.2])
    idata = az.from_dict({"posterior": {"beta": np.tile(beta, (1, 400, 1))}})
    with model:
        pm.sample_posterior_predictive(
            idata, extend_inferencedata=True, progressbar=False, random_seed=1
        )
    draws = idata["posterior_predictive"]["choice"].to_numpy()[0]
    statistic = freedom = 0
    for r, o in enumerate(offers):
        seen = (draws[:, r, None] == o).all(axis=2)
        assert seen.any(axis=1).all()
        expected = 400 * np.exp(o @ beta) / np.exp(o @ beta).sum()
        statistic += ((seen.sum(axis=0) - expected) ** 2 / expected).sum()
        freedom += len(o) - 1
    assert stats.chi2(freedom).sf(statistic) > 1e-6


def test_a_datum_of_another_row_is_refused(choices):
    offers, _, chosen = choices
    sets = ebm.reference.rows([ebm.reference.enumeration(o, complete=True) for o in offers])
    keywords = {"energy": utility, "reference": sets, "signature": "(k)"}
    with pm.Model():
        beta = pm.Normal("beta", 0, 2, shape=3)
        with pytest.raises(ValueError, match="2 of 60 observations are not among"):
            ebm.EBM("a", beta, observed=chosen[[1, 0, *range(2, 60)]], **keywords)
        with pytest.raises(ValueError, match="data are of 59 rows"):
            ebm.EBM("b", beta, observed=chosen[1:], **keywords)
        slopes = pm.Normal("slopes", 0, 2, shape=(59, 3))
        with pytest.raises(ValueError, match="parameters have 59 rows"):
            ebm.EBM("c", slopes, observed=chosen, **keywords)
    x = ebm.EBM.dist(np.array([0.6, -0.4, 0.2]), **keywords)
    assert pm.draw(x, random_seed=1).shape == (60, 3)
    outside = pm.logp(x, chosen[[1, 0, *range(2, 60)]]).eval()
    assert np.isneginf(outside[:2]).all() and np.isfinite(outside[2:]).all()


def test_draws_of_each_row_and_a_batch_before_them(rng):
    """Normal energies at draws of each row: a batch of parameters before the rows, both routes.

    Against sums in NumPy; the energy of a Laplace law is not linear in statistics.
    """
    centre = rng.normal(size=5)
    points = centre[:, None] + 2 * rng.normal(size=(5, 40))
    log_q = stats.norm(centre[:, None], 2).logpdf(points)
    draws = ebm.reference.from_draws(points, log_q)
    mu, shift = pt.dmatrix("mu"), rng.normal(size=(3, 5))

    def normal(x, mu):
        return x**2 / 2 - mu * x

    def laplace(x, mu):
        return abs(x - mu)

    for energy, route in ((normal, "linear"), (laplace, "plain")):
        log_z = ebm.log_partition(energy, mu, reference=draws)
        assert ebm.kernels.route(log_z).name == route
        value, slope = pytensor.function([mu], [log_z, pt.grad(log_z.sum(), mu)])(shift)
        weights = np.exp(-log_q - np.log(40) - energy(points, shift[..., None]))
        np.testing.assert_allclose(value, np.log(weights.sum(axis=-1)), rtol=1e-12)
        by_mu = points if energy is normal else np.sign(points - shift[..., None])
        expected = (weights * by_mu).sum(axis=-1) / weights.sum(axis=-1)
        np.testing.assert_allclose(slope, expected, rtol=1e-10)


def test_report_of_draws_of_each_row(rng):
    """A regression whose rows have draws of their own, estimated again by quadrature."""
    centre = rng.normal(size=30)
    points = centre[:, None] + 2 * rng.normal(size=(30, 400))
    draws = ebm.reference.from_draws(points, stats.norm(centre[:, None], 2).logpdf(points))
    with pm.Model() as model:
        slope = pm.Normal("slope", 0, 1)
        ebm.EBM(
            "y",
            slope * centre,
            energy=lambda x, mu: (x - mu) ** 2 / 2,
            reference=draws,
            observed=rng.normal(centre / 2),
        )
    verdict = ebm.check(model, progressbar=False)
    assert verdict.status == "ok" and "quadrature" in str(verdict)
    assert 0 < verdict.added_error["slope"]["mean"] < 0.1


def gaussian_population(m, mu, sigma):
    return (m - mu) ** 2 / (2 * sigma**2) + pt.log(sigma) + 0.5 * np.log(2 * np.pi)


def test_population_with_selection(rng):
    """30 events by samples of each, and the share that is detected by injections, in one model.

    Its value is that of sums in NumPy; the error of both together is the spread over 300 fresh sets
    of samples and injections, within 20%: five standard errors of a spread.
    """
    n, noise, theta = 30, 0.5, (0.8, 1.1)
    y = 1.5 + rng.normal(size=n)
    v = 1 / (1 / 9 + 1 / noise**2)
    pi = stats.norm(0, 3).logpdf

    def draws():
        samples = y[:, None] * v / noise**2 + np.sqrt(v) * rng.normal(size=(n, 200))
        injected = rng.normal(0, 3, 4000)
        return samples, injected[injected + noise * rng.normal(size=4000) > 0]

    def value(samples, found):
        p = lambda m: np.exp(stats.norm(*theta).logpdf(m) - pi(m))
        return np.log(p(samples).mean(axis=1)).sum() - n * np.log(p(found).sum() / 4000)

    samples, found = draws()
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0, 3), pm.HalfNormal("sigma", 3)
        events = ebm.reference.from_draws(samples, pi(samples), selected=True)
        detected = ebm.reference.from_draws(found, pi, total_draws=4000)
        of_events = ebm.log_partition(gaussian_population, mu, sigma, reference=events)
        seen = ebm.log_partition(gaussian_population, mu, sigma, reference=detected)
        pm.Potential("catalogue", of_events.sum() - n * seen)
    at = Normalisers(model).at({"mu": theta[0], "sigma": theta[1]})
    assert [float(v.amplification.sum()) for v in at.values()] == [-n, n]
    values = [(-v.amplification * normalise(v.log_weights)[0]).sum() for v in at.values()]
    np.testing.assert_allclose(sum(values), value(samples, found), rtol=1e-10)
    error = np.sqrt(sum(v.reference.variance(v.influence()) for v in at.values()))
    spread = np.std([value(*draws()) for _ in range(300)])
    assert abs(error / spread - 1) < 0.2
    assert all(v.reference.describe()["selected"] for v in at.values())
