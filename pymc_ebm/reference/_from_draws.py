"""Points that somebody else drew from a known density."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from pymc_ebm.reference._rows import RowsReference, rows_of_points
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.given_groups import given_groups
from pymc_ebm.reference.laws.proposal import Proposal


def from_draws(
    points,
    log_density,
    total_draws: int | None = None,
    *,
    support=None,
    groups=None,
    selected: bool | None = None,
    log_partition: float | tuple[float, float] = 0.0,
) -> Reference:
    """Draws with their log density, a_m = −log q(y_m) − log(total_draws).

    Parameters
    ----------
    points : array_like, shape ``(M, *event)``
        Draws of q, in the units of x. ``(R, M, *event)``, or a list of R arrays, are draws of each
        row of parameters, as `rows` has them; a function then tells the densities of lists of
        different lengths.
    log_density : array_like, shape (M,), or callable
        log q(y_m) in nats, or a function that gives it for any places, ``(N, *event)`` to (N,).
        With the function the report can tell whether the draws reach the data. ``(R, M)``, or a
        list of R arrays, for draws of each row.
    total_draws : int, optional
        How many draws were made, when those of weight 0 were thrown away (a detector's selection,
        say); M by default. One number for each row, where rows have draws of their own.
    support : optional
        As in `Reference`.
    groups : array_like of int, shape (M,), optional
        The group of each draw, 0 to G−1, where draws are dependent. By default each is its own,
        but equal draws are one, with their weights together, and where the order shows that draws
        depend on one another, as those of a chain do, there are batches of them.
    selected : bool, optional
        Whether something that is not in the energy has chosen the draws out of those of q: a
        detector, or the likelihood of an event whose posterior they are (q is its prior then). Z is
        an integral of that as well, no other points can estimate it a second time, and a report
        rests on these draws alone. By default so where `total_draws` says that some are missing.
    log_partition : float or pair, optional
        Log of the integral of ``exp(log_density)``, in nats, where that is not 1: log q is the log
        density less this. A pair ``(value, standard error)`` is an estimate, whose error is counted
        in that of log Ẑ and of the elpd. The posterior does not depend on it.

    Returns
    -------
    Reference

    Raises
    ------
    ValueError
        `total_draws` below M; a standard error of `log_partition` that is negative or no number;
        what `Reference` refuses.

    Warns
    -----
    UserWarning
        Repeated draws; draws whose order matters.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy import stats
    >>> y = stats.norm(0, 2).rvs(4096, random_state=1)
    >>> kept = y[y > 1]
    >>> q = from_draws(kept, stats.norm(0, 2).logpdf, total_draws=4096, support=(1, np.inf))
    >>> q.support.lower
    1.0

    Samples of three events, each of its own: one normaliser for every row.

    >>> events = np.array([[-1.0], [0.0], [2.0]]) + y[:300].reshape(3, 100)
    >>> from_draws(events, stats.norm(events.mean(axis=1)[:, None], 2).logpdf(events)).n_rows
    3
    """
    own = _of_rows(points, log_density)
    value, error = (*np.ravel(log_partition), 0.0)[:2]
    if not (np.isfinite(value) and 0 <= error < np.inf) or (own is not None and np.any(value)):
        raise ValueError(
            f"log_partition is {log_partition}. Give one number for all draws, or a pair (value, "
            "standard error); from draws of rows take it off their log densities."
        )
    if own is not None:
        return _rows_of_draws(*own, total_draws, support, groups, selected)
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
    log_weights = value - log_q - np.log(max(total_draws, 1))
    if groups is None:
        which, times, groups = given_groups(points, log_q)
        points, log_weights = points[which], log_weights[which] + np.log(times)
    return Reference(
        points=points,
        log_weights=log_weights,
        groups=groups,
        support=support,
        description="given draws",
        unused_draws=total_draws - n_points,
        selected=total_draws > n_points if selected is None else selected,
        proposal=Proposal(None, partial(_fixed, log_density, value))
        if callable(log_density)
        else None,
        level_mcse=float(error),
    )


def _of_rows(points, log_density) -> tuple[list, list] | None:
    """Draws and log densities of each row, where each row has its own."""
    if callable(log_density) and isinstance(points, (list, tuple)):
        lengths = {len(p) if np.ndim(p) else 0 for p in points}
        if len(lengths) > 1:
            log_density = [log_density(np.asarray(p)) for p in points]
    ragged = isinstance(log_density, (list, tuple)) and len(log_density) and np.ndim(log_density[0])
    if callable(log_density) or not (ragged or np.ndim(log_density) == 2):
        return None
    if len(points) != len(log_density):
        raise ValueError(
            f"There are points of {len(points)} rows and log densities of {len(log_density)}. Give "
            "one array of each for every row."
        )
    if not ragged and np.shape(points) == np.shape(log_density):
        n_rows, n_points = np.shape(points)
        # So few draws of a row are none: they are the coordinates of an event.
        if n_points < min(8, n_rows):
            raise ValueError(
                f"The log density has the shape of the points, {(n_rows, n_points)}, which is that "
                f"of {n_rows} rows of {n_points} draws each. Give one value for each event, "
                "log_density.sum(axis=-1), or more draws of a row."
            )
    return [np.asarray(p) for p in points], [np.asarray(q, dtype=float) for q in log_density]


def _rows_of_draws(points, log_q, total_draws, support, groups, selected) -> RowsReference:
    sizes = np.array([len(p) for p in points])
    totals = sizes if total_draws is None else np.broadcast_to(total_draws, sizes.shape)
    for r, (n, q, total) in enumerate(zip(sizes, log_q, totals, strict=True)):
        if q.shape != (n,) or total < n or n == 0:
            raise ValueError(
                f"Row {r} has {n} points, a log density of shape {q.shape} and {total} draws made. "
                "Give one or more points, one log density of each, and no fewer draws."
            )
    log_weights = [-q - np.log(total) for q, total in zip(log_q, totals, strict=True)]
    if groups is None:
        found = [given_groups(p, q) for p, q in zip(points, log_q, strict=True)]
        groups = [own for _, _, own in found]
        points = [p[which] for p, (which, _, _) in zip(points, found, strict=True)]
        log_weights = [
            a[which] + np.log(times)
            for a, (which, times, _) in zip(log_weights, found, strict=True)
        ]
    return rows_of_points(
        points,
        log_weights,
        groups=groups,
        unused=totals - sizes,
        support=support,
        selected=bool((totals > sizes).any()) if selected is None else selected,
        description=f"given draws of {len(points)} rows",
    )


def _fixed(log_density: Callable, log_partition: float, points, *params):
    return log_density(points) - log_partition
