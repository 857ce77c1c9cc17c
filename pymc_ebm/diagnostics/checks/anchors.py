"""Whether the chains at the anchors of a pooled reference overlap."""

import numpy as np

from pymc_ebm.diagnostics.checks.check import Check, Finding, Words
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.numbers import number

__all__ = ["Anchors"]


class Anchors(Check):
    """Chains that are tied to no others know nothing of the difference of their log Ẑ."""

    name = "anchors"
    suspects = True

    def judge(self, finding: Finding, limits: Limits) -> Words:
        """Of every pooled reference of several anchors."""
        words = Words()
        for name, reference in finding.draws.references.items():
            overlap = np.array(reference.get("overlap", []))
            if len(overlap) < 2:
                continue
            with_others = 1 - np.diag(overlap)
            worst = int(with_others[: len(reference["anchors"])].argmin())
            if with_others[worst] < limits.overlap:
                words.doubts.append(
                    f"The chains of {name} at {reference['anchors'][worst]} overlap with no "
                    "others: a point of them belongs to others with probability "
                    f"{number(max(with_others[worst], 0.0))}."
                )
                words.remedies.append(f"Place the anchors of {name} closer.")
        return words
