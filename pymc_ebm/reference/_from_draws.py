"""Points that somebody else drew from a known density."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.laws.proposal import Proposal


def from_draws(
    points,
    log_density,
    total_draws: int | None = None,
    *,
    support=None,
    groups=None,
    selected: bool | None = None,
) -> Reference:
    """Draws with their log density, a_m = −log q(y_m) − log(total_draws).

    Parameters
    ----------
    points : array_like, shape ``(M, *event)``
        Draws of q, in the units of x.
    log_density : array_like, shape (M,), or callable
        log q(y_m) in nats, or a function that gives it for any places, ``(N, *event)`` to (N,).
        With the function the report can tell whether the draws reach the data.
    total_draws : int, optional
        How many draws were made, when those of weight 0 were thrown away (a detector's selection,
        say); M by default.
    support : optional
        As in `Reference`.
    groups : array_like of int, shape (M,), optional
        The group of each draw, 0 to G−1, where draws are dependent; each its own by default.
    selected : bool, optional
        Whether something that is not in the energy has chosen the draws out of those of q: a
        detector, or the likelihood of an event whose posterior they are (q is its prior then). Z is
        an integral of that as well, no other points can estimate it a second time, and a report
        rests on these draws alone. By default so where `total_draws` says that some are missing.

    Returns
    -------
    Reference

    Raises
    ------
    ValueError
        `total_draws` below M, and what `Reference` refuses.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import stats
    >>> y = stats.norm(0, 2).rvs(4096, random_state=1)
    >>> kept = y[y > 1]
    >>> q = from_draws(kept, stats.norm(0, 2).logpdf, total_draws=4096, support=(1, np.inf))
    >>> q.support.lower
    1.0
    """
    points = np.asarray(points)
    n_points = len(points) if points.ndim else 0
    if total_draws is None:
        total_draws = n_points
    if total_draws < n_points:
        raise ValueError(
            f"total_draws is {total_draws}, and there are {n_points} points. "
            "Give the number of draws made, counting those thrown away."
        )
    log_q = np.asarray(log_density(points) if callable(log_density) else log_density, dtype=float)
    if log_q.shape != (n_points,):
        raise ValueError(
            f"The log density has shape {log_q.shape}, and there are {n_points} points. "
            f"Give one value per point, shape ({n_points},)."
        )
    return Reference(
        points=points,
        log_weights=-log_q - np.log(max(total_draws, 1)),
        groups=np.arange(n_points) if groups is None else groups,
        support=support,
        description="given draws",
        unused_draws=total_draws - n_points,
        selected=total_draws > n_points if selected is None else selected,
        proposal=Proposal(None, partial(_fixed, log_density)) if callable(log_density) else None,
    )


def _fixed(log_density: Callable, points, *params):
    return log_density(points)
