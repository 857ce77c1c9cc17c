"""A tenth of the posteriors of `make trust`: no wrong one is called ok, no sound one failed."""

import numpy as np
import pymc as pm
import pytest
from scipy.special import logsumexp

from benchmarks import frontier, trust
from benchmarks.trust import judge as judging
from benchmarks.trust.case import axis
from pymc_ebm.distribution.default_reference import fit_reference
from pymc_ebm.energy.energy import Energy


@pytest.mark.slow
@pytest.mark.parametrize("setup", trust.tenth(), ids=lambda s: f"{s.family}: {s.name}")
def test_no_wrong_posterior_is_called_ok(setup):
    verdict = judging.judge(setup, draws=50, seconds=2.0)
    assert (verdict.truth, verdict.word) != ("wrong", "ok"), verdict
    if verdict.truth == "sound" and not verdict.by_luck:
        assert verdict.word != "failed", verdict.reasons


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n_dim"), [("Gaussian series", 20), ("coupled wells", 12)])
def test_the_default_reference_goes_so_far(name, n_dim, rng):
    """The posterior with its log Z, off by what a cubic fits, against that with the exact one."""
    make, truth, bounds, _ = frontier.CELLS[name]
    law = make(n_dim)
    data = law.draw(rng, truth, frontier.N)
    log_likelihood = law.log_likelihood(data)
    with pm.Model():
        t = pm.Uniform("t", *bounds, initval=truth, default_transform=None)
        q = fit_reference(Energy(law.energy), [t], data, None, False)
    grid = axis(log_likelihood, *bounds)
    p = np.exp(log_likelihood(grid) - log_likelihood(grid).max())
    mean, sd = moments(grid, p)
    places = mean + sd * np.linspace(-3, 3, 7)
    log_z = [logsumexp(q.log_weights - law.energy(q.points, place)) for place in places]
    error = np.polynomial.Polynomial.fit(places, log_z - law.log_z(places), 3)
    found_mean, found_sd = moments(grid, p * np.exp(-frontier.N * (error(grid) - error(mean))))
    assert abs(found_mean - mean) < 0.15 * sd and abs(np.log(found_sd / sd)) < 0.1


def moments(grid, p):
    mean = p @ grid / p.sum()
    return mean, np.sqrt(p @ (grid - mean) ** 2 / p.sum())


def test_there_are_many_set_ups_of_every_family():
    families = [s.family for s in trust.SETUPS]
    assert len(families) >= 150 and len(set(families)) >= 16
    assert {s.family for s in trust.tenth()} == set(families)
    assert len({s.name for s in trust.SETUPS}) == len(families)
