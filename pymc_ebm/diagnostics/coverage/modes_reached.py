"""Whether the points of a reference carry the mass that the modes of a model have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from pymc_ebm.diagnostics.coverage.modes import Mode
from pymc_ebm.reference.base import Reference

__all__ = ["ModesReached", "modes_reached"]


class ModesReached(NamedTuple):
    """What the points of a reference carry of the modes.

    Attributes
    ----------
    missed : float
        Share of the model's mass in the largest mode that they miss; 0 where none is for certain.
    mode : Mode or None
        That mode.
    undecided : bool
        Whether one seems to be missed, and the effective points are too few to tell.
    reached : int
        How many modes the points reach.
    """

    missed: float
    mode: Mode | None
    undecided: bool
    reached: int


def modes_reached(
    modes: Sequence[Mode],
    events: NDArray,
    weights: NDArray,
    log_z: float,
    size: float,
    reference: Reference,
    n_drawn: Callable[[Mode], float] | None = None,
    *,
    least_share: float = 1e-3,
    missed_below: float = 0.2,
    fewest_expected: float = 7.0,
    far_above: float = 3.0,
    most_left: float = 0.01,
) -> ModesReached:
    """Compare the weight that the points have in the windows with the mass there.

    Parameters
    ----------
    modes : sequence of Mode
    events : ndarray
        The points as windows take them, ``(M, D)``.
    weights : ndarray
        Normalised weights, ``(M,)``.
    log_z : float
        log Ẑ by these weights, in nats.
    size : float
        Effective number of points.
    reference : Reference
    n_drawn : callable, optional
        How many draws there were in the window of a mode before a selection left the points; NaN
        where it is not known. Where none is left of many, the selection leaves none.

    Returns
    -------
    ModesReached
    """
    if not modes:
        return ModesReached(0.0, None, False, 0)
    log_masses = np.array([mode.log_mass for mode in modes])
    within = np.array([mode.within for mode in modes])
    carried = np.array([weights[mode.holds(events)].sum() for mode in modes])
    total = special.logsumexp(log_masses)
    if reference.level != "relative":
        total = max(total, log_z)
    else:
        # log Ẑ has an unknown constant: a mode that the points carry tells the scale.
        well = carried * size >= fewest_expected
        if not well.any():
            return ModesReached(0.0, None, False, 0)
        scale = log_masses[well] + np.log(within[well]) - np.log(carried[well])
        total = max(total, np.median(scale))
    shares = np.exp(log_masses - total)
    expected = shares * within
    empty = (shares >= least_share) & (carried < missed_below * expected)
    certain = expected * size >= fewest_expected
    if reference.level != "relative":
        certain |= log_masses - log_z > far_above
    if n_drawn is not None:
        certain = np.zeros(len(modes), dtype=bool)
        for k in map(int, np.flatnonzero(empty)):
            # With 95% probability less than 3/n is left where none of n draws is.
            with np.errstate(divide="ignore"):  # none was drawn there at all
                log_share = np.log(within[k] * 3 / np.float64(n_drawn(modes[k])))
            log_left = log_masses[k] + log_share - log_z
            empty[k] = not log_left < np.log(most_left)
    lost = np.where(empty & certain, shares, 0.0)
    worst = int(lost.argmax())
    reached = int(((shares >= least_share) & (carried >= missed_below * expected)).sum())
    return ModesReached(
        float(lost[worst]),
        modes[worst] if lost[worst] > 0 else None,
        bool((empty & ~certain).any()),
        reached,
    )
