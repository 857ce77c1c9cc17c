"""Whether log Ẑ is a number at every draw, and rests on more than a few points."""

import numpy as np

from pymc_ebm.diagnostics.checks.check import Check, Finding, Words
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.words.worst_region import worst_region
from pymc_ebm.numbers import number, percent
from pymc_ebm.weights.pareto_tails import khat_threshold

__all__ = ["Tails", "Weights"]


class Weights(Check):
    """NaN, and points without any weight, by the statistics of every draw."""

    name = "weights"

    def judge(self, finding: Finding, limits: Limits) -> Words:
        """Of every normaliser."""
        words = Words()
        for name in finding.draws.references:
            words += _of_values(name, finding.draws)
        return words


class Tails(Check):
    """The k-hat of the weights at every draw."""

    name = "tails"
    suspects = True

    def judge(self, finding: Finding, limits: Limits) -> Words:
        """Of every normaliser."""
        words = Words()
        for name in finding.draws.references:
            words += _of_tails(name, finding.draws, limits)
        return words


def _of_values(name, draws) -> Words:
    words, stats = Words(), draws.of(name)
    log_z = stats["log_partition"].to_numpy()
    undefined = np.isnan(log_z) | np.isposinf(log_z)
    if undefined.any():
        words.failures.append(
            f"log Ẑ of {name} is not a number at {undefined.sum()} of {log_z.size} draws."
        )
        words.remedies.append(f"Make the energy of {name} finite or +inf at every point.")
    empty = np.isneginf(log_z)
    if empty.any():
        words.failures.append(
            f"No point of {name} has any weight at {empty.sum()} of {log_z.size} draws. "
            f"{worst_region(draws.with_statistics, -stats['log_partition'])}"
        )
        words.remedies.append(draws.references[name]["remedy"].format(name=name))
    return words


def _of_tails(name, draws, limits) -> Words:
    words, stats, reference = Words(), draws.of(name), draws.references[name]
    khat = stats["pareto_k"].to_numpy()
    where = lambda: worst_region(draws.with_statistics, stats["pareto_k"])
    unknown = np.isnan(khat) | np.isposinf(khat)
    if unknown.any():
        words.doubts.append(
            f"k-hat of {name} is undefined at {unknown.sum()} of {khat.size} draws: a few points "
            f"carry all of the weight (least ESS {number(stats['ess'].min())}). {where()}"
        )
    limit = khat_threshold(reference["n_points"])
    high = np.mean(khat > limit)
    if high > limits.high_khat_share or (khat > limits.most_khat).any():
        words.doubts.append(
            f"k-hat of {name} is above {number(limit)} at {percent(high)} of draws, at worst "
            f"{number(np.nanmax(khat))}: the estimate rests on a few points. {where()}"
        )
    elif (usual := np.median(khat)) > limits.variance_khat:
        words.doubts.append(
            f"k-hat of {name} is {number(usual)} at the median draw. Above "
            f"{number(limits.variance_khat)} weights have no variance, and points add more than "
            "their spread tells, scrambled ones above all."
        )
    if words.doubts:
        words.remedies.append(reference["remedy"].format(name=name))
    return words
