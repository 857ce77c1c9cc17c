"""The status of a report where the reference misses a mode."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import stats

import pymc_ebm as ebm


def two_normals(x, d):
    """0.3 N(−d, 1) + 0.7 N(d, 1)."""
    return -pt.logaddexp(np.log(0.3) - (x + d) ** 2 / 2, np.log(0.7) - (x - d) ** 2 / 2)


def many(x, d):
    """Independent normals, more than are searched for modes."""
    return (x**2).sum(-1) / (2 * d**2)


def status(energy, points, data, at):
    """With a posterior near `at`, by 4000 points of N(mean, sd²)."""
    mean, sd = points
    law = stats.norm(mean, sd)
    y = law.rvs((4000, *data.shape[1:]), random_state=1)
    # Without the density elsewhere than at the points.
    q = ebm.reference.from_draws(y, law.logpdf(y).reshape(4000, -1).sum(axis=1))
    with pm.Model():
        d = pm.HalfNormal("d", 10, initval=at)
        ebm.EBM("x", d, energy=energy, reference=q, observed=data)
        draws = at * (1 + 0.01 * stats.norm.ppf((np.arange(50) + 0.5) / 50))
        posterior = xr.Dataset({"d": (("chain", "draw"), draws[None])}).assign_coords(chain=[0])
        idata = xr.DataTree.from_dict({"posterior": posterior})
        ebm.compute_reference_stats(idata, progressbar=False)
    return ebm.report(idata)


@pytest.mark.parametrize("seen", [True, False], ids=["with data", "without data"])
@pytest.mark.filterwarnings("ignore:The energies of the data are mostly above:UserWarning")
def test_a_missed_mode_is_not_ok(seen, rng):
    """30% of the model lie at −6, where a reference around 6 has no points.

    The reference's own weights are as good as equal, and what is missed moves no posterior: the
    level of log Z tells, and the search says why.
    """
    near, far = rng.normal(6, 1, 42), rng.normal(-6, 1, 18)
    found = status(two_normals, (6, 2), np.concatenate([near, far]) if seen else near, 6.0)
    assert found.table["x"]["khat_max"] < 0.5
    assert max(found.added_error["d"].values()) < 0.1
    assert found.status == "inconclusive"
    assert any("level of log Z differ" in reason for reason in found.reasons)
    assert any("miss a part of the model. " in reason for reason in found.reasons)


def test_what_no_search_for_modes_looks_at_is_estimated_twice(rng):
    """A sound reference of 21 coordinates, of which only a second estimate can tell."""
    found = status(many, (0, 2.1), rng.normal(0, 2, (10, 21)), 2.0)
    assert found.status == "ok", found.reasons
    assert max(found.added_error["d"].values()) < 0.1


@pytest.mark.parametrize(
    ("density", "law", "doubt"),
    [
        ("function", (-0.5, 2.0), None),
        ("numbers", (-0.5, 2.0), "selection would leave any is not known"),
        ("function", (5.0, 1.0), "miss a part of the model"),  # few injections where the data are
    ],
)
def test_a_mode_that_a_selection_leaves_no_points_of(density, law, doubt, rng):
    """A detector sees y with Φ((y − 1)/0.5), and most of N(−0.5, 1) lies below."""
    seen = lambda y: y[rng.random(len(y)) < stats.norm.cdf((y - 1) / 0.5)]
    data = seen(rng.normal(-0.5, 1, 500))
    law = stats.norm(*law)
    points = seen(law.rvs(100_000, random_state=rng))
    log_q = law.logpdf if density == "function" else law.logpdf(points)
    q = ebm.reference.from_draws(points, log_q, total_draws=100_000)
    energy = lambda x, mu: (x - mu) ** 2 / 2 + 0.5 * np.log(2 * np.pi)
    with pm.Model():
        mu = pm.Normal("mu", 0, 2, initval=-0.5)
        ebm.EBM("y", mu, energy=energy, reference=q, observed=data)
        found = ebm.check()
    assert found.status == ("inconclusive" if doubt else "ok")
    assert "by the draws of y alone" in found.headline or doubt
    assert not doubt or any(doubt in reason for reason in found.reasons)
    assert not any("refine" in remedy or "Sobol" in remedy for remedy in found.remedies)
