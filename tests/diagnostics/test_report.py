"""Reports of models whose answers are known."""

import json

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import stats as st

import pymc_ebm as ebm
from pymc_ebm.diagnostics import CHECKS, report
from pymc_ebm.distribution.ebm import EBM
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.reference._enumeration import enumeration
from pymc_ebm.reference._from_draws import from_draws
from pymc_ebm.reference._quadrature import quadrature
from pymc_ebm.reference.base import Reference


def test_report_of_a_noisy_estimate(idata):
    """It adds 13% of the sd by its own forecast, where 10% is good."""
    verdict = report(idata, checks=[check for check in CHECKS if check.name != "second_estimate"])
    assert verdict.status == "inconclusive"
    assert any("10% is good" in reason for reason in verdict.reasons)
    np.testing.assert_allclose(verdict.added_error["sigma"]["mean"], 0.0159 / 0.124, rtol=0.1)
    text = str(verdict)
    assert "inconclusive" in text
    assert "likelihood" in text
    assert "inconclusive" in verdict._repr_html_()
    # 13% is to become 5%, and the added variance goes as 1/M.
    assert any("times the draws" in remedy for remedy in verdict.remedies)


def test_a_noisy_estimate_that_fell_well(idata):
    """13% by its own forecast; by a quadrature beside it the mean is nearer than 10%."""
    shift = json.loads(idata["reference_stats"].attrs["second_estimate"])["shifts"]["sigma"]
    assert abs(shift["mean"]) < 0.1 and shift["mean_se"] < 1e-6
    verdict = report(idata)
    assert verdict.status == "ok"
    [reason] = [r for r in verdict.reasons if "made alike" in r]
    assert "some 12." in reason or "some 13" in reason
    assert "added at most 7." in reason


def test_equal_weights_raise_nothing(paper):
    y = st.norm(0, 2).rvs(100, random_state=1)
    reference = from_draws(y, st.norm(0, 2).logpdf)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma")
        log_z = log_partition(lambda x, s: x**2 / 8 + s, sigma, reference=reference)
        pm.Potential("p", -10 * log_z)
    idata = paper.computed(model)
    assert (idata["reference_stats"]["pareto_k"] == -np.inf).all()
    verdict = report(idata)
    assert verdict.status == "ok"
    assert verdict.added_error["sigma"]["mean"] < 1e-6


def test_one_group_of_points_shows_no_spread(paper):
    reference = paper.normal_reference(draws=200)
    run = Reference(reference.points, reference.log_weights, np.zeros(200, int))
    """The error of others made alike is unknown; a second estimate measures that of these."""
    idata = paper.computed(paper.gaussian(run))
    alone = report(idata, checks=[check for check in CHECKS if check.name != "second_estimate"])
    assert alone.status == "inconclusive"
    assert any("single group" in reason for reason in alone.reasons)
    assert any("an error that is not known" in reason for reason in report(idata).reasons)


def test_a_narrow_reference_fails(paper):
    verdict = report(
        paper.computed(paper.gaussian(paper.normal_reference(0, 0.45, 1000)), paper.exact_draws())
    )
    assert verdict.status == "failed"
    assert verdict.remedies


def test_exact_and_complete_is_ok(paper):
    verdict = report(paper.computed(paper.gaussian(quadrature(-np.inf, np.inf, 200))))
    assert verdict.status == "ok"
    assert verdict.remedies == ()
    assert verdict.added_error["sigma"] == {"mean": 0, "sd": 0}


@pytest.mark.parametrize(
    ("reference", "status"),
    [
        (quadrature(-1e4, 1e4, 200), "failed"),  # 100 apart, for a model of width 2
        (quadrature(-20, 20, 20), "inconclusive"),
        (quadrature(-20, 20, 60), "ok"),  # half of the nodes do not do, and all of them do
        (quadrature(-20, 20, 100), "ok"),
    ],
)
def test_a_quadrature_must_resolve_the_model(reference, status, paper):
    verdict = report(paper.computed(paper.gaussian(reference)))
    assert verdict.status == status
    if status != "ok":
        assert any("do not resolve" in reason for reason in verdict.reasons)
        assert any("Raise the order" in remedy for remedy in verdict.remedies)


def test_a_truncated_sum_fails(paper):
    """A Conway-Maxwell-Poisson sum over 0..400 that has not come to its end."""
    reference = enumeration(np.arange(401))
    conway = lambda x, nu: nu * pt.gammaln(x + 1) - x * np.log(1.5)
    with pm.Model() as model:
        nu = pm.HalfNormal("nu")
        EBM("x", nu, energy=conway, reference=reference, observed=np.array([1, 2, 3]))
    posterior = xr.Dataset({"nu": (("chain", "draw"), [[0.05, 0.06]])}).assign_coords(
        chain=[0], draw=[0, 1]
    )
    idata = paper.computed(model, xr.DataTree.from_dict({"posterior": posterior}))
    verdict = report(idata)
    assert verdict.status == "failed"
    assert any("Widen the space" in remedy for remedy in verdict.remedies)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pareto_k", np.nan),
        ("pareto_k", np.inf),
        ("pareto_k", 1.01),
        ("edge_weight", 1e-9),
    ],
)
def test_one_bad_draw_is_never_silent(idata, name, value):
    """A doubt, and where a second estimate gives the same posterior a note."""
    changed = idata.copy(deep=True)
    changed["reference_stats"][name][0, 3, 0] = value
    verdict = report(changed)
    assert verdict.status == "ok"
    word = "k-hat" if name == "pareto_k" else "cuts off"
    assert any(word in reason for reason in verdict.reasons)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_one_draw_without_a_log_partition_fails(idata, value):
    changed = idata.copy(deep=True)
    changed["reference_stats"]["log_partition"][0, 3, 0] = value
    assert report(changed).status == "failed"


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("freedom", [1.5, 3.0])
def test_heavy_tails_by_the_default(freedom, rng):
    """300 data of Student's t, whose log Z is that of its density: draws of s by a grid are ok."""
    data = rng.standard_t(freedom, 300)
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        energy = lambda x, s: (freedom + 1) / 2 * pt.log1p((x / s) ** 2 / freedom)
        EBM("x", s, energy=energy, observed=data)
    grid = np.linspace(0.5, 2.0, 2000)
    log_p = st.t(freedom, 0, grid[:, None]).logpdf(data).sum(axis=1) - grid**2 / 50
    share = np.cumsum(np.exp(log_p - log_p.max()))
    draws = np.interp((np.arange(200) + 0.5) / 200, share / share[-1], grid)
    idata = az.from_dict({"posterior": {"s": rng.permutation(draws).reshape(4, -1)}})
    ebm.compute_reference_stats(idata, model=model, progressbar=False)
    found = report(idata)
    assert found.status == "ok", found.reasons
