"""A tenth of the posteriors of `make trust`: no wrong one is called ok, no sound one failed."""

from pathlib import Path

import pytest

if not (Path(__file__).parents[1] / "benchmarks").exists():
    pytest.skip("the source distribution has no benchmarks", allow_module_level=True)

from benchmarks import trust
from benchmarks.trust import judge as judging


@pytest.mark.slow
@pytest.mark.parametrize("setup", trust.tenth(), ids=lambda s: f"{s.family}: {s.name}")
def test_no_wrong_posterior_is_called_ok(setup):
    verdict = judging.judge(setup, draws=50, seconds=2.0)
    assert (verdict.truth, verdict.word) != ("wrong", "ok"), verdict
    if verdict.truth == "sound" and not verdict.by_luck:
        assert verdict.word != "failed", verdict.reasons


def test_there_are_many_set_ups_of_every_family():
    families = [s.family for s in trust.SETUPS]
    assert len(families) >= 150 and len(set(families)) >= 16
    assert {s.family for s in trust.tenth()} == set(families)
    assert len({s.name for s in trust.SETUPS}) == len(families)
