"""References and single-parameter cases, as set-ups ask for them."""

from __future__ import annotations

import pymc as pm

import pymc_ebm as ebm
from benchmarks.trust.case import Case, axis, on_grid
from benchmarks.trust.laws import Law

__all__ = ["default", "fixed", "iid", "normal", "plain", "sobol", "student_t"]


def plain(law: Law, data, reference, low: float, high: float, **options) -> Case:
    """Data with one parameter between two bounds, under a flat prior."""
    log_likelihood = law.log_likelihood(data)
    grid = axis(log_likelihood, low, high)

    def observe(q, t):
        ebm.EBM("x", t, energy=law.energy, reference=q, observed=data, progressbar=False, **options)

    return on_grid({"t": grid}, log_likelihood(grid), observe, reference)


def normal(mean, sd, shape=()):
    """A normal law."""
    return pm.Normal.dist(mean, sd, shape=shape)


def student_t(nu, sd, shape=()):
    """A Student t law about 0."""
    return pm.StudentT.dist(nu=nu, mu=0, sigma=sd, shape=shape)


def iid(dist, draws=16_384, **options):
    """Independent points of a law, by a seed."""
    return lambda seed: ebm.reference.independent(dist, draws, random_seed=seed, **options)


def sobol(dist, draws=4096, **options):
    """Sobol points of a law, by a seed."""
    return lambda seed: ebm.reference.independent(dist, draws, "sobol", random_seed=seed, **options)


def default(seed):
    """What `EBM` makes itself."""
    return None


def fixed(reference):
    """One reference whatever the seed."""
    return lambda seed: reference
