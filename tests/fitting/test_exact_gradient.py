"""Stochastic steps by draws of p(x|θ)."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import optimize, special

import pymc_ebm as ebm

LINE = ebm.reference.quadrature(-np.inf, np.inf)


def gaussian(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


@pytest.mark.parametrize("persistent", [False, True])
def test_exact_gradient_by_our_samplers(persistent, rng):
    """A Gaussian by independent Metropolis and by chains that go on from iteration to iteration."""
    data = rng.normal(0, 2, 100)
    q = ebm.reference.independent(pm.Normal.dist(0, 4), draws=1000, random_seed=1)
    with pm.Model():
        sigma = pm.HalfFlat("sigma")
        ebm.EBM("x", 0.0, sigma, energy=gaussian, reference=q, observed=data)
        fit = ebm.find_MLE(
            "exact_gradient", persistent=persistent, draws=100, random_seed=rng, progressbar=False
        )
    truth = np.sqrt(np.mean(data**2))
    assert fit.converged
    np.testing.assert_allclose(fit.se["sigma"], truth / np.sqrt(200), rtol=0.1)
    assert abs(fit.estimate["sigma"] - truth) < 4 * fit.mcse["sigma"]
    assert np.isnan(fit.objective)


def test_exact_gradient_of_a_regression(rng):
    """One normaliser for each row: draws for each of them. The truth is least squares."""
    x = np.linspace(-1, 1, 30)
    y = 0.5 + 1.5 * x + rng.normal(0, 1, 30)
    q = ebm.reference.independent(pm.Normal.dist(0, 4), draws=500, random_seed=1)
    with pm.Model():
        a, b = pm.Flat("a"), pm.Flat("b")
        ebm.EBM("y", a + b * x, 1.0, energy=gaussian, reference=q, observed=y)
        fit = ebm.find_MLE(
            "exact_gradient",
            sampler=lambda rng, draws, mu, s: rng.normal(mu, s, draws),
            random_seed=rng,
            progressbar=False,
        )
    slope, intercept = np.polyfit(x, y, 1)
    design = np.stack([np.ones(30), x], axis=1)
    se = np.sqrt(np.diag(np.linalg.inv(design.T @ design)))
    for name, truth, error in (("a", intercept, se[0]), ("b", slope, se[1])):
        assert abs(fit.estimate[name] - truth) < 4 * fit.mcse[name]
        np.testing.assert_allclose(fit.se[name], error, rtol=0.1)


def test_exact_gradient_from_a_flat_start(rng):
    """At log rate −7 every draw is 0: the curvature that draws show is none, and yet it arrives."""
    counts = rng.poisson(4, 80)
    energy = lambda k, a: -a * k + pt.gammaln(k + 1)
    states = ebm.reference.enumeration(np.arange(60))
    with pm.Model():
        a = pm.Flat("a", initval=-7.0)
        ebm.EBM("k", a, energy=energy, reference=states, observed=counts)
        fit = ebm.find_MLE(
            "exact_gradient",
            sampler=lambda rng, draws, a: rng.poisson(np.exp(a), draws),
            random_seed=rng,
            progressbar=False,
        )
    assert fit.converged
    assert abs(fit.estimate["a"] - np.log(counts.mean())) < 4 * fit.mcse["a"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": lambda rng, draws, mu, s: rng.normal(mu, s)}, r"shape \(\) .*\(100,\)"),
        ({"sampler": lambda rng, draws, mu, s: rng.normal(mu, s, (draws, 1))}, r"\(100, 1\)"),
        ({"sampler": lambda rng, draws, mu, s: np.full(draws, np.nan)}, "100 values that are not"),
        ({"draws": 1}, "300 iterations of 1 draws"),
        ({"iterations": 1}, "1 iterations of 100 draws"),
    ],
)
def test_exact_gradient_refuses(options, message, rng):
    with pm.Model():
        s = pm.HalfFlat("s")
        ebm.EBM("x", 0.0, s, energy=gaussian, reference=LINE, observed=rng.normal(0, 2, 50))
        with pytest.raises(ValueError, match=message):
            ebm.find_MLE("exact_gradient", progressbar=False, **options)


def test_resampled_points_are_no_draws_of_the_model(rng):
    """Their error is that of the reference, which the spread of the gradients does not show."""
    q = ebm.reference.independent(pm.Normal.dist(0, 4), draws=500, random_seed=1)
    with pm.Model():
        sigma = pm.HalfFlat("sigma")
        ebm.EBM("x", 0.0, sigma, energy=gaussian, reference=q, observed=rng.normal(0, 2, 50))
        with pytest.raises(ValueError, match="own points again"):
            ebm.find_MLE(
                "exact_gradient",
                sampler=ebm.sampling.importance_resampling,
                progressbar=False,
            )


def test_exact_gradient_of_choices(rng, interpreted):
    """Rows of alternatives of their own: within 5 mcse of the multinomial logit by SciPy."""
    sets = [rng.normal(size=(n, 2)) for n in rng.integers(2, 6, size=40)]
    chosen = np.array([s[np.argmax(s @ [1.0, -0.5] + rng.gumbel(size=len(s)))] for s in sets])
    loss = lambda b: sum(special.logsumexp(s @ b) for s in sets) - (chosen @ b).sum()
    truth = optimize.minimize(loss, [0.0, 0.0]).x
    offers = ebm.reference.rows([ebm.reference.enumeration(s, complete=True) for s in sets])
    with pm.Model():
        b = pm.Flat("b", shape=2)
        ebm.EBM(
            "chosen", b, energy=lambda x, b: -(x * b).sum(-1), signature="(k)", reference=offers,
            observed=chosen,
        )  # fmt: skip
        fit = ebm.find_MLE(
            "exact_gradient", sampler=ebm.sampling.importance_resampling, draws=20, iterations=100,
            random_seed=rng, progressbar=False,
        )  # fmt: skip
    assert (np.abs(fit.estimate["b"] - truth) < 5 * fit.mcse["b"]).all()
    assert (fit.mcse["b"] < 0.2 * fit.se["b"]).all()


def test_draws_that_do_not_mix_are_no_converged_estimate(rng):
    """A narrow law proposes for a wide model: the standard error s / √(2N) was said to be 0.126."""
    x = rng.normal(0, 1.7, 200)
    narrow = ebm.reference.independent(pm.Normal.dist(0, 1), 4096, random_seed=1)
    energy = lambda x, s: x**2 / (2 * s**2)
    with pm.Model():
        s = pm.HalfNormal("s", 5, initval=1.5)
        with pytest.warns(UserWarning, match="mostly above those of the reference points"):
            ebm.EBM("x", s, energy=energy, observed=x, reference=narrow)
        fit = ebm.find_MLE("exact_gradient", progressbar=False, random_seed=1)
    assert not fit.converged
