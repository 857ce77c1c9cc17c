"""Whether two estimates of a posterior agree, contradict each other, or leave it open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from pymc_ebm.diagnostics.limits import Limits

__all__ = [
    "Realised",
    "agrees",
    "contradicts",
    "differs",
    "furthest",
    "levels_apart",
    "lies_elsewhere",
    "realised",
]


class Realised(NamedTuple):
    """At most so much have the errors of all normalisers changed a posterior.

    Attributes
    ----------
    shares : dict of dict
        By parameter, of its worst element: "mean" and "sd", in posterior sds.
    bits : float
        Of information that is lost.
    looked : bool
        Whether the posterior was looked for far from its draws as well.
    """

    shares: dict[str, dict[str, float]]
    bits: float
    looked: bool


def agrees(found: Mapping[str, Any] | None, limits: Limits) -> bool:
    """Whether a second estimate of every normaliser gives the same posterior.

    Parameters
    ----------
    found : dict, optional
        A `SecondEstimate` as a dict.
    limits : Limits
    """
    if found is None or not found["made"] or found["doubts"]:
        return False
    if found["elsewhere"] or lies_elsewhere(found, limits) or levels_apart(found, limits):
        return False
    mean, log_sd = _largest(found, limits)
    each = mean <= limits.shift and log_sd <= limits.log_sd_ratio
    return each or _change(found, limits) <= limits.shift


def furthest(found: Mapping[str, Any], limits: Limits) -> float:
    """Sds by which a mean or an sd moves at most, with the errors that count against agreement."""
    return min(max(_largest(found, limits)), _change(found, limits))


def contradicts(found: Mapping[str, Any], limits: Limits) -> bool:
    """Whether two estimates cannot both be right."""
    if found["doubts"]:
        return False
    shifts, errors = found["shifts"].values(), limits.contradiction_errors
    return (
        bool(found["elsewhere"])
        or lies_elsewhere(found, limits)
        or any(
            abs(s["mean"]) - errors * s["mean_se"] > limits.most_shift
            or abs(s["log_sd"]) - errors * s["log_sd_se"] > limits.most_log_sd_ratio
            for s in shifts
        )
    )


def differs(found: Mapping[str, Any], limits: Limits) -> bool:
    """Whether a shift is too large for agreement, whatever a better second estimate would say.

    By as many standard errors as a contradiction takes: after fewer a better one may agree.
    """
    errors = limits.contradiction_errors
    return not found["doubts"] and any(
        abs(s["mean"]) - errors * s["mean_se"] > limits.shift
        or abs(s["log_sd"]) - errors * s["log_sd_se"] > limits.log_sd_ratio
        for s in found["shifts"].values()
    )


def levels_apart(found: Mapping[str, Any], limits: Limits) -> dict[str, list[float]]:
    """The levels of log Z that differ, and the standard error of that, in nats."""
    apart = lambda d, se: abs(d) > limits.contradiction_errors * se + limits.level_nats
    return {name: [d, se] for name, (d, se) in found["levels"].items() if apart(d, se)}


def lies_elsewhere(found: Mapping[str, Any], limits: Limits) -> bool:
    """Whether the posterior of the second estimate lies outside the draws."""
    few = found["effective"] < limits.effective_share
    return few and found["change_sd"] > limits.contradiction_errors * found["noise_sd"]


def realised(found: Mapping[str, Any] | None, limits: Limits) -> Realised | None:
    r"""Bounds of what the errors of the normalisers did, where two estimates agree.

    An error that the points are forecast to add is what others made alike would differ by. What
    these have added is the shift to the second estimate, known up to that one's own error:
    :math:`|\text{shift}| + 2\,\text{se}`, and :math:`\operatorname{Var}(Δ)/(2 \log 2)` bits.

    Returns
    -------
    Realised or None
        None where two estimates do not agree, or not every normaliser was estimated twice.
    """
    if found is None or found["given"] or not agrees(found, limits) or not found["shifts"]:
        return None
    errors, change = limits.agreement_errors, _change(found, limits)
    shares = {
        name: {
            "mean": min(abs(s["mean"]) + errors * s["mean_se"], change),
            "sd": abs(s["log_sd"]) + errors * s["log_sd_se"],
        }
        for name, s in found["shifts"].items()
    }
    return Realised(shares, change**2 / (2 * np.log(2)), found["looked"])


def _largest(found: Mapping[str, Any], limits: Limits) -> tuple[float, float]:
    """The largest shift of a mean and of a log sd, with their standard errors."""
    errors, shifts = limits.agreement_errors, found["shifts"].values()
    return (
        max(abs(s["mean"]) + errors * s["mean_se"] for s in shifts),
        max(abs(s["log_sd"]) + errors * s["log_sd_se"] for s in shifts),
    )


def _change(found: Mapping[str, Any], limits: Limits) -> float:
    """What bounds the shift of every mean to first order, whatever the number of parameters."""
    return float(found["change_sd"] + limits.agreement_errors * found["noise_sd"])
