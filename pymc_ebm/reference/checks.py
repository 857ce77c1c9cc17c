"""What is refused as a reference: shapes that disagree, values that no estimate can use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from pytensor.graph.basic import Variable

from pymc_ebm.energy.captured import captured_names
from pymc_ebm.space.box import Support
from pymc_ebm.space.guess import space_of

if TYPE_CHECKING:
    from pymc_ebm.reference.base import Reference

__all__ = ["check_all", "check_captured", "lists_some"]


def check_all(reference: Reference) -> None:
    """Raise at the first fault of a reference."""
    check_shapes(reference)
    check_values(reference)
    check_listed(reference)


def check_captured(graphs: Sequence[Variable], known: Sequence[Variable]) -> None:
    """Raise where points or log q depend on what is random, or data of a model: it would change."""
    if names := captured_names(graphs, known):
        raise ValueError(
            f"log q depends on {', '.join(sorted(names))}, random or of a model, and would not be "
            "that of the points. Give numbers, or a function of the energy's parameters: "
            "reference.independent(lambda mu: pm.Normal.dist(mu, 3))."
        )


def check_shapes(reference: Reference) -> None:
    """Raise where the arrays of a reference disagree, or are none of points."""
    if reference.points.ndim == 0:
        raise ValueError(
            "The points have no axes. Give an array of shape (M, *event), one row per point."
        )
    for name in ("log_weights", "groups", "edge", "coarse_log_weights"):
        array = getattr(reference, name)
        if array is not None and array.shape != (reference.n_points,):
            raise ValueError(
                f"{name} has shape {array.shape}, and there are {reference.n_points} points. "
                f"Give one value per point, shape ({reference.n_points},)."
            )
    fewest = 1 if reference.exact else reference.fewest_points
    if reference.n_points < fewest:
        raise ValueError(
            f"The reference has {reference.n_points} points, fewer than {fewest}. "
            "Use more draws (the default is 4096)."
        )
    if reference.points.dtype.kind not in "biuf":
        raise TypeError(
            f"The points have dtype {reference.points.dtype}. Give real or integer numbers."
        )


def check_values(reference: Reference) -> None:
    """Raise where points, log weights or groups are not usable."""
    bad = np.isnan(reference.log_weights) | np.isposinf(reference.log_weights)
    if bad.any():
        first = int(np.argmax(bad))
        raise ValueError(
            f"The log weights are {reference.log_weights[first]} at {bad.sum()} of "
            f"{reference.n_points} points, first at index {first}. Give the log density of the "
            "distribution that made the points, finite at each of them."
        )
    event_axes = tuple(range(1, reference.points.ndim))
    bad = ~np.isfinite(reference.points).all(axis=event_axes)
    if bad.any():
        raise ValueError(
            f"{bad.sum()} of {reference.n_points} points are not finite, first at index "
            f"{int(np.argmax(bad))}. Remove them, or use a reference with lighter tails."
        )
    if reference.transport is None:  # base points live elsewhere
        inside = reference.support.contains(reference.points, reference.points.ndim - 1)
        if not inside.all():
            raise ValueError(
                f"{(~inside).sum()} of {reference.n_points} points lie outside the support "
                f"{reference.support}, first at index {int(np.argmin(inside))}. Use a reference "
                "inside the support, or state the support of the model."
            )
    low, high = reference.groups.min(), reference.groups.max()
    # Counting is many times faster than sorting.
    if low != 0 or high >= reference.n_points or not np.bincount(reference.groups).all():
        labels = np.unique(reference.groups)
        raise ValueError(
            f"The groups run from {labels[0]} to {labels[-1]} with {len(labels)} values. "
            "Number them 0 to G-1 without gaps."
        )


def check_listed(reference: Reference) -> None:
    """Raise where states are said to be all, and the support has more."""
    # Bounds without an end may be those of a model, of which the list is all that there is.
    if reference.whole and reference.n_points < (n_states := _states_stated(reference)) < np.inf:
        raise ValueError(
            f"The reference lists {reference.n_points} states as all that there are, and the "
            f"support {reference.support} has {n_states:.0f}. List the others too, say "
            "complete=False if they are left out, or leave support= out."
        )


def lists_some(reference: Reference) -> bool:
    """Whether an exact reference lists fewer states than its stated support has."""
    return reference.exact and reference.n_points < _states_stated(reference)


def _states_stated(reference: Reference) -> float:
    """How many states the stated support has; 0 where none is stated, or Z is no sum."""
    # The whole line is what the support is where nothing is said.
    if reference.n_rows is not None or not reference.discrete or reference.support == Support():
        return 0
    space = space_of(reference.points, reference.support)
    return space.n_states if space.discrete else 0
