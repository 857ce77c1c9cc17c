"""What two estimates say of a posterior, by findings made by hand."""

from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest

from pymc_ebm.diagnostics import CHECKS, Finding, Limits
from pymc_ebm.diagnostics._report import judged
from pymc_ebm.diagnostics.checks import EstimatedTwice, estimated_twice
from pymc_ebm.diagnostics.record import Record
from pymc_ebm.diagnostics.second_estimate import SecondEstimate

[CHECK] = [check for check in CHECKS if check.name == "second_estimate"]


def shift_of(mean=(0.0, 0.0), log_sd=(0.0, 0.0)):
    return {"mean": mean[0], "mean_se": mean[1], "log_sd": log_sd[0], "log_sd_se": log_sd[1]}


def finding(mean=(0.0, 0.0), log_sd=(0.0, 0.0), **changed):
    shift = shift_of(mean, log_sd)
    # A change as large as this bounds no shift.
    sizes = {"change_sd": 1.0, "noise_sd": 0.5, "effective": 0.5}
    given = {"made": True, "ways": {"x": "counting"}, "shifts": {"s": shift}} | sizes | changed
    return asdict(SecondEstimate(**given))


def words(draws_of, limits=None, **found):
    draws = draws_of(np.resize([-1.0, 1.0], (2, 50)))
    return CHECK.judge(Finding(finding(**found), draws), limits or Limits())


