"""Whether data and draws are still those of the statistics."""

from pymc_ebm.diagnostics.checks.check import Check, Finding, Words
from pymc_ebm.diagnostics.limits import Limits

__all__ = ["SameData"]


class SameData(Check):
    """Data and draws of the DataTree that have changed since."""

    name = "same_data"

    def judge(self, finding: Finding, limits: Limits) -> Words:
        """Changed data and draws make all other words stale."""
        words, draws = Words(), finding.draws
        if draws.changed_data:
            words.doubts.append(
                f"Stale: {', '.join(draws.changed_data)} changed since the posterior was sampled."
            )
            words.remedies.append(
                "Sample again, then run compute_reference_stats on the new posterior."
            )
        if draws.changed_draws:
            of = draws.statistics.sizes["chain"] * draws.statistics.sizes["draw"]
            words.doubts.append(
                f"Stale: {draws.changed_draws:,} of {of:,} draws are other ones than when the "
                "statistics were computed."
            )
            words.remedies.append("Run compute_reference_stats again.")
        return words
