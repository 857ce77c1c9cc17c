"""Boxes of coordinates: cut where data lie, and halved."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Boxes(NamedTuple):
    """Boxes by their corners, each ``(P, D)``."""

    lower: NDArray
    upper: NDArray

    def chosen(self, which) -> Boxes:
        """Some of them."""
        return Boxes(self.lower[which], self.upper[which])

    @property
    def widths(self) -> NDArray:
        """The longest side of each, ``(P,)``."""
        return (self.upper - self.lower).max(axis=1)

    def halved(self) -> Boxes:
        """All 2^D parts of each, a box's own together."""
        middle = (self.lower + self.upper) / 2
        n_dim = self.lower.shape[1]
        high = np.array(list(np.ndindex(*(2,) * n_dim)), dtype=bool)  # (2^D, D)
        lower = np.where(high, middle[:, None], self.lower[:, None])
        upper = np.where(high, self.upper[:, None], middle[:, None])
        return Boxes(lower.reshape(-1, n_dim), upper.reshape(-1, n_dim))

    def joined(self, others: Boxes) -> Boxes:
        """These and others."""
        return Boxes(*(np.concatenate(pair) for pair in zip(self, others, strict=True)))


def floor(end: NDArray, data: NDArray, breakpoints: NDArray) -> Boxes:
    """Boxes that fill ±`end`, nowhere coarser than what data may hide.

    A rule is blind to mass narrower than the distance of its nodes, and parameters far from the
    anchors may put it anywhere where data are: so the floor is uniform there, and never merged.

    Parameters
    ----------
    end : ndarray, shape (D,)
    data : ndarray, shape (N, D)
        In coordinates t.
    breakpoints : ndarray, shape (B,)
        In coordinates t; ends of panels, in one dimension, which are narrow there as at data.
    """
    if len(end) == 1:
        inner = np.unique(breakpoints[(breakpoints > -end) & (breakpoints < end)])
        edges = np.unique(np.concatenate([-end, inner, end]))[:, None]
        boxes = Boxes(edges[:-1], edges[1:])
        # Narrow where data are, and a little around: 64 panels over their range are enough.
        low, high = np.quantile(data, [0.01, 0.99]) + np.array([-1.0, 1.0])
        width = max(0.05, (high - low) / 64)
        ends = lambda b: (np.isin(b.lower, inner) | np.isin(b.upper, inner))[:, 0]
        near = lambda b: ((b.upper > low) & (b.lower < high))[:, 0] | ends(b)
    else:
        boxes = Boxes(-end[None], end[None])
        width = 0.75
        # In two dimensions, so near to any datum.
        near = lambda b: _holds(b, data, 0.5).any(axis=1)
    data = np.unique(data, axis=0)
    data = data[np.linspace(0, len(data) - 1, min(len(data), 2000)).astype(int)]
    # No panel but the narrowest holds more of the data.
    most = max(2.0, len(data) / 16)
    done: list[Boxes] = []
    while len(boxes.lower):
        crowded = _holds(boxes, data, 0.0).sum(axis=1) > most
        wide = (boxes.widths > width) & near(boxes) | crowded & (boxes.widths > 2.0**-24)
        done.append(boxes.chosen(~wide))
        boxes = boxes.chosen(wide).halved()
    return Boxes(*(np.concatenate(corners) for corners in zip(*done, strict=True)))


def _holds(boxes: Boxes, data: NDArray, reach: float) -> NDArray:
    """Whether data lie in boxes that are larger by `reach`, ``(P, N)``."""
    inside = np.ones((len(boxes.lower), len(data)), dtype=bool)
    for low, high, x in zip(boxes.lower.T, boxes.upper.T, data.T, strict=True):
        inside &= (x >= low[:, None] - reach) & (x < high[:, None] + reach)
    return inside
