"""Whether the data are still those of the statistics."""

from pymc_ebm.diagnostics.checks.check import Check, Finding, Words
from pymc_ebm.diagnostics.limits import Limits

__all__ = ["SameData"]


class SameData(Check):
    """Data of the DataTree that have changed since."""

    name = "same_data"

    def judge(self, finding: Finding, limits: Limits) -> Words:
        """Changed data make all other words stale."""
        changed = finding.draws.changed_data
        if not changed:
            return Words()
        return Words(
            doubts=[f"Stale: {', '.join(changed)} changed since the posterior was sampled."],
            remedies=["Sample again, then run compute_reference_stats on the new posterior."],
        )
