"""Minima of an energy along an axis, for panels to end at: wells without data among them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray


def minima(
    energy: Callable[[NDArray], NDArray],
    end: float,
    *,
    reach: float = 8.0,
    places: int = 2**11,
    most: int = 16,
    looks: int = 8,
    places_closer: int = 17,
) -> NDArray:
    """Places t of the lowest local minima that a scan finds, ``(B,)``.

    Parameters
    ----------
    energy : callable
        E of places ``(M,)``; NaN where there is none.
    end : float
        The axis is ±`end`.
    reach, places : float, int
        The scan is over ±`reach` of it at most.
    most : int
        Minima that are looked at more closely.
    looks, places_closer : int
        Closer looks at each.
    """
    reach = min(reach, end)
    t = np.linspace(-reach, reach, places)
    values = energy(t)
    low = np.flatnonzero((values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])) + 1
    place, width = t[low[np.argsort(values[low], kind="stable")][:most]], t[1] - t[0]
    for _ in range(looks if len(place) else 0):
        closer = place[:, None] + width * np.linspace(-1, 1, places_closer)
        values = energy(closer.ravel()).reshape(closer.shape)
        best = np.where(np.isnan(values), np.inf, values).argmin(axis=1)
        place = closer[np.arange(len(place)), best]
        width *= 2 / (places_closer - 1)
    return np.unique(place)
