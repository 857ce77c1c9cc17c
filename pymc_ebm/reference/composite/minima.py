"""Minima of an energy along an axis, for panels to end at: wells without data among them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

# Places of the first scan in coordinates t, and of each closer look.
_REACH, _PLACES, _CLOSER = 8.0, 2**11, 17
_LOOKS = 8
_MOST = 16


def minima(energy: Callable[[NDArray], NDArray], end: float) -> NDArray:
    """Places t of the lowest local minima that a scan finds, ``(B,)``.

    Parameters
    ----------
    energy : callable
        E of places ``(M,)``; NaN where there is none.
    end : float
        The axis is ±`end`.
    """
    reach = min(_REACH, end)
    t = np.linspace(-reach, reach, _PLACES)
    values = energy(t)
    low = np.flatnonzero((values[1:-1] < values[:-2]) & (values[1:-1] < values[2:])) + 1
    place, width = t[low[np.argsort(values[low], kind="stable")][:_MOST]], t[1] - t[0]
    for _ in range(_LOOKS if len(place) else 0):
        closer = place[:, None] + width * np.linspace(-1, 1, _CLOSER)
        values = energy(closer.ravel()).reshape(closer.shape)
        best = np.where(np.isnan(values), np.inf, values).argmin(axis=1)
        place = closer[np.arange(len(place)), best]
        width *= 2 / (_CLOSER - 1)
    return np.unique(place)
