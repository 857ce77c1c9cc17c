"""What the points of references add: as forecast, or as a second estimate has measured it."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from pymc_ebm.diagnostics import Finding, Limits
from pymc_ebm.diagnostics.checks import AddedError
from pymc_ebm.diagnostics.checks.added_error import added_error
from pymc_ebm.diagnostics.second_estimate.agreement import Realised

POSTERIOR = np.resize([-1.0, 1.0], (2, 50))  # of sd 1


def said(draws, mean=0.0, sd=0.0, bits=0.0, limits=None):
    realised = Realised({"s": {"mean": mean, "sd": sd}}, bits, True)
    return AddedError().judge(Finding(None, draws, realised), limits or Limits())


@pytest.mark.parametrize("spoilt", [{"mcse": (0.3, 0.0)}, {"mcse": (0.0, 0.3)}, {"bits": 0.5}])
def test_what_is_measured_overrules_a_forecast(spoilt, draws_of):
    draws = draws_of(POSTERIOR, **spoilt)
    alone = AddedError().judge(Finding(None, draws), Limits())
    assert alone.doubts and alone.remedies
    words = said(draws, mean=0.03, sd=0.02, bits=0.01)
    assert not words.doubts and not words.remedies
    [note] = words.notes
    assert "added at most 3% and lost 0.01" in note and "times the draws" in note


@pytest.mark.parametrize("measured", [{"mean": 0.12}, {"sd": 0.12}, {"bits": 0.3}])
def test_what_is_measured_has_to_be_good_itself(measured, draws_of):
    """Two estimates agree up to 15% of an sd; points that are too few have to be nearer."""
    assert said(draws_of(POSTERIOR, mcse=(0.3, 0.0)), **measured).doubts
    assert not said(draws_of(POSTERIOR, mcse=(0.05, 0.0)), **measured).doubts
    allowed = Limits(added_share=0.2, bits_lost=0.4)
    assert not said(draws_of(POSTERIOR, mcse=(0.3, 0.0)), **measured, limits=allowed).doubts


def test_draws_by_the_million_are_no_advice(draws_of):
    """300 times the posterior sd: 36 million times the 1000 draws would bring it to 5%."""
    alone = AddedError().judge(Finding(None, draws_of(POSTERIOR, mcse=(300.0, 0.0))), Limits())
    [remedy] = alone.remedies
    assert "3.6e7 times the draws: give x" in remedy and "reference.annealed" in remedy
    fewer = AddedError().judge(Finding(None, draws_of(POSTERIOR, mcse=(3.0, 0.0))), Limits())
    assert "Use 3,600 times the draws (3,600" in fewer.remedies[0]


def test_a_single_group_shows_no_spread(draws_of):
    draws = draws_of(POSTERIOR, mcse=(np.nan, np.nan), bits=np.nan, reference={"n_groups": 1})
    alone = AddedError().judge(Finding(None, draws), Limits())
    assert "a single group" in alone.doubts[0]
    words = said(draws, mean=0.03)
    assert not words.doubts
    assert "an error that is not known" in words.notes[0] and "several" in words.notes[0]


def test_few_groups_are_said_to_count_for_more(draws_of):
    """97.5% of Student's t with 7 degrees of freedom is 2.365, of a normal law 1.960."""
    of = lambda groups: AddedError().judge(
        Finding(None, draws_of(POSTERIOR, mcse=(0.2, 0.0), reference={"n_groups": groups})),
        Limits(),
    )
    [doubt] = of(8).doubts
    assert "up to 24% of" in doubt and "by Student's t of 8 groups, and" in doubt
    [doubt] = of(1000).doubts
    assert "up to 20% of" in doubt and "Student" not in doubt


def test_shares_of_parameters_that_move_little_or_never(draws_of):
    """The largest share is told, one that is not known before all others."""
    draws = draws_of(POSTERIOR)
    scales = {"still": 0.0, "small": 0.5, "moved": 0.0, "other": 1.0}
    posterior = xr.Dataset({n: scale * draws.posterior["s"] for n, scale in scales.items()})
    errors = {"still": [0.0, 0.0], "small": [0.1, 0.02], "moved": [0.3, 0.0], "other": [0.1, 0.15]}

    def of(names):
        mcse = xr.Dataset(
            {n: ("statistic", errors[n]) for n in names},
            coords={"statistic": ["mean", "sd"]},
            attrs={"bits_lost": 0.0},
        )
        return replace(draws, posterior=posterior, mcse=mcse)

    found = {name: list(row.values()) for name, row in added_error(of(scales)).items()}
    assert found["still"] == [0, 0] and found["moved"][0] == np.inf
    np.testing.assert_allclose([found["small"], found["other"]], [[0.2, 0.04], [0.1, 0.15]])
    judge = lambda names: AddedError().judge(Finding(None, of(names)), Limits())
    assert "up to 20% of the posterior sd (small)" in judge(["other", "small", "still"]).doubts[0]
    errors["other"] = [np.nan, 0.1]
    assert judge(["other", "small"]).doubts == ["The added error is not a number."]
    two = draws_of(POSTERIOR, mcse=(np.nan, 0.1), reference={"n_groups": 2})
    assert AddedError().judge(Finding(None, two), Limits()).doubts == judge(["other"]).doubts
