"""Hidden fields against sums over all their states in NumPy."""

from functools import partial

import arviz as az
import numpy as np
import pymc as pm
import pytest
from scipy import stats
from scipy.special import logsumexp

import pymc_ebm as ebm

pytestmark = pytest.mark.usefixtures("interpreted")
free = partial(ebm.energies.potts, boundary="free")


def test_likelihood_and_slopes_of_three_colours(colours, log_terms):
    model, y = colours
    _, agree, of_fields = log_terms
    function = model.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values({})

    def truth(u):
        beta, mu, sigma = np.exp(u[0]), u[1:4], np.exp(u[4])
        prior = stats.halfnorm.logpdf([beta, sigma]).sum() + u[0] + u[4]
        prior += stats.norm([-1, 0, 1], 2).logpdf(mu).sum()
        return logsumexp(of_fields(y, beta, mu, sigma)) - logsumexp(beta * agree) + prior

    for u in (np.array([-0.5, -1.0, 0.2, 1.4, -0.3]), np.array([0.4, 2.0, -0.7, 0.1, 0.5])):
        value, slope = function(u)
        np.testing.assert_allclose(value, truth(u), atol=1e-10)
        expected = [(truth(u + d) - truth(u - d)) / 2e-5 for d in 1e-5 * np.eye(5)]
        np.testing.assert_allclose(slope, expected, atol=1e-7)


def test_both_sums_are_exact(colours):
    model, _ = colours
    names = [n for n, _ in ebm.diagnostics.find_log_partitions(model)]
    assert sorted(names) == ["y[field given data]", "y[field]"]
    verdict = ebm.check(model, progressbar=False)
    assert verdict.status == "ok" and "Every normaliser is exact" in str(verdict)


