"""Each limit decides on both of its sides, by statistics of which one is spoilt."""

import numpy as np
import pytest

from pymc_ebm.diagnostics import CHECKS, Finding, Limits, Words

RULE = {"exact": True, "quadrature": True}
CASES = {
    # check, what is spoilt, the limit that allows it. Without that it is a doubt.
    "k-hat at a few draws": ("tails", {"pareto_k": np.r_[np.full(98, 0.2), 0.9, 0.9]},
                             {"high_khat_share": 0.02}),
    "k-hat at one draw": ("tails", {"pareto_k": np.r_[np.full(99, 0.2), 1.2]}, {"most_khat": 1.5}),
    "k-hat without a variance": ("tails", {"pareto_k": np.full(100, 0.55)},
                                 {"variance_khat": 0.6}),
    "edge": ("exact_rules", {"edge_weight": 1e-9, "reference": RULE}, {"edge_nats": 1e-6}),
    "nodes, a little": ("exact_rules", {"quadrature_error": 1e-3, "reference": RULE},
                        {"quadrature_nats": 0.2}),
    "nodes, a lot": ("exact_rules", {"quadrature_error": 1e-2, "reference": RULE},
                     {"quadrature_nats": 2.0}),
    "effective nodes": ("exact_rules", {"ess": 2.5, "reference": RULE}, {"effective_nodes": 2.0}),
    "overlap": ("anchors", {"reference": {"overlap": [[0.99, 0.01], [0.01, 0.99]],
                                          "anchors": [[1.0], [2.0]]}},
                {"overlap": 0.005}),
    "added error of a mean": ("added_error", {"mcse": (0.2, 0.0)}, {"added_share": 0.3}),
    "added error of an sd": ("added_error", {"mcse": (0.0, 0.7)}, {"added_share": 0.8}),
    "bits": ("added_error", {"bits": 0.3}, {"bits_lost": 0.4}),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_limit_decides(case, draws_of):
    name, spoilt, allowed = case
    spoilt = {
        key: value.reshape(2, 50) if isinstance(value, np.ndarray) else value
        for key, value in spoilt.items()
    }
    [check] = [check for check in CHECKS if check.name == name]
    posterior = np.resize([-1.0, 1.0], (2, 50))  # of sd 1
    judge = lambda draws, limits: check.judge(Finding(None, draws), limits)
    sound = draws_of(posterior, reference=spoilt.get("reference"))
    if "overlap" not in (spoilt.get("reference") or {}):
        words = judge(sound, Limits())
        assert not (words.failures or words.doubts)
    draws = draws_of(posterior, **spoilt)
    words = judge(draws, Limits())
    assert len(words.doubts) == 1 and words.remedies
    assert not words.failures
    words = judge(draws, Limits(**allowed))
    assert not (words.failures or words.doubts)


def test_advice_aims_at_a_share(draws_of):
    """20% of the sd is to become 5%, or 2%: 16 or 100 times the draws."""
    [check] = [check for check in CHECKS if check.name == "added_error"]
    draws = draws_of(np.resize([-1.0, 1.0], (2, 50)), mcse=(0.2, 0.0))
    for share, times in ((0.05, "16 times the draws (16,000 for x)"), (0.02, "100 times")):
        assert times in check.judge(Finding(None, draws), Limits(aimed_share=share)).remedies[0]


@pytest.mark.parametrize("groups, times", [(2, 6.48), (3, 2.20), (16, 1.087)])
def test_errors_that_few_groups_tell(groups, times, draws_of):
    """Student's t reaches 12.71 and 4.303, 2.131 of its units, a normal law 1.960."""
    [check] = [check for check in CHECKS if check.name == "added_error"]
    posterior = np.resize([-1.0, 1.0], (2, 50))
    for share, sound in ((0.099 / times, True), (0.101 / times, False)):
        draws = draws_of(posterior, reference={"n_groups": groups}, mcse=(share, 0.0))
        words = check.judge(Finding(None, draws), Limits())
        assert bool(words.doubts) != sound
        assert sound or "several independent groups" in words.remedies[0]


def test_words_of_the_level(draws_of):
    """Notes of what it adds to the elpd, and of a level that is not known; no doubt of either."""
    [check] = [check for check in CHECKS if check.name == "level"]
    judge = lambda **spoilt: check.judge(Finding(None, draws_of(**spoilt)), Limits())
    for elpd in (0.0, np.nan):
        assert not judge(elpd=elpd).notes
    [note] = judge(elpd=0.3).notes
    assert "adds 0.3 nats" in note
    said = judge(reference={"absolute": False})
    assert "up to a constant" in said.notes[0]
    assert not said.doubts and not said.failures


def test_words_of_the_maximum():
    """A suspicion where data lie outside the hull, and nothing where they do not."""
    [check] = [check for check in CHECKS if check.name == "hull"]
    of = lambda verdict: {"verdict": verdict, "margin": 0.5, "reason": "Why."}
    judge = lambda verdict: check.judge(Finding({"x": of(verdict)}, None), Limits())
    assert check.suspects
    assert len(judge("outside").failures) == len(judge("outside").remedies) == 1
    for verdict in ("inside", "not applicable"):
        assert judge(verdict) == Words()
