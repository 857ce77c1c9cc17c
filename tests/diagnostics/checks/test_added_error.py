"""What the points of references add: as forecast, or as a second estimate has measured it."""

import numpy as np
import pytest

from pymc_ebm.diagnostics import Finding, Limits
from pymc_ebm.diagnostics.checks import AddedError
from pymc_ebm.diagnostics.second_estimate.agreement import Realised

POSTERIOR = np.resize([-1.0, 1.0], (2, 50))  # of sd 1


def said(draws, mean=0.0, sd=0.0, bits=0.0, limits=None):
    realised = Realised({"s": {"mean": mean, "sd": sd}}, bits)
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
    assert "3.6e+07 times the draws: give x" in remedy and "reference.annealed" in remedy
    fewer = AddedError().judge(Finding(None, draws_of(POSTERIOR, mcse=(3.0, 0.0))), Limits())
    assert "Use 3.6e+03 times the draws (3,600" in fewer.remedies[0]


def test_a_single_group_shows_no_spread(draws_of):
    draws = draws_of(POSTERIOR, mcse=(np.nan, np.nan), bits=np.nan, reference={"n_groups": 1})
    alone = AddedError().judge(Finding(None, draws), Limits())
    assert "a single group" in alone.doubts[0]
    words = said(draws, mean=0.03)
    assert not words.doubts
    assert "an error that is not known" in words.notes[0] and "several" in words.notes[0]
