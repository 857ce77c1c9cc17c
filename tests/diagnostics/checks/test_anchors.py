"""Which anchors of a pooled reference are said to stand alone."""

import pytest

from pymc_ebm.diagnostics import Finding, Limits
from pymc_ebm.diagnostics.checks.anchors import Anchors


@pytest.mark.parametrize(
    ("overlap", "anchors", "alone"),
    [
        ([[1.0]], [[1.0]], None),  # a single anchor needs no others
        ([[0.98, 0.02], [0.01, 0.99]], [[1.0], [2.0]], "[2.0]"),
        # Rows behind the anchors are of a law with a known Z, and no anchor's own.
        ([[0.9, 0.1, 0.0], [0.1, 0.9, 0.0], [0.0, 0.0, 1.0]], [[1.0], [2.0]], None),
        ([[0.97, 0.03], [0.2, 0.8]], [[1.0], [2.0]], None),  # as much as is wanted
    ],
)
def test_anchors_that_stand_alone(draws_of, overlap, anchors, alone):
    draws = draws_of(reference={"overlap": overlap, "anchors": anchors})
    limits = Limits(overlap=1 - 0.97)
    words = Anchors().judge(Finding(None, draws), limits)
    assert len(words.doubts) == (alone is not None)
    assert alone is None or f"at {alone} overlap with no others" in words.doubts[0]


def test_it_suspects_more_than_it_can_prove():
    assert Anchors.suspects
