"""What chains that have not mixed, or are short, allow a report to say."""

from dataclasses import asdict

import numpy as np
import pytest
import xarray as xr

import pymc_ebm as ebm
from pymc_ebm.diagnostics import Draws, Finding, Limits
from pymc_ebm.diagnostics.checks.chains import Chains
from pymc_ebm.diagnostics.record import Record
from pymc_ebm.diagnostics.second_estimate import SecondEstimate

CHECK = Chains()


def judged(posterior, limits=None, draws_of=None):
    dims = ("chain", "draw", *"ij"[: np.ndim(posterior) - 2])
    draws = Draws(xr.Dataset({"s": (dims, posterior)}), xr.Dataset(), xr.Dataset(), {})
    return CHECK.judge(Finding(CHECK.measure(None, draws), draws), limits or Limits())


def autoregressive(rng, shape, rho):
    x = rng.normal(size=shape)
    for t in range(1, shape[1]):
        x[:, t] = rho * x[:, t - 1] + np.sqrt(1 - rho**2) * x[:, t]
    return x


@pytest.mark.parametrize("shape", [(4, 1000), (2, 400), (4, 100, 20)])
def test_independent_draws_are_no_reason_to_doubt(shape, rng):
    """Of 40 posteriors none, though R-hat passes 1.01 by chance where there are few draws."""
    alarms = [judged(rng.normal(size=shape)).premises for _ in range(40 if len(shape) == 2 else 5)]
    assert not any(alarms), [a for a in alarms if a]


def test_chains_that_stay_apart(rng):
    """Two modes two sds apart: R-hat is about √(1 + 4/3) by the spread of the chains' means."""
    apart = rng.normal(size=(4, 1000)) + np.array([0, 0, 2, 2])[:, None]
    words = judged(apart)
    assert words.premises[0].startswith("The chains have not mixed: R-hat of s is 1.")
    assert "1.01 is the most allowed" in words.premises[0]
    assert "Sample longer" in words.remedies[0]
    assert not words.failures


def test_few_effective_draws(rng):
    """ρ = 0.97 leaves 0.03/1.97 of the draws, 61 of 4000; its name has the label of its place."""
    slow = autoregressive(rng, (4, 1000), 0.97)
    fine = rng.normal(size=(4, 1000))
    [text] = [t for t in judged(np.stack([fine, slow], axis=2)).premises if "effective" in t]
    assert text.startswith("The posterior of s[1] has ") and "400 are the fewest" in text
    size = float(text.split(" has ")[1].split(" ")[0])
    # The bulk or the tail, whichever is less; an ESS is known to some 20% here.
    assert 25 < size < 90
    assert not judged(slow, Limits(rhat=2.0, effective_draws=20)).premises


@pytest.mark.parametrize("shape", [(1, 4000), (2, 40)])
def test_where_nothing_can_be_told(shape, rng):
    words = judged(np.sort(rng.normal(size=shape).ravel()).reshape(shape))
    assert not words.premises
    assert "was not looked at" in words.notes[0]


def test_a_parameter_that_never_moves_says_nothing(rng):
    still = np.stack([np.ones((2, 500)), rng.normal(size=(2, 500))], axis=2)
    assert not judged(still).premises
    assert not judged(np.ones((2, 500))).premises


def test_a_report_says_it_first_and_is_never_ok_then(draws_of, rng):
    """Whatever else is found: R-hat above 1.01 before a k-hat, which two estimates may overrule."""
    apart = rng.normal(size=(2, 1000)) + np.array([0, 3])[:, None]
    words = {}
    for name, posterior in (("mixed", rng.normal(size=(2, 1000))), ("apart", apart)):
        for khat in (0.2, 2.0):
            draws = draws_of(posterior, pareto_k=khat)
            measured = {
                "chains": CHECK.measure(None, draws),
                "coverage": {"x": COVERED},
                "second_estimate": AGREES,
            }
            record = Record(draws, measured, {})
            words[name, khat] = ebm.diagnostics._report.judged(record, ebm.diagnostics.CHECKS, None)
    assert words["mixed", 0.2].status == "ok"
    assert words["mixed", 2.0].status == "ok"
    assert any("k-hat" in reason for reason in words["mixed", 2.0].reasons)
    assert words["apart", 0.2].status == words["apart", 2.0].status == "inconclusive"
    for khat in (0.2, 2.0):
        assert "have not mixed" in words["apart", khat].reasons[0]


COVERED = {
    "verdict": "covered", "reason": "", "misfits": 0, "n_data": 9, "halves_nats": 0.0,
    "halves_p": 1.0,
}  # fmt: skip
AGREES = asdict(
    SecondEstimate(
        made=True,
        ways={"x": "counting"},
        shifts={"s": {"mean": 0.0, "mean_se": 0.0, "log_sd": 0.0, "log_sd_se": 0.0}},
        change_sd=0.0,
        noise_sd=0.0,
        effective=1.0,
    )
)
