"""Whether sums and quadratures are complete and resolve the model."""

import numpy as np

from pymc_ebm.diagnostics.checks.check import Check, Draws, Finding, Words
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.numbers import number

__all__ = ["ExactRules"]


class ExactRules(Check):
    """The edge of a truncated space, and the nodes of a quadrature, by statistics of every draw."""

    name = "exact_rules"
    suspects = True

    def judge(self, finding: Finding, limits: Limits) -> Words:
        """Of every normaliser; random references have no edge and no nodes."""
        words, draws = Words(), finding.draws
        for name in draws.references:
            words += _of_edge(name, draws, limits)
            words += _of_nodes(name, draws, limits)
        whole = all(r["exact"] and r["complete"] for r in draws.references.values())
        if whole and not words.doubts:
            words.notes.append("Every normaliser is exact and nothing is cut off.")
        return words


def _nats(name: str, statistic: str, draws: Draws) -> np.ndarray:
    """A statistic in nats of log Ẑ, in nats of the log-likelihood."""
    stats = draws.of(name)
    return (stats[statistic] * np.maximum(abs(stats["amplification"]), 1)).to_numpy()


def _of_edge(name, draws, limits) -> Words:
    words, reference = Words(), draws.references[name]
    cut = _nats(name, "edge_weight", draws)
    if (cut > limits.edge_nats).any():
        words.doubts.append(
            f"The truncated space of {name} cuts off mass: weight at its edge times the "
            f"amplification is {number(cut.max())}, and {number(limits.edge_nats)} is the most "
            "allowed."
        )
        words.remedies.append(
            f"Widen the space of {name}, or state complete=True if it ends there."
        )
    if reference["exact"] and not (reference["complete"] or reference["edge_known"]):
        words.doubts.append(f"The space of {name} is truncated and its edge is not known.")
        words.remedies.append(f"State complete=True if the space of {name} ends there.")
    return words


def _of_nodes(name, draws, limits) -> Words:
    words, least = Words(), draws.of(name)["ess"].min().item()
    coarse = _nats(name, "quadrature_error", draws)
    # By symmetry half of the nodes may agree with all of them though the model falls in between.
    enough = not draws.references[name]["quadrature"] or least >= limits.effective_nodes
    if (coarse <= limits.quadrature_nats).all() and enough:
        return words
    words.doubts.append(
        f"The nodes of {name} do not resolve the model: half of them change the log-likelihood "
        f"by up to {number(coarse.max())} nats, where {number(limits.quadrature_nats)} is the most "
        f"allowed, and {number(least)} are effective."
    )
    words.remedies.append(
        f"Raise the order of the quadrature of {name}, or give bounds near the data; "
        "standardise data that are far from 0."
    )
    return words