def test_several_images_of_spins_and_new_data(rng, fields, bonds):
    """Two images of 3 × 3 spins with a field, and other data by `set_data`; draws of all."""
    x = fields([-1, 1], (3, 3))
    pairs = bonds(x, np.multiply)
    energy = partial(ebm.energies.ising, boundary="free")

    def emission(s, mu):
        return pm.Normal.dist(mu[(s + 1) // 2], 0.5)

    mu = np.array([-0.5, 1.0])
    first, second = rng.normal(0, 1, (2, 2, 3, 3))
    with pm.Model() as model:
        seen = pm.Data("seen", first)
        beta, field = pm.Normal("beta"), pm.Normal("field")
        y = ebm.HiddenEBM(
            "y", beta, field, energy=energy, emission=emission, emission_params=[mu],
            states=[-1, 1], observed=seen,
        )  # fmt: skip
        logp = model.compile_logp(vars=[y], sum=False)
        prior = 0.2 * pairs + 0.1 * x.sum((1, 2))
        for data in (first, second):
            pm.set_data({"seen": data})
            of_data = stats.norm(mu[(x + 1) // 2], 0.5).logpdf(data[:, None]).sum((2, 3))
            truth = logsumexp(prior + of_data, axis=1) - logsumexp(prior)
            found = logp({"beta": 0.2, "field": 0.1})[0]
            np.testing.assert_allclose(found, truth, atol=1e-10)
    fixed = pm.do(model, {"beta": 0.2, "field": 0.1})
    drawn = pm.draw(fixed["y"], 1000, random_seed=1).reshape(2000, 3, 3)
    share = np.einsum("m,mij->ij", np.exp(prior - logsumexp(prior)), x == 1)
    mean, sd = -0.5 + 1.5 * share, np.sqrt(0.25 + 1.5**2 * share * (1 - share))
    assert (abs(drawn.mean(0) - mean) < 4.5 * sd / np.sqrt(2000)).all()
    product = (drawn[:, 0, 0] - mean[0, 0]) * (drawn[:, 0, 1] - mean[0, 1])
    s = x - np.einsum("m,mij->ij", np.exp(prior - logsumexp(prior)), x)
    truth = 0.75**2 * np.exp(prior - logsumexp(prior)) @ (s[:, 0, 0] * s[:, 0, 1])
    assert abs(product.mean() - truth) < 4.5 * product.std() / np.sqrt(2000)


CHANNELS = np.array([[[0.1, 1.0], [0.4, -0.2]], [[1.3, 0.9], [0.2, 0.3]]])


@pytest.mark.parametrize(
    "kind", ["vectors", "channels", "counts", "floats of counts", "whole grey values"]
)
def test_what_is_seen_of_a_site(kind, fields, bonds):
    """Vectors, channels, counts and grey values of which one is missing, of either dtype."""
    means = np.array([[0.0, 0.5], [1.0, -0.5]])
    covariance = np.array([[1.0, 0.3], [0.3, 0.5]])
    y, x = CHANNELS.copy(), fields([0, 1], (2, 2))
    if kind == "vectors":
        emission, params = lambda x, m: pm.MvNormal.dist(m[x], covariance), [means]
        y[0, 1] = np.nan
        each = np.stack([stats.multivariate_normal(m, covariance).logpdf(y) for m in means])
    elif kind == "channels":
        emission, params = lambda x, m: pm.Normal.dist(m[x], 0.7), [means]
        y[0, 1, 0] = np.nan
        each = np.stack([np.nansum(stats.norm(m, 0.7).logpdf(y), axis=-1) for m in means])
    elif kind == "whole grey values":
        emission, params = lambda x: pm.Normal.dist(100 * x, 50), []
        y = np.ma.array([[20, 130], [7, 70]], mask=[[0, 0], [1, 0]])
        each = np.stack([stats.norm(m, 50).logpdf(y.data) for m in (0, 100)])
        each = np.where(y.mask, 0, each)
    else:
        emission = lambda x, rate, seconds: pm.Poisson.dist(rate[x] * seconds)
        seconds, rate = np.array([[1.0, 2.0], [0.5, 1.0]]), np.array([0.5, 3.0])
        params = [rate, seconds]
        y = np.ma.array([[0, 4], [1, 2]], mask=[[0, 0], [1, 0]])
        each = np.stack([stats.poisson(r * seconds).logpmf(y.data) for r in rate])
        each = np.where(y.mask, 0, each)
        if kind == "floats of counts":
            y = y.astype(float).filled(np.nan)
    each = np.nan_to_num(each)
    with pm.Model() as model:
        beta = pm.Flat("beta", initval=0.4)
        ebm.HiddenEBM(
            "y", beta, energy=free, emission=emission, emission_params=params, states=[0, 1],
            observed=y,
        )  # fmt: skip
    of_data = np.take_along_axis(each[None], x[:, None], axis=1)[:, 0].sum((1, 2))
    prior = 0.4 * bonds(x, np.equal)
    found = model.compile_logp()({"beta": 0.4})
    np.testing.assert_allclose(found, logsumexp(prior + of_data) - logsumexp(prior), atol=1e-10)


@pytest.mark.parametrize("images", [1, 2])
def test_channels_of_a_masked_lattice(images, rng, fields, bonds):
    """The energy takes the shape of the mask alone; by all states of 2 × 3 pixels."""
    mask = np.array([[True, False, True], [True, True, True]])
    means = np.array([[0.0, 1.0], [2.0, 3.0]])
    y = rng.normal(1, 1, (images, 2, 3, 2))
    x = fields([0, 1], (2, 3))
    codes = np.where(mask, x, np.arange(2, 8).reshape(2, 3))  # agree with no other
    prior = 0.4 * bonds(codes, np.equal)
    of_data = stats.norm.logpdf(y[:, None] - means[x]).sum((2, 3, 4))
    truth = (logsumexp(prior + of_data, axis=1) - logsumexp(prior)).sum()
    for reference in (None, ebm.reference.enumeration([0, 1], shape=(2, 3), complete=True)):
        with pm.Model() as model:
            beta = pm.Flat("beta", initval=0.4)
            ebm.HiddenEBM(
                "y", beta, energy=partial(free, mask=mask), states=[0, 1], reference=reference,
                emission=lambda x, mu: pm.Normal.dist(mu[x], 1.0), emission_params=[means],
                observed=y if images > 1 else y[0],
            )  # fmt: skip
        np.testing.assert_allclose(model.compile_logp()({"beta": 0.4}), truth, atol=1e-10)


def test_data_that_a_state_cannot_emit(fields, bonds):
    """Log densities of −inf are no numbers to multiply by zero; all of them make logp −inf."""

    def below(x, top):
        return pm.Uniform.dist(0, pm.math.stack([top, 2.0])[x])

    with pm.Model() as model:
        beta, top = pm.Flat("beta", initval=0.3), pm.Flat("top", initval=1.0)
        ebm.HiddenEBM(
            "y", beta, energy=free, emission=below, emission_params=[top], states=[0, 1],
            observed=np.array([[0.5, 1.5], [0.2, 0.7]]),
        )  # fmt: skip
    x = fields([0, 1], (2, 2))
    prior = 0.3 * bonds(x, np.equal)
    of_data = np.where(x[:, 0, 1] == 1, -np.log(2) * x.sum((1, 2)), -np.inf)
    logp = model.compile_logp()
    truth = logsumexp(prior + of_data) - logsumexp(prior)
    np.testing.assert_allclose(logp({"beta": 0.3, "top": 1.0}), truth, atol=1e-10)


def test_what_is_refused():
    y = np.array([[0.1, 0.4], [1.2, 0.3]])
    fit = partial(ebm.HiddenEBM, "y", energy=free, states=[0, 1], observed=y)
    with pm.Model():
        beta, mu = pm.HalfNormal("beta"), pm.Normal("mu", [0, 1], shape=2)
        fine = lambda x, mu: pm.Normal.dist(mu[x], 1)
        for match, change in {
            "which is no distribution": {"emission": lambda x, mu: mu[x]},
            "uses mu of the model without": {
                "emission": lambda x: pm.Normal.dist(mu[x], 1), "emission_params": [],
            },
            "what the sites may be": {"states": None},
            "two or more different values": {"states": [1, 1]},
            "there are no observed data": {"observed": None},
            "have shape .2, 2, 2, 2.": {"observed": np.zeros((2, 2, 2, 2))},
            "is zero in every state": {"emission": lambda x, mu: pm.Uniform.dist(mu[x] + 1, 9)},
            "of which the field has": {
                "reference": ebm.reference.enumeration([0, 1], shape=(2, 3), complete=True),
            },
            "sites in state -1, which is not among the states .0, 1.": {
                "reference": ebm.reference.enumeration([-1, 1], shape=(2, 2), complete=True),
            },
            "sites in state 2, which is not": {
                "posterior_reference": ebm.reference.enumeration([1, 2], shape=(2, 2)),
            },
            "and the reference has .3,.": {
                "posterior_reference": ebm.reference.enumeration([0, 1], shape=3, complete=True),
            },
            "for each of the states .0, 1.": {
                "emission": lambda x, mu: pm.Normal.dist(mu[x + 1], 1),
            },
            "positional argument": {"emission_params": [mu, 1.0]},
        }.items():  # fmt: skip
            with pytest.raises((ValueError, TypeError), match=match):
                fit(beta, **{"emission": fine, "emission_params": [mu], **change})
        with pytest.raises(NotImplementedError, match="some channels of a vector"):
            fit(
                beta, emission=lambda x, mu: pm.MvNormal.dist(mu[x][..., None] * [1, 1], np.eye(2)),
                emission_params=[mu], observed=np.array([[[np.nan, 1], [0, 1]]] * 2),
            )  # fmt: skip
        with pytest.warns(UserWarning, match="states -1 and 1 emit alike"):
            fit(beta, emission=fine, emission_params=[mu], states=[-1, 1])
    with pytest.raises(ValueError, match="no hidden states to draw"):
        ebm.hidden_states(az.from_dict({"posterior": {"beta": np.zeros((1, 2))}}), model=pm.Model())


@pytest.mark.parametrize("exposed", [False, True])
def test_few_pixels_stand_for_all(exposed, monkeypatch, fields, bonds):
    """By a basis, with covariates of pixels and without; and other data than those observed."""
    monkeypatch.setattr("pymc_ebm.distribution.hidden.references._MANY_NUMBERS", 0)
    y, other = np.array([[3, 0, 2], [1, 6, 4]]), np.array([[0, 2, 1], [4, 4, 3]])
    seconds = np.array([[1.0, 2.0, 1.2], [0.5, 1.5, 0.7]]) if exposed else np.ones((2, 3))
    covariates = [seconds] if exposed else []

    def emission(x, rate, *seconds):
        return pm.Poisson.dist(rate[x] * (seconds[0] if seconds else 1.0))

    with pm.Model():
        beta, rate = pm.HalfNormal("beta"), pm.HalfNormal("rate", 3, shape=2)
        seen = ebm.HiddenEBM(
            "y", beta, energy=free, emission=emission, emission_params=[rate, *covariates],
            states=[0, 1], observed=y,
        )  # fmt: skip
    # One for the zeros, which a rate of zero emits.
    assert len(seen.owner.op.spec.given[0].basis.pivots) == 4 + exposed
    x, values = fields([0, 1], (2, 3)), np.array([0.8, 3.0])
    prior = 0.4 * bonds(x, np.equal)
    given = {beta: 0.4, rate: values}
    for data in (y, other):
        of_data = stats.poisson(values[x] * seconds).logpmf(data).sum((1, 2))
        truth = logsumexp(prior + of_data) - logsumexp(prior)
        np.testing.assert_allclose(pm.logp(seen, data).eval(given), truth, atol=1e-9)


@pytest.mark.parametrize("tails", ["light", "Laplace", "Student", "mixture"])
def test_data_far_from_where_parameters_start(tails, monkeypatch, rng, fields, bonds):
    """All states of 3 × 3 pixels, means at 0 and 1 where sampling starts and data around 50."""
    monkeypatch.setattr("pymc_ebm.distribution.hidden.references._MANY_NUMBERS", 0)
    y = np.where(rng.random((3, 3)) < 0.5, 48.0, 55.0) + rng.laplace(0, 1, (3, 3))
    emission, log_density = {
        "light": (lambda x, mu: pm.Normal.dist(mu[x], 1.0), lambda d: stats.norm.logpdf(d)),
        "Laplace": (lambda x, mu: pm.Laplace.dist(mu[x], 1.0), lambda d: stats.laplace.logpdf(d)),
        "Student": (
            lambda x, mu: pm.StudentT.dist(4, mu=mu[x], sigma=1.0), lambda d: stats.t(4).logpdf(d),
        ),
        "mixture": (
            lambda x, mu: pm.Mixture.dist(
                w=[0.95, 0.05], comp_dists=[pm.Normal.dist(mu[x], s) for s in (1.0, 20.0)]
            ),
            lambda d: np.log(0.95 * stats.norm.pdf(d) + 0.05 * stats.norm.pdf(d, 0, 20)),
        ),
    }[tails]  # fmt: skip
    with pm.Model() as model:
        beta = pm.Flat("beta", initval=0.2)
        mu = pm.Normal("mu", [0, 1], 100, shape=2)
        seen = ebm.HiddenEBM(
            "y", beta, energy=free, states=[0, 1], emission=emission, emission_params=[mu],
            observed=y,
        )  # fmt: skip
    assert (seen.owner.op.spec.given[0].basis is None) == (tails != "light")
    x, means = fields([0, 1], (3, 3)), np.array([48.0, 55.0])
    prior = 0.4 * bonds(x, np.equal)
    truth = logsumexp(prior + log_density(y - means[x]).sum((1, 2))) - logsumexp(prior)
    found = model.compile_logp(vars=[seen])({"beta": 0.4, "mu": means})
    np.testing.assert_allclose(found, truth, atol=1e-9)


def test_covariates_that_are_set_anew(monkeypatch, rng, fields, bonds):
    """Seconds of exposure as `pm.Data`: the likelihood of the counts under the new ones."""
    monkeypatch.setattr("pymc_ebm.distribution.hidden.references._MANY_NUMBERS", 0)
    y, rates = rng.poisson(3, (2, 3)), np.array([1.0, 4.0])
    with pm.Model() as model:
        rate = pm.LogNormal("rate", [0, 1], 1, shape=2)
        seconds = pm.Data("seconds", np.ones((2, 3)))
        ebm.HiddenEBM(
            "y", 0.4, energy=free, states=[0, 1], observed=y, emission_params=[rate, seconds],
            emission=lambda x, rate, seconds: pm.Poisson.dist(rate[x] * seconds),
        )  # fmt: skip
        logp = model.compile_logp(vars=model.observed_RVs)
        x = fields([0, 1], (2, 3))
        prior = 0.4 * bonds(x, np.equal)
        for exposed in (np.ones((2, 3)), rng.uniform(1, 5, (2, 3))):
            pm.set_data({"seconds": exposed})
            of_data = stats.poisson(rates[x] * exposed).logpmf(y).sum((1, 2))
            truth = logsumexp(prior + of_data) - logsumexp(prior)
            np.testing.assert_allclose(logp({"rate_log__": np.log(rates)}), truth, atol=1e-9)
