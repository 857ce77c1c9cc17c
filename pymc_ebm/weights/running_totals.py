"""Log Ẑ and the effective number of points of log weights that come in blocks of points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["RunningTotals"]


class RunningTotals:
    """Log Σ w and (Σ w)²/Σ w² of rows of log weights that come in blocks.

    Parameters
    ----------
    n_rows : int
    """

    def __init__(self, n_rows: int):
        self.top = np.full(n_rows, -np.inf)
        self.total, self.squares = np.zeros(n_rows), np.zeros(n_rows)

    def add(self, log_weights: NDArray) -> None:
        """Take in log weights, ``(R, B)``."""
        # One infinite weight makes every normalised weight undefined.
        top = log_weights.max(axis=1)
        top = np.where(np.isposinf(top), np.nan, top)
        weights = np.exp(log_weights - np.where(np.isneginf(top), 0.0, top)[:, None])
        self._merge(top, weights.sum(axis=1), np.einsum("rm,rm->r", weights, weights))

    def merge(self, other: RunningTotals) -> None:
        """Take in all that another one took in."""
        self._merge(other.top, other.total, other.squares)

    def _merge(self, top, total, squares) -> None:
        highest = np.maximum(self.top, top)
        shift = np.where(np.isneginf(highest), 0.0, highest)
        mine, others = np.exp(self.top - shift), np.exp(top - shift)
        self.total = self.total * mine + total * others
        self.squares = self.squares * mine**2 + squares * others**2
        self.top = highest

    @property
    def log_z(self) -> NDArray:
        """Log Σ w, ``(R,)`` in nats."""
        empty = self.total == 0
        return np.where(empty, -np.inf, np.log(np.where(empty, 1.0, self.total)) + self.top)

    @property
    def ess(self) -> NDArray:
        """Effective numbers of points, ``(R,)``."""
        empty = self.squares == 0
        return np.where(empty, 0.0, self.total**2 / np.where(empty, 1.0, self.squares))

    def weights(self, log_weights: NDArray) -> NDArray:
        """Normalised weights of a block, once all blocks are in."""
        shift = np.where(np.isneginf(self.top), 0.0, self.top)
        total = np.where(self.total == 0, 1.0, self.total)
        return np.exp(log_weights - shift[:, None]) / total[:, None]
