"""Four models whose maximum-likelihood estimates and exact draws are known."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.optimize import minimize
from scipy.special import gammaln, logsumexp

import pymc_ebm as ebm
from pymc_ebm.fitting.problem import Problem


@dataclass
class Case:
    """A model with its truth.

    `draw(rng, draws, *params)` is exact; `mle(data)` gives the estimates in the order of `names`,
    and `information(*params)` that of one observation, ``(K, K)``; `reference(rng)` is a fixed
    random reference that covers the model, with a density that is known anywhere.
    """

    names: list[str]
    truth: np.ndarray
    energy: Callable
    priors: Callable
    draw: Callable
    mle: Callable
    information: Callable
    reference: Callable

    def simulate(self, rng, n):
        return self.draw(rng, n, *self.truth)

    def build(self, rng, n):
        """Model and compiled problem with n simulated data."""
        with pm.Model() as model:
            data = pm.Data("data", self.simulate(rng, n))
            reference = self.reference(rng)
            ebm.EBM("x", *self.priors(), energy=self.energy, reference=reference, observed=data)
        return model, Problem(model)

    def se(self, data):
        """Exact standard errors of the estimates."""
        information = len(data) * np.atleast_2d(self.information(*self.mle(data)))
        return np.sqrt(np.diag(np.linalg.inv(information)))

    def vector(self, by_name):
        return np.array([float(by_name[name]) for name in self.names])


def from_scipy(law, draws, rng, **kwargs):
    return ebm.reference.from_draws(
        law.rvs(draws, random_state=rng), log_density=law.logpdf, **kwargs
    )


def gaussian():
    return Case(
        names=["sigma"],
        truth=np.array([2.0]),
        energy=lambda x, s: x**2 / (2 * s**2),
        priors=lambda: [pm.HalfFlat("sigma")],
        draw=lambda rng, draws, s: rng.normal(0, s, draws),
        mle=lambda x: np.array([np.sqrt(np.mean(x**2))]),
        information=lambda s: 2 / s**2,
        reference=lambda rng: from_scipy(stats.norm(0, 4), 4000, rng),
    )


def quartic():
    """p ∝ exp(−a x⁴): a x⁴ ~ Gamma(1/4), and Z = 2 Γ(5/4) a^{−1/4}."""

    def draw(rng, draws, a):
        return rng.choice([-1, 1], draws) * (rng.gamma(0.25, size=draws) / a) ** 0.25

    return Case(
        names=["a"],
        truth=np.array([0.7]),
        energy=lambda x, a: a * x**4,
        priors=lambda: [pm.HalfFlat("a")],
        draw=draw,
        mle=lambda x: np.array([len(x) / (4 * np.sum(x**4))]),
        information=lambda a: 1 / (4 * a**2),
        reference=lambda rng: from_scipy(stats.norm(0, 1.2), 4000, rng),
    )


def exponential_family_mle(statistics, counts, observed, start):
    """Maximum of θ·observed − log Σ_k counts_k exp(θ·statistics_k)."""

    def loss(theta):
        terms = np.log(counts) + statistics @ theta
        log_z = logsumexp(terms)
        return log_z - observed @ theta, np.exp(terms - log_z) @ statistics - observed

    return minimize(loss, start, jac=True, method="BFGS", options={"gtol": 1e-10}).x


def covariance(statistics, counts, theta):
    """Of the statistics at θ: the information of an exponential family."""
    terms = np.log(counts) + statistics @ theta
    return np.cov(statistics.T, aweights=np.exp(terms - logsumexp(terms)), bias=True)


def conway():
    """Conway–Maxwell–Poisson counts, p ∝ λ^k / (k!)^ν, by the sum over 0..200."""
    k = np.arange(201)
    statistics = np.stack([k, -gammaln(k + 1)], axis=1)
    truth = np.array([1.2, 0.9])

    def draw(rng, draws, log_rate, nu):
        p = np.exp(statistics @ [log_rate, nu] - logsumexp(statistics @ [log_rate, nu]))
        return rng.choice(k, draws, p=p)

    def reference(rng):
        law = stats.nbinom(4, 4 / (4 + 4.5))
        y = law.rvs(4000, random_state=rng)
        return ebm.reference.from_draws(y, law.logpmf, support="nonnegative")

    return Case(
        names=["log_rate", "nu"],
        truth=truth,
        energy=lambda x, log_rate, nu: -x * log_rate + nu * pt.gammaln(x + 1),
        priors=lambda: [pm.Flat("log_rate"), pm.HalfFlat("nu")],
        draw=draw,
        mle=lambda x: exponential_family_mle(
            statistics, np.ones(201), np.array([x.mean(), -gammaln(x + 1).mean()]), truth
        ),
        information=lambda *theta: covariance(statistics, np.ones(201), np.array(theta)),
        reference=reference,
    )


def ising():
    """Periodic 4 × 4 lattice with a field, over its 65,536 states."""
    states = ebm.reference.enumeration([-1, 1], shape=(4, 4), complete=True).points
    statistics = lambda s: np.stack(
        [(s * (np.roll(s, 1, -1) + np.roll(s, 1, -2))).sum((-1, -2)), s.sum((-1, -2))], axis=-1
    )
    kinds, kind, counts = np.unique(
        statistics(states), axis=0, return_inverse=True, return_counts=True
    )
    order = np.argsort(kind.ravel(), kind="stable")
    begin = np.r_[0, np.cumsum(counts)[:-1]]
    truth = np.array([0.2, 0.1])

    def draw(rng, draws, beta, field):
        terms = np.log(counts) + kinds @ [beta, field]
        chosen = rng.choice(len(kinds), draws, p=np.exp(terms - logsumexp(terms)))
        # All states of one pair of statistics are equally probable.
        return states[order[begin[chosen] + rng.integers(counts[chosen])]]

    def reference(rng):
        # Weaker couplings, not independent sites: of 8000 of these two or three are the lattice
        # of equal spins, k-hat is 0.75, and the linearised error a fifth too small.
        weaker = truth / 2
        log_q = lambda s: statistics(s) @ weaker - logsumexp(np.log(counts) + kinds @ weaker)
        return ebm.reference.from_draws(draw(rng, 8000, *weaker), log_q)

    return Case(
        names=["beta", "field"],
        truth=truth,
        energy=lambda s, beta, field: (
            -(beta * s * (pt.roll(s, 1, -1) + pt.roll(s, 1, -2)) + field * s).sum((-1, -2))
        ),
        priors=lambda: [pm.Flat("beta"), pm.Flat("field")],
        draw=draw,
        mle=lambda s: exponential_family_mle(kinds, counts, statistics(s).mean(0), truth),
        information=lambda *theta: covariance(kinds, counts, np.array(theta)),
        reference=reference,
    )


CASES = {"gaussian": gaussian, "quartic": quartic, "conway": conway, "ising": ising}


@pytest.fixture
def case(request) -> Case:
    return CASES[request.param]()
