"""Counts: log Z in closed form; by their mean, against moments in NumPy and glmmTMB's estimates."""

import csv
from functools import partial

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.graph.replace import vectorize_graph
from scipy.optimize import brentq
from scipy.special import gammaln, i0e, softmax

import pymc_ebm as ebm
from pymc_ebm.energies import conway_maxwell_poisson, conway_maxwell_poisson_mean
from pymc_ebm.energies.count_rates import LogRateOfMean
from pymc_ebm.energy.split import evaluate


@pytest.mark.parametrize(
    "rate, nu, log_z, atol",
    [
        (1.5, 1.2, 1.389641, 1e-6),
        (3.0, 2.0, 1.968370, 1e-6),
        (3.0, 2.0, np.log(i0e(2 * np.sqrt(3))) + 2 * np.sqrt(3), 1e-12),  # I₀(2√λ)
        (4.0, 1.0, 4.0, 1e-12),  # Poisson
        (0.6, 0.0, -np.log(0.4), 1e-12),  # geometric
        (0.6, 60.0, np.log(1.6), 1e-12),  # Bernoulli
    ],
)
def test_counts(rate, nu, log_z, atol):
    counts = ebm.reference.enumeration(range(300))
    found = ebm.log_partition(conway_maxwell_poisson, np.log(rate), nu, reference=counts)
    assert abs(found.eval() - log_z) < atol


def test_small_integer_counts_in_double_precision(values_of):
    k = np.arange(100, dtype=np.int8)
    found = values_of(conway_maxwell_poisson, k, 0.3, 1.2)
    np.testing.assert_allclose(found, -0.3 * k + 1.2 * gammaln(k + 1.0), rtol=1e-13)


def law(log_rate, nu):
    k = np.arange(2001.0)
    log_weights = log_rate * k - nu * gammaln(k + 1)
    weights = np.exp(log_weights - log_weights.max())
    return k, weights / weights.sum()


@np.vectorize
def log_rate_of_mean(mu, nu):
    def excess(log_rate):
        k, p = law(log_rate, nu)
        return np.log(p @ k / mu)

    return brentq(excess, min(-1.0, np.log(mu)) - 60, 60 if nu > 0 else -1e-9, xtol=1e-13)


@np.vectorize
def slopes(mu, nu):
    """Derivatives of log λ by μ and by ν, by the implicit function theorem."""
    k, p = law(log_rate_of_mean(mu, nu), nu)
    variance = p @ (k - mu) ** 2
    return 1 / variance, p @ ((k - mu) * gammaln(k + 1)) / variance


# Geometric, overdispersed, Poisson, underdispersed, nearly one or two values.
MEANS, DISPERSIONS = np.meshgrid([0.01, 0.4, 1.0, 2.5, 9.0], [0.0, 0.06, 0.3, 1.0, 2.5, 15.0])


def test_rate_of_a_mean_and_its_derivatives():
    mu, nu = pt.dscalars("mu", "nu")
    # E of a count of one is minus log λ.
    log_rate = -conway_maxwell_poisson_mean(pt.constant(1), mu, nu, largest=400)
    rows = [pt.dmatrix("means"), pt.dmatrix("dispersions")]
    log_rate = vectorize_graph(log_rate, dict(zip([mu, nu], rows, strict=True)))
    first = pt.grad(log_rate.sum(), rows)
    second = [*pt.grad(first[0].sum(), rows), *pt.grad(first[1].sum(), rows)]
    at = MEANS, DISPERSIONS
    found = evaluate(
        [log_rate, *first, *second], dict(zip(rows, map(pt.constant, at), strict=True))
    )
    np.testing.assert_allclose(found[0], log_rate_of_mean(*at), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found[1:3], slopes(*at), rtol=1e-8, atol=1e-9)
    inner = DISPERSIONS > 0
    at, found = (MEANS[inner], DISPERSIONS[inner]), [f[inner] for f in found]
    h = 1e-5 * at[0]
    by_mean = (np.array(slopes(at[0] + h, at[1])) - slopes(at[0] - h, at[1])) / (2 * h)
    h = 1e-5 * at[1]
    by_nu = (np.array(slopes(at[0], at[1] + h)) - slopes(at[0], at[1] - h)) / (2 * h)
    # Central differences are right to the square of their step.
    for values, truth in zip(found[3:], [by_mean[0], by_nu[0], by_mean[1], by_nu[1]], strict=True):
        np.testing.assert_allclose(values, truth, rtol=1e-5, atol=1e-6)


