"""What halves that disagree, and a bad model, mean for a report."""

import pytest

from pymc_ebm.diagnostics import Finding, Limits
from pymc_ebm.diagnostics.checks.coverage import Coverage


@pytest.fixture
def judged(draws_of):
    def judged(limits=None, amplification=100.0, reference=None, **fields):
        sound = {
            "verdict": "covered",
            "reason": "",
            "missed_mass": 0.0,
            "misfits": 0,
            "n_data": 100,
        }
        sound |= {"halves_nats": 0.001, "halves_p": 0.5}
        draws = draws_of(amplification=amplification, reference=reference)
        finding = Finding({"x": sound | fields}, draws)
        return Coverage().judge(finding, limits or Limits())

    return judged


@pytest.mark.parametrize("p, doubts", [(0.5, 0), (1e-6, 1)])
def test_halves(p, doubts, judged):
    """With amplification 100, 0.1 are ten nats of the log-likelihood."""
    found = judged(halves_nats=0.1, halves_p=p)
    assert len(found.doubts) == doubts and not found.failures
    assert not doubts or "differ by 10 nats" in found.doubts[0]


def test_the_limit_of_the_halves_moves(judged):
    assert not judged(Limits(halves_chance=1e-7), halves_nats=0.1, halves_p=1e-6).doubts


def test_a_misfit_is_the_models_and_no_reason_to_doubt_the_reference(judged):
    """Of 100 data 0.1 are expected there; 2 are luck, and 20 are not."""
    assert len(judged(misfits=2).notes) == 1
    found = judged(misfits=20)
    assert "misfit of the model" in found.notes[1]
    assert not (found.failures or found.doubts or found.remedies)


@pytest.mark.parametrize("shards", [1, 5])
def test_what_was_looked_at_of_shards_is_said(shards, judged):
    """The machine that judges keeps a copy of the first, as `ShardedReference.describe` tells."""
    notes = judged(reference={"shards": shards}).notes
    assert any("of the first of 5 shards alone" in note for note in notes) == (shards == 5)


@pytest.mark.parametrize("verdict", ["missed", "not checked", None])
def test_what_is_missed_or_not_known_is_doubted(verdict, judged, draws_of):
    if verdict is None:
        found = Coverage().judge(Finding(None, draws_of()), Limits())
        assert "Run compute_reference_stats again" in found.doubts[0]
    else:
        found = judged(verdict=verdict, reason="Why.")
        assert "Why." in found.doubts[0]
    assert found.doubts and found.remedies and not found.failures
