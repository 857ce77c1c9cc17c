"""Statistics of the points of a reference, of all or of those that span most of their hull."""

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.energy.split import SplitEnergy
from pymc_ebm.reference.base import Reference

__all__ = ["all_points", "extreme_points", "statistics_of"]

# Points that are looked at together.
_BLOCK = 2**14


def statistics_of(split: SplitEnergy, x: NDArray) -> NDArray:
    """Statistics of points or data ``(B, *event)``, as ``(B, K)``."""
    values = split.statistics_at(x)
    return np.column_stack(
        [np.broadcast_to(v, (len(x), *v.shape[1:])).reshape(len(x), -1) for v in values]
    )


def all_points(
    split: SplitEnergy, reference: Reference, points: slice = slice(None)
) -> tuple[NDArray, int]:
    """Statistics of the points that have weight and are finite, and how many there are.

    Parameters
    ----------
    split : SplitEnergy
    reference : Reference
    points : slice
        Which of its points to look at.

    Returns
    -------
    statistics : ndarray
        ``(n, K)``.
    n : int
    """
    of_points = statistics_of(split, reference.points[points])
    weighted = np.isfinite(reference.log_weights[points]) & np.isfinite(of_points).all(axis=1)
    return of_points[weighted], int(weighted.sum())


def extreme_points(split: SplitEnergy, reference: Reference) -> tuple[NDArray, int]:
    """`all_points`, of which those are kept that lie furthest out among their neighbours.

    Their hull lies within that of all points. With one statistic it is the same. Memory does not
    grow with the points.

    Parameters
    ----------
    split : SplitEnergy
    reference : Reference

    Returns
    -------
    statistics : ndarray
        ``(B, K)``.
    n : int
        How many points there are with weight, kept or not.
    """
    kept, n, directions = [], 0, None
    for low in range(0, reference.n_points, _BLOCK):
        block, weighted = all_points(split, reference, slice(low, low + _BLOCK))
        n += weighted
        if weighted == 0:
            continue
        if directions is None:
            directions = _directions(block)
        projected = block @ directions
        outermost = np.concatenate([projected.argmin(axis=0), projected.argmax(axis=0)])
        kept.append(block[np.unique(outermost)])
    return (np.concatenate(kept) if kept else np.empty((0, 1))), n


def _directions(block: NDArray) -> NDArray:
    """Axes, and random directions among statistics of equal spread, ``(K, D)``."""
    n_statistics = block.shape[1]
    axes = np.eye(n_statistics)
    if n_statistics == 1:
        return axes
    spread = block.std(axis=0)
    random = np.random.default_rng(0).normal(size=(n_statistics, 64))
    return np.column_stack([axes, random / np.where(spread > 0, spread, 1.0)[:, None]])
