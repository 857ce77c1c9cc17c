"""What follows from the shifts to a second estimate, by findings made by hand."""

from dataclasses import asdict

import numpy as np
import pytest

from pymc_ebm.diagnostics import Limits
from pymc_ebm.diagnostics.second_estimate import SecondEstimate
from pymc_ebm.diagnostics.second_estimate.agreement import agrees, contradicts, differs, realised

LIMITS = Limits()


def finding(mean=(0.0, 0.0), log_sd=(0.0, 0.0), **changed):
    """The parameter a moves, by a mean or log sd and its standard error; b does not."""
    shift = {"mean": mean[0], "mean_se": mean[1], "log_sd": log_sd[0], "log_sd_se": log_sd[1]}
    still = dict.fromkeys(shift, 0.0)
    sizes = {"change_sd": 0.1, "noise_sd": 0.1, "effective": 0.9}
    return asdict(SecondEstimate(**({"made": True, "shifts": {"a": shift, "b": still}} | sizes
                                    | changed)))  # fmt: skip


def test_what_errors_did_is_bounded_by_the_shift_and_twice_its_error():
    found = realised(finding(mean=(-0.05, 0.02), log_sd=(0.03, 0.01)), LIMITS)
    np.testing.assert_allclose(list(found.shares["a"].values()), [0.09, 0.05])
    assert found.shares["b"] == {"mean": 0.0, "sd": 0.0}
    # Var(Δ)/2 nats, for an sd of Δ of 0.1 and two of its errors.
    np.testing.assert_allclose(found.bits, 0.3**2 / 2 / np.log(2))


def test_no_mean_moves_by_more_than_the_change_varies():
    """However noisy its own shift is: by Cauchy and Schwarz."""
    found = realised(finding(mean=(0.05, 0.04), change_sd=0.06, noise_sd=0.02), LIMITS)
    np.testing.assert_allclose(found.shares["a"]["mean"], 0.1)


UNKNOWN = {
    "no agreement": {"mean": (0.2, 0.0), "change_sd": 0.2},
    "a selection": {"given": ("x",)},
    "not made": {"made": False, "why": "Why."},
    "in doubt": {"doubts": ("Why.",)},
    "another level": {"levels": {"x": [0.4, 0.01]}},
}


@pytest.mark.parametrize("changed", UNKNOWN.values(), ids=UNKNOWN)
def test_errors_are_measured_where_all_is_estimated_twice_and_agrees(changed):
    assert realised(finding(**changed), LIMITS) is None
    assert realised(None, LIMITS) is None


@pytest.mark.parametrize(
    ("mean", "change_sd", "words"),
    [
        ((0.1, 0.02), 1.0, (True, False, False)),
        # More points would tell.
        ((0.2, 0.1), 1.0, (False, False, False)),
        # They would not make it agree.
        ((0.2, 0.01), 1.0, (False, True, False)),
        ((0.5, 0.05), 1.0, (False, True, True)),
    ],
)
def test_when_a_second_estimate_has_said_its_word(mean, change_sd, words):
    found = finding(mean=mean, change_sd=change_sd)
    assert tuple(f(found, LIMITS) for f in (agrees, differs, contradicts)) == words
    doubtful = finding(mean=mean, change_sd=change_sd, doubts=("Why.",))
    assert not any(f(doubtful, LIMITS) for f in (agrees, differs, contradicts))


@pytest.mark.parametrize(
    ("log_sd", "words"),
    [
        ((-0.05, 0.02), (True, False, False)),
        ((0.05, 0.04), (False, False, False)),  # 0.13 with two of its errors
        ((-0.2, 0.06), (False, False, False)),
        ((-0.2, 0.02), (False, True, False)),
        ((0.5, 0.05), (False, True, True)),
        ((0.5, 0.1), (False, True, False)),  # 0.2 without three of its errors
    ],
)
def test_sds_are_told_as_means_are(log_sd, words):
    found = finding(log_sd=log_sd, change_sd=1.0)
    assert tuple(f(found, LIMITS) for f in (agrees, differs, contradicts)) == words


def test_draws_that_weigh_nothing_there_say_that_the_posterior_is_elsewhere():
    there = {"effective": 0.01, "change_sd": 9.0, "noise_sd": 0.5}
    assert contradicts(finding(**there), LIMITS) and not agrees(finding(**there), LIMITS)
    # What noise alone may do, and draws of which many weigh.
    for other in ({"noise_sd": 5.0}, {"effective": 0.9}):
        assert not contradicts(finding(**(there | other)), LIMITS)


def test_levels_are_apart_beyond_their_errors():
    near, far = ({"levels": {"x": [gap, 0.1]}} for gap in (0.3, 0.4))
    assert agrees(finding(**near), LIMITS) and not agrees(finding(**far), LIMITS)
    assert LIMITS.contradiction_errors * 0.1 + LIMITS.level_nats == pytest.approx(0.35)


def test_levels_apart_are_no_agreement_yet():
    """Few points may tell of another level by chance: they have not said their word."""
    found = finding(levels={"x": [0.4, 0.01]})
    assert not agrees(found, LIMITS) and not differs(found, LIMITS)
