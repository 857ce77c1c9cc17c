"""Conditional likelihoods of sites against the likelihood, and their standard errors."""

from itertools import permutations, product

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm.fitting.find_mle import solve
from pymc_ebm.fitting.problem import Problem


@pytest.mark.usefixtures("interpreted")
def test_pseudolikelihood_of_scalars_in_a_table_is_the_likelihood(rng):
    """Columns and cells have parameters; the values of scalar x are all enumerated."""
    covariate = rng.normal(size=(30, 2))
    data = rng.integers(0, 3, (30, 2))
    states = ebm.reference.enumeration([0, 1, 2], complete=True)
    fits = []
    for method in ("geyer", "pseudolikelihood"):
        with pm.Model():
            b = pm.Flat("b", shape=2)
            ebm.EBM(
                "x",
                b * covariate,
                b,
                energy=lambda x, b, c: -b * x + 0.1 * c * x**2,
                reference=states,
                observed=data,
            )
            fits.append(ebm.find_MLE(method, progressbar=False))
    np.testing.assert_allclose(fits[0].estimate["b"], fits[1].estimate["b"], rtol=1e-6)
    np.testing.assert_allclose(fits[0].objective, fits[1].objective, rtol=1e-9)


@pytest.mark.usefixtures("interpreted")
def test_pseudolikelihood_of_a_scalar_is_its_likelihood(rng):
    """Few rows of a regression: the estimate and the standard errors of maximum likelihood."""
    x = np.linspace(-1, 1, 12)
    counts = rng.poisson(np.exp(1 + 0.5 * x))
    states = ebm.reference.enumeration(np.arange(60))
    with pm.Model():
        a, b = pm.Flat("a"), pm.Flat("b")
        energy = lambda k, eta: -eta * k + pt.gammaln(k + 1)
        ebm.EBM("k", a + b * x, energy=energy, reference=states, observed=counts)
        fits = [ebm.find_MLE(m, progressbar=False) for m in ("geyer", "pseudolikelihood")]
    for name in ("a", "b"):
        np.testing.assert_allclose(fits[1].estimate[name], fits[0].estimate[name], rtol=1e-6)
        np.testing.assert_allclose(fits[1].se[name], fits[0].se[name], rtol=1e-6)


STATES = ebm.reference.enumeration([-1, 1], shape=(4, 4), complete=True)


def bonds(s):
    return (s * (np.roll(s, 1, -1) + np.roll(s, 1, -2))).sum((-1, -2))


def neighbours(s):
    return sum(np.roll(s, k, axis) for k in (1, -1) for axis in (-1, -2))


@pytest.fixture(scope="module")
def lattices():
    """4 × 4 spins whose number may change: compiled once."""
    energy = lambda s, b: -b * (s * (pt.roll(s, 1, -1) + pt.roll(s, 1, -2))).sum((-1, -2))
    with pm.Model() as model:
        spins = pm.Data("spins", STATES.points[:2])
        beta = pm.Flat("beta", initval=0.3)
        ebm.EBM("s", beta, energy=energy, reference=STATES, observed=spins)
    return Problem(model)


@pytest.mark.parametrize(("coupling", "ratio"), [(0.2, 1.25), (0.4, 0.91)])
def test_pseudolikelihood_needs_the_sandwich(lattices, coupling, ratio, rng):
    """The truth is 1.25 and 0.91 times the Hessian's standard error on 4 × 4.

    2000 lattices and 2000 simulations give standard errors of a ratio of 2% or less.
    """
    p = np.exp(coupling * bonds(STATES.points))
    drawn = STATES.points[rng.choice(len(p), 2000, p=p / p.sum())]
    for spins, simulations in ((drawn, 0), (drawn[:8], 2000)):
        with lattices.model:
            pm.set_data({"spins": spins})
        fit = solve(lattices, "pseudolikelihood", simulations=simulations, random_seed=rng)
        b = float(fit.estimate["beta"])
        # Second derivative of log(2 cosh(b f)) − b f s with f the sum of the four neighbours.
        field = neighbours(spins)
        hessian = (field**2 / np.cosh(b * field) ** 2).sum()
        found = float(fit.se["beta"]) * np.sqrt(hessian)
        if not simulations:
            np.testing.assert_allclose(found, ratio, rtol=0.08)
        else:
            # The ratio at the estimate of eight lattices, by enumeration of all states.
            q = np.exp(b * bonds(STATES.points))
            q /= q.sum()
            all_field = neighbours(STATES.points)
            score = (all_field * (np.tanh(b * all_field) - STATES.points)).sum((1, 2))
            variance = 8 * (q @ score**2 - (q @ score) ** 2)
            np.testing.assert_allclose(found, np.sqrt(variance / hessian), rtol=0.1)


TWO_OF_FIVE = np.array([s for s in product([0, 1], repeat=5) if sum(s) == 2])
TIES = np.array([[[0, a, b], [a, 0, c], [b, c, 0]] for a, b, c in product([0, 1], repeat=3)])


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize(
    ("states", "statistic"),
    [
        (TWO_OF_FIVE, lambda s: s[..., 1:] * s[..., :-1]),
        (TIES, lambda s: s[..., 0] * s[..., 1]),
        (np.array(list(permutations(range(4)))), lambda s: s[..., :2]),
    ],
    ids=["two of five", "symmetric", "permutations"],
)
def test_states_that_one_site_leads_out_of_are_refused(states, statistic, rng):
    """Conditionals over states that there are not gave −0.408 ± 0.022 for 1."""
    energy = lambda s, b: -b * statistic(s).sum(-1)
    theta = 0.5
    weight = statistic(states).sum(-1)
    p = np.exp(theta * weight) / np.exp(theta * weight).sum()
    data = states[rng.choice(len(states), 2000, p=p)]
    reference = ebm.reference.enumeration(states, complete=True)
    with pm.Model():
        ebm.EBM("s", pm.Flat("b"), energy=energy, reference=reference, observed=data)
        with pytest.raises(ValueError, match=r's is of a space .* Use method="geyer"'):
            ebm.find_MLE("pseudolikelihood", progressbar=False)
        fit = ebm.find_MLE("geyer", progressbar=False)
    # Four standard errors of 2000 observations of an exponential family.
    se = 1 / np.sqrt(2000 * (p @ weight**2 - (p @ weight) ** 2))
    np.testing.assert_allclose(fit.estimate["b"], theta, atol=4 * se)


def test_draws_of_counts_are_no_sum_over_all(rng):
    """Few draws of a wide law leave numbers out, so that the rate of a Poisson law was too high."""
    data = rng.poisson(4, 100)
    energy = lambda x, rate: pt.gammaln(x + 1.0) - x * pt.log(rate)
    for name, reference in (
        ("draws", ebm.reference.independent(pm.DiscreteUniform.dist(0, 60), 40, random_seed=1)),
        ("all", ebm.reference.enumeration(range(60))),
    ):
        with pm.Model():
            rate = pm.HalfFlat("rate", initval=3.0)
            ebm.EBM("k", rate, energy=energy, reference=reference, observed=data)
            if name == "draws":
                with pytest.raises(ValueError, match=r"points of k are draws.*enumeration"):
                    ebm.find_MLE("pseudolikelihood", progressbar=False)
            else:
                fits = ebm.find_MLE("pseudolikelihood", progressbar=False).estimate
    np.testing.assert_allclose(fits["rate"], data.mean(), rtol=1e-4)