CASES = {
    "equal": ({}, "grounds"),
    "a little, and known": ({"mean": (0.10, 0.02)}, "grounds"),
    "a little, and not known": ({"mean": (0.10, 0.03)}, "doubts"),
    "much, and not known": ({"mean": (0.5, 0.1)}, "doubts"),
    "much, and known": ({"mean": (-0.5, 0.05)}, "failures"),
    "an sd a little": ({"log_sd": (0.05, 0.02)}, "grounds"),
    "an sd a little, and not known": ({"log_sd": (0.09, 0.01)}, "doubts"),
    "an sd by much, and not known": ({"log_sd": (0.3, 0.1)}, "doubts"),
    "one parameter of two": ({"shifts": {"a": shift_of(), "b": shift_of((0.2, 0.0))}}, "doubts"),
    "the sd of one of two": (
        {"shifts": {"a": shift_of(), "b": shift_of((0.0, 0.0), (0.12, 0.0))}},
        "doubts",
    ),
    "an sd somewhat": ({"log_sd": (0.12, 0.0)}, "doubts"),
    "an sd by much": ({"log_sd": (-0.3, 0.01)}, "failures"),
    "the change bounds all shifts": (
        {"mean": (0.1, 0.05), "change_sd": 0.1, "noise_sd": 0.02},
        "grounds",
    ),
    "the posterior lies elsewhere": ({"effective": 0.02, "change_sd": 20.0}, "failures"),
    "a higher maximum elsewhere": (
        {"elsewhere": {"gain": 5.0, "at": 8.0, "parameter": "a"}},
        "failures",
    ),
    "few effective draws by noise alone": (
        {"mean": (0.2, 0.1), "effective": 0.02, "change_sd": 3.0, "noise_sd": 2.0},
        "doubts",
    ),
    "the second is in doubt itself": ({"mean": (1.0, 0.0), "doubts": ("Why.",)}, "doubts"),
    "another level": ({"levels": {"x": [0.4, 0.01]}}, "doubts"),
    "a level that is not known": ({"levels": {"x": [0.4, 0.2]}}, "grounds"),
    "another level and another posterior": (
        {"mean": (1.0, 0.0), "levels": {"x": [0.4, 0.01]}},
        "failures",
    ),
    "not made": ({"made": False, "why": "Why."}, "doubts"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_word(case, draws_of):
    changed, kind = case
    said = words(draws_of, **changed)
    for name in ("failures", "doubts"):
        assert len(getattr(said, name)) == (name == kind), said
    assert bool(said.remedies) == (kind != "grounds")


@pytest.mark.parametrize(
    ("mean", "doubts", "remedy"),
    [((0.1, 0.04), (), "second_estimate_seconds"), ((0.4, 0.05), (), "reference that reaches"),
     ((0.1, 0.04), ("Why.",), "reference that reaches")],
)  # fmt: skip
def test_where_its_own_error_leaves_it_open_it_needs_time(mean, doubts, remedy, draws_of):
    [said] = words(draws_of, mean=mean, doubts=doubts).remedies
    assert remedy in said


def test_the_largest_shifts_are_named(draws_of):
    """With what is not known of them: twice the standard error."""
    shifts = {
        "a": shift_of((0.10, 0.00), (0.02, 0.03)),
        "b": shift_of((0.05, 0.06), (0.05, 0.00)),
        "c": shift_of((0.01, 0.00), (0.01, 0.00)),
    }
    [ground] = words(draws_of, shifts=shifts, change_sd=0.14, noise_sd=0.0).grounds
    assert ground.startswith("Two estimates give the same posterior to 0.14 ")
    assert "the mean of b moves by 0.05 ± 0.06 of its sd" in ground
    # expm1(0.02), and as much of the error.
    assert "the sd of a by 2 ± 3%" in ground


def test_no_digits_are_given_of_nothing(draws_of):
    """Rounding errors of two exact sums are no shift."""
    [ground] = words(draws_of, mean=(5e-15, 0.0), log_sd=(1e-13, 1e-12), change_sd=0.0).grounds
    assert "to 0.001 sd." in ground and "no mean and no sd moves by a millionth" in ground


def made_in(*seconds):
    """Normalisers whose references took so long to make."""
    return SimpleNamespace(references={s: SimpleNamespace(seconds=s) for s in seconds})


@pytest.mark.parametrize(
    ("given", "took", "expected"), [(3.0, 60.0, 3.0), (None, 60.0, 67.0), (None, None, 10.0)]
)
def test_it_may_take_as_long_as_the_first_and_sampling(
    given, took, expected, draws_of, monkeypatch
):
    asked = []

    def second_estimate(posterior, normalisers, statistics, seconds, limits):
        asked.append((seconds, limits.shift))
        return SecondEstimate(**finding())

    monkeypatch.setattr(estimated_twice, "second_estimate", second_estimate)
    draws = draws_of()
    draws.posterior.attrs |= {} if took is None else {"sampling_time": took}
    assert EstimatedTwice(given).measure(made_in(5.0, 2.0), draws)["made"]
    assert asked == [(expected, Limits().shift)]


def test_points_that_add_much_are_measured_as_finely_as_they_should_be(draws_of, monkeypatch):
    asked = []

    def second_estimate(posterior, normalisers, statistics, seconds, limits):
        asked.append(limits.shift)
        return SecondEstimate(**finding())

    monkeypatch.setattr(estimated_twice, "second_estimate", second_estimate)
    for mcse in ((0.05, 0.0), (0.3, 0.0), (np.nan, 0.0)):
        draws = draws_of(np.resize([-1.0, 1.0], (2, 50)), mcse=mcse)
        EstimatedTwice().measure(made_in(), draws)
    assert asked == [Limits().shift, Limits().added_share, Limits().added_share]


def test_a_limit_moves_the_word(draws_of):
    for changed, allowed in (
        ({"mean": (0.2, 0.0)}, {"shift": 0.25}),
        ({"log_sd": (0.2, 0.0)}, {"log_sd_ratio": 0.25}),
        ({"levels": {"x": [0.4, 0.01]}}, {"level_nats": 0.5}),
        ({"mean": (0.1, 0.04)}, {"agreement_errors": 1.0}),
    ):
        assert words(draws_of, **changed).doubts
        assert not words(draws_of, Limits(**allowed), **changed).doubts


def test_the_errors_that_a_contradiction_exceeds(draws_of):
    for errors, kind in ((3.0, "doubts"), (1.0, "failures")):
        limits = Limits(contradiction_errors=errors)
        assert getattr(words(draws_of, limits, mean=(0.5, 0.1)), kind)


def test_what_lies_elsewhere_is_said(draws_of):
    far = words(draws_of, effective=0.02, change_sd=20.0)
    assert "lies outside the draws, of which 2% stay effective" in far.failures[0]
    near = words(draws_of, mean=(1.0, 0.0))
    assert "outside the draws" not in near.failures[0]
    top = words(draws_of, elsewhere={"gain": 5.0, "at": 8.0, "parameter": "a"})
    assert "5 nats higher at a = 8" in top.failures[0]


def test_a_selection_is_told_and_no_doubt(draws_of):
    """It is "ok" for as far as one estimate goes, and the headline says so."""
    said = words(draws_of, ways={}, given=("x",), shifts={})
    assert "rests on the draws alone" in said.grounds[0]
    assert not said.failures and not said.doubts
    seen = {"verdict": "covered", "reason": "", "misfits": 0, "n_data": 9, "halves_nats": 0.0,
            "halves_p": 1.0}  # fmt: skip
    once = finding(ways={}, given=("x",), shifts={})
    measured = {"second_estimate": once, "coverage": {"x": seen}}
    report = judged(Record(draws_of(), measured, {}), CHECKS, None)
    assert report.status == "ok" and report.estimated_once == ("x",)
    assert report.headline == (
        "Estimated normalisers: ok by the draws of x alone, estimated once. The draws of x are "
        "what a selection has left."
    )


SIGNS = {
    "a k-hat": {"pareto_k": 2.0},
    "a k-hat without an end": {"pareto_k": np.inf},
    "an added error": {"mcse": (0.7, 0.0)},
    "an edge": {"edge_weight": 0.1, "reference": {"exact": True, "quadrature": True}},
    "nodes": {"quadrature_error": 0.1, "reference": {"exact": True, "quadrature": True}},
    "points that miss data": {"coverage": "missed"},
    "a hull": {"hull": "outside"},
}
SECOND = {
    "agrees": {},
    "leaves it open": {"mean": (0.2, 0.1)},
    "is none": {"made": False, "why": "Why."},
    "contradicts": {"mean": (1.0, 0.0)},
}


@pytest.mark.parametrize("second", SECOND)
@pytest.mark.parametrize("sign", SIGNS)
def test_signs_alone_fail_no_posterior(sign, second, draws_of):
    """They explain a contradiction; an added error is a doubt where two estimates agree too."""
    spoilt = dict(SIGNS[sign])
    seen = {"verdict": spoilt.pop("coverage", "covered"), "reason": "R.", "misfits": 0,
            "missed_mass": 0.9, "n_data": 9, "halves_nats": 0.0, "halves_p": 1.0}  # fmt: skip
    hull = {"verdict": spoilt.pop("hull", "inside"), "margin": 2.0, "reason": "R."}
    draws = draws_of(np.resize([-1.0, 1.0], (2, 50)), **spoilt)
    measured = {
        "second_estimate": finding(**SECOND[second]), "coverage": {"x": seen}, "hull": {"x": hull},
        "chains": None,
    }  # fmt: skip
    report = judged(Record(draws, measured, {}), CHECKS, None)
    expected = {
        "agrees": "inconclusive" if sign == "an added error" else "ok",
        "contradicts": "failed",
    }.get(second, "failed" if sign == "a hull" else "inconclusive")
    assert report.status == expected, report.reasons
    assert report.remedies or expected == "ok"


@pytest.mark.parametrize(
    ("looked", "absolute", "mass", "word"),
    [(False, False, 0.9, "inconclusive"), (True, False, 0.9, "ok"), (False, True, 0.9, "ok"),
     (False, False, 0.01, "ok")],
)  # fmt: skip
def test_mass_that_is_missed_alike_at_all_draws(looked, absolute, mass, word, draws_of):
    """No level tells of it where the reference has none: then it takes a look elsewhere."""
    reference = {"absolute": absolute}
    draws = draws_of(np.resize([-1.0, 1.0], (2, 50)), reference=reference)
    seen = {"verdict": "missed", "reason": "R.", "misfits": 0, "missed_mass": mass,
            "n_data": 9, "halves_nats": 0.0, "halves_p": 1.0}  # fmt: skip
    hull = {"verdict": "inside", "margin": 2.0, "reason": "R."}
    measured = {"second_estimate": finding(looked=looked), "coverage": {"x": seen},
                "hull": {"x": hull}, "chains": None}  # fmt: skip
    report = judged(Record(draws, measured, {}), CHECKS, None)
    assert report.status == word, report.reasons
    unknown = [r for r in report.reasons if "higher far from the draws is not known" in r]
    assert len(unknown) == (not looked)


def test_statistics_of_before_are_no_second_estimate(draws_of):
    draws = draws_of(np.resize([-1.0, 1.0], (2, 50)))
    assert CHECK.judge(Finding(None, draws), Limits()).doubts
