"""Whether the estimated likelihood has a maximum: `check_hull` as a part of the report."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pymc_ebm.diagnostics.checks.check import Check, Finding, Words
from pymc_ebm.diagnostics.hull._hull import hull_verdicts
from pymc_ebm.diagnostics.limits import Limits

__all__ = ["Maximum", "maximum_words"]


class Maximum(Check):
    """Mean statistics of the data in the hull of those of the points."""

    name = "hull"
    suspects = True

    def measure(self, normalisers, draws):
        """A `HullVerdict` for each observed EBM."""
        return {name: asdict(v) for name, v in hull_verdicts(normalisers).items()}

    def judge(self, finding: Finding, limits: Limits) -> Words:
        """Data outside the hull are a failure."""
        return maximum_words(finding.measured or {})


def maximum_words(verdicts: Mapping[str, Mapping[str, Any]]) -> Words:
    """Words for the verdicts of `check_hull`, as dicts by the name of the variable."""
    words = Words()
    for name, hull in verdicts.items():
        if hull["verdict"] == "outside":
            words.failures.append(
                f"The estimated likelihood of {name} has no maximum. {hull['reason']}"
            )
            words.remedies.append(
                f"Widen or re-centre the reference of {name}, so that its points surround the data."
            )
        elif hull["verdict"] == "edge":
            words.notes.append(
                f"The likelihood of {name} has no finite maximum, and the prior alone bounds the "
                f"posterior. {hull['reason']}"
            )
    return words
