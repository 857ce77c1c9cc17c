"""Remedies that a report names, followed: the posterior becomes right and the report says ok."""

import arviz as az
import numpy as np
import pymc as pm
import pytest
from scipy.special import logsumexp

import pymc_ebm as ebm

GRID = np.linspace(0.5, 5, 400)
DATA = 2.0 * np.random.default_rng(5).normal(size=100)


def gaussian(x, s):
    return x**2 / (2 * s**2)


def even_counts(n, s):
    """A discrete normal on multiples of 2, by its width."""
    return n**2 / (2 * (10 * s) ** 2) + 1e3 * (n % 2)


def quantiles(log_z, energy, data, draws=400):
    """Of the posterior of s under HalfNormal(5) and uniform beyond the grid, in random order."""
    log_p = -np.array([energy(data, s).sum() for s in GRID]) - len(data) * log_z - GRID**2 / 50
    share = np.cumsum(np.exp(log_p - log_p.max()))
    found = np.interp((np.arange(draws) + 0.5) / draws, share / share[-1], GRID)
    return np.random.default_rng(0).permutation(found)


def followed(energy, data, reference):
    """The report of a reference, and the quantiles of its posterior."""
    log_z = [logsumexp(reference.log_weights - energy(reference.points, s)) for s in GRID]
    draws = quantiles(np.array(log_z), energy, data)
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        ebm.EBM("x", s, energy=energy, reference=reference, observed=data)
    idata = az.from_dict({"posterior": {"s": draws.reshape(4, -1)}})
    found = ebm.compute_reference_stats(
        idata, model=model, progressbar=False, second_estimate_seconds=60
    )
    return ebm.report(found), draws


def sobol(law):
    return ebm.reference.independent(law, 4096, "sobol", random_seed=1)


GAUSSIAN = (gaussian, DATA, np.log(np.sqrt(2 * np.pi) * GRID))
FAR = np.arange(-1000, 1001)
COUNTS = (
    even_counts,
    2 * np.round(np.random.default_rng(6).normal(0, 5, 60).clip(-10, 10)).astype(int),
    np.array([logsumexp(-even_counts(FAR, s)) for s in GRID]),
)
# What is known, the reference at first, words of the remedy, and the reference that follows it.
CASES = {
    "exact where one can be made": (
        GAUSSIAN,
        lambda: sobol(pm.Normal.dist(0, 0.8)),
        "exact where one can be made (enumeration, quadrature)",
        lambda: ebm.reference.quadrature(-np.inf, np.inf),
    ),
    "heavier tails and more draws": (
        GAUSSIAN,
        lambda: ebm.reference.independent(pm.Normal.dist(0, 1), 500, random_seed=1),
        "wider, with heavier tails and more draws",
        lambda: sobol(pm.StudentT.dist(5, mu=0, sigma=3)),
    ),
    "a higher order": (
        GAUSSIAN,
        lambda: ebm.reference.quadrature(-40, 40, 16),
        "Raise the order of the quadrature",
        lambda: ebm.reference.quadrature(-40, 40, 200),
    ),
    "a wider space": (
        COUNTS,
        lambda: ebm.reference.enumeration(np.arange(-20, 21)),
        "Widen the space",
        lambda: ebm.reference.enumeration(np.arange(-400, 401)),
    ),
}


@pytest.mark.usefixtures("interpreted")
@pytest.mark.filterwarnings("ignore:The energies of the data are mostly above:UserWarning")
@pytest.mark.parametrize("case", CASES)
def test_a_remedy_that_is_followed_serves(case):
    (energy, data, exact), before, words, after = CASES[case]
    report, _ = followed(energy, data, before())
    assert report.status != "ok", report.reasons
    assert any(words in remedy for remedy in report.remedies), report.remedies
    report, draws = followed(energy, data, after())
    assert report.status == "ok", report.reasons
    truth = quantiles(exact, energy, data)
    assert abs(draws.mean() - truth.mean()) < 0.05 * truth.std()
    assert abs(np.log(draws.std() / truth.std())) < 0.05