def test_no_rate_where_the_sum_is_too_short(values_of):
    for mu, nu, largest in [(60.0, 0.0, 200), (30.0, 1.0, 20)]:
        assert np.isnan(
            values_of(conway_maxwell_poisson_mean, [1, 2], mu, nu, largest=largest)
        ).all()


@pytest.fixture(scope="module")
def articles():
    """Articles of 915 biochemists and their covariates, in the order of glmmTMB's output."""
    with open("tests/data/bio_chemists.csv") as file:
        rows = list(csv.DictReader(file))
    women = [r["fem"] == "Women" for r in rows]
    married = [r["mar"] == "Married" for r in rows]
    numbers = [[float(r[name]) for r in rows] for name in ("kid5", "phd", "ment")]
    covariates = np.column_stack([np.ones(len(rows)), women, married, *numbers])
    return np.array([int(r["art"]) for r in rows]), covariates


# The same regression of log λ.
OF_RATES = [-0.25307, -0.12563, 0.08758, -0.10608, 0.01192, 0.01265]


@pytest.mark.usefixtures("interpreted")
def test_maximum_likelihood_of_a_regression_of_rates(articles):
    """The likelihood there, and a step of Newton's method that ends within the digits given."""
    counts, covariates = articles
    with pm.Model() as model:
        beta = pm.Flat("beta", shape=6)
        nu = pm.HalfFlat("nu", default_transform=None)
        reference = ebm.reference.enumeration(range(101))
        ebm.EBM(
            "art", covariates @ beta, nu, energy=conway_maxwell_poisson, reference=reference,
            observed=counts,
        )  # fmt: skip
    function = model.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values({})
    published = np.array([*OF_RATES, 0.3043])
    value, slope = function(published)
    assert abs(value + 1568.5698) < 5e-4
    hessian = [(function(published + h)[1] - slope) / 1e-6 for h in 1e-6 * np.eye(7)]
    step = -np.linalg.solve(hessian, slope)
    assert (np.abs(step) < [*[1e-5] * 6, 1e-4]).all()


# `glmmTMB(art ~ fem + mar + kid5 + phd + ment, family = compois)`: estimates, standard errors.
BETA = [0.27266, -0.21922, 0.15294, -0.18046, 0.01613, 0.02715]
SE = [0.139, 0.073, 0.082, 0.053, 0.036, 0.0030]


@pytest.mark.slow
def test_maximum_likelihood_of_a_regression_of_means(articles):
    counts, covariates = articles
    by_mean = partial(conway_maxwell_poisson_mean, largest=100)
    with pm.Model():
        beta = pm.Flat("beta", shape=6)
        nu = pm.HalfFlat("nu")
        mu = pm.math.exp(covariates @ beta)
        reference = ebm.reference.enumeration(range(101))
        ebm.EBM("art", mu, nu, energy=by_mean, reference=reference, observed=counts)
        fit = ebm.find_MLE(progressbar=False)
    assert fit.converged
    np.testing.assert_allclose(-fit.objective, -1565.379, atol=5e-4)
    # Half of the last digit that glmmTMB prints.
    np.testing.assert_allclose(fit.estimate["beta"], BETA, atol=1e-5)
    np.testing.assert_allclose(fit.se["beta"], SE, atol=6e-4)


def test_the_graph_of_other_backends_has_the_mean():
    """Means below and above 1 under strong dispersion, where halving brings steps back."""
    means, nus = np.meshgrid([0.01, 0.5, 0.9, 0.99, 1.0, 1.5, 5.0], [0.05, 1, 5, 20, 40, 60])
    m, n = pt.dvectors("m", "n")
    graph = pytensor.function([m, n], LogRateOfMean(200).as_graph(m, n), mode="FAST_COMPILE")
    k, log_rates = np.arange(201), graph(means.ravel(), nus.ravel())
    log_p = log_rates[:, None] * k - nus.ravel()[:, None] * gammaln(k + 1)
    np.testing.assert_allclose(softmax(log_p, axis=1) @ k, means.ravel(), rtol=1e-8)
