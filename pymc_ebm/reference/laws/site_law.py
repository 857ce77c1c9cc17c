"""Independent sites: a distribution of discrete events whose normaliser is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["SiteLaw"]


class SiteLaw:
    r"""Independent sites with the frequencies that chains have.

    .. math:: q(y) = \prod_i [(1 − ε) f_i(y_i) + ε / K], \qquad ε = \min(2 / D, 1/2)

    Where chains stay among few states, such as those around one in which all D sites are equal,
    the second term reaches the states next to them.

    Parameters
    ----------
    rows : ndarray, shape (N, *event)
        Draws of chains.
    values : ndarray, shape (K,)
        Values of every site, in ascending order.
    """

    def __init__(self, rows: NDArray, values: NDArray):
        self.values, self.event_shape = values, rows.shape[1:]
        flat = rows.reshape(len(rows), -1)
        counts = np.array([(flat == value).sum(axis=0) for value in values])
        frequencies = (counts + 0.5) / (len(rows) + 0.5 * len(values))
        # Sites of an event that are drawn from all values alike, on average.
        share = min(2.0 / flat.shape[1], 0.5)
        # By value and site, (K, D).
        self.probabilities = (1 - share) * frequencies + share / len(values)

    def draw(self, rng: np.random.Generator, draws: int, *params) -> NDArray:
        """Points ``(draws, *event)``."""
        ends = self.probabilities.cumsum(axis=0)[:-1]
        u = rng.random((draws, ends.shape[1]))
        codes = (u[:, None] >= ends).sum(axis=1)
        return self.values[codes].reshape(draws, *self.event_shape)

    def log_density(self, points: NDArray, *params) -> NDArray:
        """Log mass in nats, ``(M,)``, of points ``(M, *event)`` that have these values."""
        flat = points.reshape(len(points), -1)
        total = np.zeros(len(points))
        for value, p in zip(self.values, self.probabilities, strict=True):
            total += (flat == value) @ np.log(p)
        return total
