"""What two estimates say of a posterior, by findings made by hand."""

from dataclasses import asdict

import numpy as np
import pytest

from pymc_ebm.diagnostics import CHECKS, Finding, Limits
from pymc_ebm.diagnostics.second_estimate import SecondEstimate

[CHECK] = [check for check in CHECKS if check.name == "second_estimate"]


def words(draws_of, limits=None, mean=(0.0, 0.0), log_sd=(0.0, 0.0), **changed):
    shift = {"mean": mean[0], "mean_se": mean[1], "log_sd": log_sd[0], "log_sd_se": log_sd[1]}
    # A change as large as this bounds no shift.
    sizes = {"change_sd": 1.0, "noise_sd": 0.5, "effective": 0.5}
    given = {"made": True, "ways": {"x": "counting"}, "shifts": {"a": shift}} | sizes | changed
    draws = draws_of(np.resize([-1.0, 1.0], (2, 50)))
    return CHECK.judge(Finding(asdict(SecondEstimate(**given)), draws), limits or Limits())


CASES = {
    "equal": ({}, "notes"),
    "a little, and known": ({"mean": (0.10, 0.02)}, "notes"),
    "a little, and not known": ({"mean": (0.10, 0.03)}, "doubts"),
    "much, and not known": ({"mean": (0.5, 0.1)}, "doubts"),
    "much, and known": ({"mean": (-0.5, 0.05)}, "failures"),
    "an sd a little": ({"log_sd": (0.05, 0.02)}, "notes"),
    "an sd somewhat": ({"log_sd": (0.12, 0.0)}, "doubts"),
    "an sd by much": ({"log_sd": (-0.3, 0.01)}, "failures"),
    "the change bounds all shifts": (
        {"mean": (0.1, 0.05), "change_sd": 0.1, "noise_sd": 0.02},
        "notes",
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
    "a level that is not known": ({"levels": {"x": [0.4, 0.2]}}, "notes"),
    "not made": ({"made": False, "why": "Why."}, "doubts"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_word(case, draws_of):
    changed, kind = case
    said = words(draws_of, **changed)
    for name in ("failures", "doubts"):
        assert len(getattr(said, name)) == (name == kind), said
    assert bool(said.remedies) == (kind != "notes")


def test_a_limit_moves_the_word(draws_of):
    for changed, allowed in (
        ({"mean": (0.2, 0.0)}, {"shift": 0.25}),
        ({"log_sd": (0.2, 0.0)}, {"log_sd_ratio": 0.25}),
        ({"levels": {"x": [0.4, 0.01]}}, {"level_nats": 0.5}),
    ):
        assert words(draws_of, **changed).doubts
        assert not words(draws_of, Limits(**allowed), **changed).doubts


def test_a_selection_is_told_and_no_doubt(draws_of):
    said = words(draws_of, ways={}, given=("x",), shifts={})
    assert "rests on the draws alone" in said.notes[0]
    assert not said.failures and not said.doubts


def test_statistics_of_before_are_no_second_estimate(draws_of):
    draws = draws_of(np.resize([-1.0, 1.0], (2, 50)))
    assert CHECK.judge(Finding(None, draws), Limits()).doubts
