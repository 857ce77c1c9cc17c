"""What a birth, a death or a move of one point changes, compiled: ``change(x, i, row, *params)``.

Row i of x ``(n, d + 1)`` becomes `row`, whose last number is 1 where there is a point; the change
of the energy takes the distances to the other points alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numba
import numpy as np

__all__ = ["geyer_change", "hard_core_change", "neighbours", "strauss_change"]


@numba.njit(cache=True)
def neighbours(x, place, other, radius):
    """How many points of x are nearer than a radius to a place, but for one row."""
    d, found = x.shape[1] - 1, 0
    for j in range(x.shape[0]):
        if j != other and x[j, d] == 1:
            square = 0.0
            for k in range(d):
                square += (x[j, k] - place[k]) ** 2
            found += np.sqrt(square) < radius
    return found


@lru_cache
def strauss_change(radius: float) -> Callable:
    """Of `strauss`, with parameters log β and log γ."""

    @numba.njit
    def change(x, i, row, log_beta, log_gamma):
        points, pairs = 0, 0
        if x[i, -1] == 1:
            points, pairs = -1, -neighbours(x, x[i], i, radius)
        if row[-1] == 1:
            points, pairs = points + 1, pairs + neighbours(x, row, i, radius)
        return -points * log_beta - pairs * log_gamma

    return change


@lru_cache
def hard_core_change(radius: float) -> Callable:
    """Of `hard_core`, from a pattern that is possible, with parameter log β."""

    @numba.njit
    def change(x, i, row, log_beta):
        if row[-1] == 1 and neighbours(x, row, i, radius) > 0:
            return np.inf
        return -(row[-1] - x[i, -1]) * log_beta

    return change


@lru_cache
def geyer_change(radius: float, saturation: float) -> Callable:
    """Of `geyer`, with parameters log β and log γ."""

    @numba.njit
    def of_one(x, i, place):
        """What a point at a place adds to the sum of counts up to the saturation."""
        d = x.shape[1] - 1
        total = 1.0 * min(neighbours(x, place, i, radius), saturation)
        for j in range(x.shape[0]):
            if j != i and x[j, d] == 1:
                square = 0.0
                for k in range(d):
                    square += (x[j, k] - place[k]) ** 2
                if np.sqrt(square) < radius:
                    # Without row i, and with the point.
                    others = neighbours(x, x[j], j, radius)
                    if x[i, d] == 1:
                        square = 0.0
                        for k in range(d):
                            square += (x[j, k] - x[i, k]) ** 2
                        others -= np.sqrt(square) < radius
                    total += min(others + 1, saturation) - min(others, saturation)
        return total

    @numba.njit
    def change(x, i, row, log_beta, log_gamma):
        points, counts = 0, 0.0
        if x[i, -1] == 1:
            points, counts = -1, -of_one(x, i, x[i])
        if row[-1] == 1:
            points, counts = points + 1, counts + of_one(x, i, row)
        return -points * log_beta - counts * log_gamma

    return change
