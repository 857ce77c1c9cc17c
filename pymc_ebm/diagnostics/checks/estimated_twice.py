"""Whether a second estimate of every normaliser gives the same posterior."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from numbers import Real

import numpy as np

from pymc_ebm.diagnostics.checks.added_error import added_error
from pymc_ebm.diagnostics.checks.check import Check, Draws, Finding, Words
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.second_estimate import second_estimate
from pymc_ebm.diagnostics.second_estimate.agreement import (
    agrees,
    contradicts,
    differs,
    furthest,
    levels_apart,
    lies_elsewhere,
)
from pymc_ebm.numbers import give_or_take, number, percent

__all__ = ["EstimatedTwice"]

_NOT_LOOKED = "Whether its log-probability is higher far from the draws is not known."
_MORE_SECONDS = "Give compute_reference_stats a larger second_estimate_seconds."


@dataclass(frozen=True)
class EstimatedTwice(Check):
    """The posterior with a second estimate of its normalisers in place of the first.

    Attributes
    ----------
    seconds : float, optional
        See `compute_reference_stats`.
    """

    seconds: float | None = None

    name = "second_estimate"

    def measure(self, normalisers, draws):
        """A `SecondEstimate`, with as much time as the first and sampling took, 10 s at least."""
        seconds = self.seconds
        if seconds is None:
            made = sum(reference.seconds for reference in normalisers.references.values())
            sampled = draws.posterior.attrs.get("sampling_time", 0.0)
            # Other tools keep a time as text.
            seconds = max(10.0, made + float(sampled if isinstance(sampled, Real) else 0.0))
        limits = Limits()
        # Points that are forecast to add more than is good have to be measured as finely.
        if _more_than(limits.added_share, draws):
            limits = replace(limits, shift=min(limits.shift, limits.added_share))
        found = second_estimate(
            draws.with_statistics, normalisers, draws.statistics, seconds=seconds, limits=limits
        )
        return asdict(found)

    def judge(self, finding: Finding, limits: Limits) -> Words:
        """Agreement, contradiction, or what is not known."""
        found = finding.measured
        if found is None:
            return Words(
                doubts=["The normalisers were estimated once only."],
                remedies=["Run compute_reference_stats again."],
            )
        words = Words(
            grounds=[
                f"The draws of {name} are what a selection has left. No second estimate can repeat "
                "that, so what is said of them rests on the draws alone: mass that none of them "
                "has reached would not be seen."
                for name in found["given"]
            ]
        )
        if not found["made"]:
            words.doubts.append(f"The normalisers were estimated once only. {found['why']}")
            words.remedies.append(
                "Compare the posterior with that of a reference of another kind, a wider one say."
            )
            return words
        if not found["ways"]:
            return words
        ways = "; ".join(f"{way} for {name}" for name, way in found["ways"].items())
        moved = _worst(found["shifts"], limits.agreement_errors)
        levels = levels_apart(found, limits)
        if levels and not contradicts(found, limits):
            of_each = ", ".join(
                f"{give_or_take(d, se)} nats for {n}" for n, (d, se) in levels.items()
            )
            words.doubts.append(
                " ".join(
                    [
                        f"Two estimates of the level of log Z differ, by {of_each}. The points "
                        "miss a part of the model, and log-likelihoods and predictive draws with "
                        f"it; with the second ({ways}) {moved}.",
                        *found["doubts"],
                    ]
                )
            )
            words.remedies.append(_remedy(found))
        elif agrees(found, limits):
            words.grounds.append(
                " ".join(
                    [
                        "Two estimates give the same posterior to "
                        f"{number(max(furthest(found, limits), 1e-3))} sd. With the second "
                        f"({ways}) {moved}.",
                        *found["unseen"],
                        *([] if found["looked"] else [_NOT_LOOKED]),
                    ]
                )
            )
        elif contradicts(found, limits):
            words.failures.append(
                f"Two estimates contradict each other. With the second ({ways}) "
                f"{moved}.{_elsewhere(found, limits)}"
            )
            words.remedies.append(_remedy(found))
        else:
            words.doubts.append(
                " ".join(
                    [
                        "Two estimates do not settle the posterior. With the "
                        f"second ({ways}) {moved}.",
                        *found["doubts"],
                        *found["unseen"],
                    ]
                )
            )
            # It is the error of the second estimate alone that leaves it open.
            noise = not (found["doubts"] or differs(found, limits))
            words.remedies.append(_MORE_SECONDS if noise else _remedy(found))
        return words


def _more_than(share: float, draws: Draws) -> bool:
    return any(not value <= share for row in added_error(draws).values() for value in row.values())


def _elsewhere(found, limits: Limits) -> str:
    if place := found["elsewhere"]:
        return (
            f" The log-probability of the second is {number(place['gain'])} nats higher at "
            f"{place['parameter']} = {number(place['at'], digits=3)} than at any of the draws."
        )
    if not lies_elsewhere(found, limits):
        return ""
    left = percent(found["effective"])
    return (
        f" The posterior of the second lies outside the draws, of which {left} stay effective: the "
        "direction is right, the size is not."
    )


def _worst(shifts, errors: float) -> str:
    """The largest shifts, with so many standard errors, in words."""
    name = max(shifts, key=lambda n: abs(shifts[n]["mean"]) + errors * shifts[n]["mean_se"])
    mean, mean_se = shifts[name]["mean"], shifts[name]["mean_se"]
    other = max(shifts, key=lambda n: abs(shifts[n]["log_sd"]) + errors * shifts[n]["log_sd_se"])
    log_sd, log_sd_se = shifts[other]["log_sd"], shifts[other]["log_sd_se"]
    if max(abs(mean) + errors * mean_se, abs(log_sd) + errors * log_sd_se) < 1e-6:
        return "no mean and no sd moves by a millionth of an sd"
    by = give_or_take(100 * np.expm1(log_sd), 100 * np.exp(log_sd) * log_sd_se)
    return (
        f"the mean of {name} moves by {give_or_take(mean, mean_se)} of its sd, and the sd of "
        f"{other} by {by}%"
    )


def _remedy(found) -> str:
    names = ", ".join(found["ways"])
    return (
        f"Give {names} a reference that reaches all of the model: exact where one can be made "
        "(enumeration, quadrature), and else wider, with heavier tails and more draws."
    )
