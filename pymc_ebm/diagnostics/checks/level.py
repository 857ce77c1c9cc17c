"""What the level of log Ẑ means for elpd, LOO and Bayes factors."""

from pymc_ebm.diagnostics.checks.check import Check, Finding, Words
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.numbers import number

__all__ = ["Level"]


class Level(Check):
    """The level cancels in a posterior and does not in a log-likelihood."""

    name = "level"

    def judge(self, finding: Finding, limits: Limits) -> Words:
        """Notes alone: the posterior does not depend on it."""
        words, draws = Words(), finding.draws
        for name, error in draws.statistics["elpd_mcse"].to_series().items():
            if error > 0:
                words.notes.append(
                    f"The level of log Ẑ adds {number(error)} nats to the standard error of the "
                    f"elpd of {name} (LOO), and nothing to the posterior."
                )
        for name, reference in draws.references.items():
            if not reference["absolute"]:
                words.notes.append(
                    f"log Ẑ of {name} is known up to a constant. The posterior does not depend on "
                    "it, but log-likelihoods, LOO and Bayes factors do: they need the "
                    "log_partition of an anchor."
                )
        return words
