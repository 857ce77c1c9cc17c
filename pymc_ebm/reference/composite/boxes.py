"""Boxes of coordinates: cut where data lie, and halved."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Widths of panels where data are: of coordinates t, and shares of their range, in one dimension;
# and in two, where data are within this distance.
_WIDTH, _SHARE, _REACH = 0.05, 1 / 64, 1.0
_WIDTH_2D, _REACH_2D = 0.75, 0.5
_MOST_OF_THE_DATA = 1 / 16
_NARROWEST = 2.0**-24
_MOST_DATA = 2000


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
        low, high = np.quantile(data, [0.01, 0.99]) + np.array([-_REACH, _REACH])
        width = max(_WIDTH, (high - low) * _SHARE)
        ends = lambda b: (np.isin(b.lower, inner) | np.isin(b.upper, inner))[:, 0]
        near = lambda b: ((b.upper > low) & (b.lower < high))[:, 0] | ends(b)
    else:
        boxes = Boxes(-end[None], end[None])
        width = _WIDTH_2D
        near = lambda b: _holds(b, data, _REACH_2D).any(axis=1)
    data = np.unique(data, axis=0)
    data = data[np.linspace(0, len(data) - 1, min(len(data), _MOST_DATA)).astype(int)]
    most = max(2.0, _MOST_OF_THE_DATA * len(data))
    done: list[Boxes] = []
    while len(boxes.lower):
        crowded = _holds(boxes, data, 0.0).sum(axis=1) > most
        wide = (boxes.widths > width) & near(boxes) | crowded & (boxes.widths > _NARROWEST)
        done.append(boxes.chosen(~wide))
        boxes = boxes.chosen(wide).halved()
    return Boxes(*(np.concatenate(corners) for corners in zip(*done, strict=True)))


def _holds(boxes: Boxes, data: NDArray, reach: float) -> NDArray:
    """Whether data lie in boxes that are larger by `reach`, ``(P, N)``."""
    inside = np.ones((len(boxes.lower), len(data)), dtype=bool)
    for low, high, x in zip(boxes.lower.T, boxes.upper.T, data.T, strict=True):
        inside &= (x >= low[:, None] - reach) & (x < high[:, None] + reach)
    return inside
