"""A tenth of the posteriors of `make trust`: no wrong one is called ok, no sound one failed."""

from pathlib import Path

import numpy as np
import pytest

if not (Path(__file__).parents[1] / "benchmarks").exists():
    pytest.skip("the source distribution has no benchmarks", allow_module_level=True)

from benchmarks import frontier, trust
from benchmarks.trust import judge as judging
from benchmarks.trust.references import default, plain


@pytest.mark.slow
@pytest.mark.parametrize("setup", trust.tenth(), ids=lambda s: f"{s.family}: {s.name}")
def test_no_wrong_posterior_is_called_ok(setup):
    verdict = judging.judge(setup, draws=50, seconds=2.0)
    assert (verdict.truth, verdict.word) != ("wrong", "ok"), verdict
    if verdict.truth == "sound" and not verdict.by_luck:
        assert verdict.word != "failed", verdict.reasons


@pytest.mark.slow
@pytest.mark.parametrize(("name", "n_dim"), [("Gaussian series", 20), ("coupled wells", 12)])
def test_the_default_reference_goes_so_far(name, n_dim, rng):
    """The posterior on a grid against that with the exact log Z, without a report."""
    make, truth, bounds, _ = frontier.CELLS[name]
    law = make(n_dim)
    case = plain(law, law.draw(rng, truth, frontier.N), default, *bounds)
    found = case.estimated(case.build(None), rng, 0)
    assert abs(found.mean - case.exact.mean) < 0.15 * case.exact.sd
    assert abs(np.log(found.sd / case.exact.sd)) < 0.1


def test_there_are_many_set_ups_of_every_family():
    families = [s.family for s in trust.SETUPS]
    assert len(families) >= 150 and len(set(families)) >= 16
    assert {s.family for s in trust.tenth()} == set(families)
    assert len({s.name for s in trust.SETUPS}) == len(families)
