"""Points with equal statistics as one point, which has their weights together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["distinct_points"]


def distinct_points(
    log_weights: NDArray, statistics: Sequence[NDArray], *, sampled: int = 2048
) -> tuple[NDArray, list[NDArray]]:
    r"""Merge points that no energy of these statistics tells apart.

    .. math:: \sum_m e^{a_m − E(T_m)} = \sum_u e^{A_u − E(T_u)}, \quad
        A_u = \log \sum_{m: T_m = T_u} e^{a_m}

    States of a lattice are many, and what the energy knows of them takes few values.

    Parameters
    ----------
    log_weights : ndarray, shape (M,)
        a_m, in nats.
    statistics : sequence of ndarray, each of shape (M, ...)
    sampled : int
        Points spread over all of them, by which it is seen whether merging would pay: not where
        more than half of these are distinct.

    Returns
    -------
    log_weights : ndarray, shape (U,)
    statistics : list of ndarray, each of shape (U, ...)
        Those given, where they have few equal points.

    Examples
    --------
    >>> log_weights, t = np.log([0.1, 0.2, 0.3, 0.4]), np.array([3, 5, 3, 3])
    >>> merged, [t] = distinct_points(log_weights, [t])
    >>> t.tolist(), np.exp(merged).round(3).tolist()
    ([3, 5], [0.8, 0.2])
    """
    some = np.linspace(0, len(log_weights) - 1, sampled).astype(int)
    if 2 * len(np.unique(_columns(statistics, some), axis=0)) > len(np.unique(some)):
        return log_weights, list(statistics)
    columns = _columns(statistics, slice(None))
    order = np.lexsort(columns.T)
    columns = columns[order]
    first = np.flatnonzero(np.r_[True, (columns[1:] != columns[:-1]).any(axis=1)])
    return (
        np.logaddexp.reduceat(log_weights[order], first),
        [np.asarray(s)[order[first]] for s in statistics],
    )


def _columns(statistics, points) -> NDArray:
    """Statistics of some points side by side, ``(B, K)``."""
    chosen = [np.asarray(s)[points] for s in statistics]
    return np.concatenate([c.reshape(len(c), -1).astype(float) for c in chosen], axis=1)
