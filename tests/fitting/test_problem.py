"""A model as a problem of minimisation: modes with the prior, and the error of references."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from scipy.optimize import minimize

import pymc_ebm as ebm
from pymc_ebm.fitting import Problem, solve


def energy(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


@pytest.mark.slow
def test_modes_spread_by_their_mcse(rng):
    """200 references at fixed data: Σ (error/mcse)² is χ² with 200 degrees of freedom.

    Two-sided at α = 0.001, for each parameter, about the exact mode. The prior moves it by a
    posterior sd and more, so that leaving it out of J or of the Hessian shows.
    """
    data = rng.normal(1, 2, 40)
    prior = {"mu": stats.norm(0, 0.3), "s": stats.gamma(30, scale=1 / 20)}

    def loss(at):
        mu, s = at
        loglik = stats.norm(mu, s).logpdf(data).sum()
        return -loglik - prior["mu"].logpdf(mu) - prior["s"].logpdf(s)

    truth = minimize(loss, [0.5, 1.8], method="Nelder-Mead", options={"xatol": 1e-7}).x
    law = stats.norm(0.5, 3)
    reference = lambda: ebm.reference.from_draws(law.rvs(1000, random_state=rng), law.logpdf)
    with pm.Model() as model:
        mu, s = pm.Normal("mu", 0, 0.3), pm.Gamma("s", 30, 20)
        ebm.EBM("x", mu, s, energy=energy, reference=reference(), observed=data)
    problem = Problem(model, include_prior=True)
    scores = []
    for _ in range(200):
        problem.set_reference(0, reference())
        fit = solve(problem, recenter=False)
        scores.append(
            [(fit.estimate[n] - t) / fit.mcse[n] for n, t in zip(prior, truth, strict=True)]
        )
    lower, upper = stats.chi2(200).ppf([0.0005, 0.9995])
    found = np.square(scores).sum(axis=0)
    assert ((lower < found) & (found < upper)).all()
