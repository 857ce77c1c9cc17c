"""The generalised Pareto tail of weights, by ArviZ.

M points; log weights are in nats.
"""

from __future__ import annotations

import math

import numpy as np
from arviz_stats.base import array_stats
from numpy.typing import ArrayLike, NDArray

__all__ = ["TopLogWeights", "khat_threshold", "pareto_k"]

# Log weights that agree this well differ by rounding alone; a tail fitted to rounding is noise.
_EQUAL_NATS = 1e-9


def pareto_k(log_weights: ArrayLike) -> float:
    """Shape k of the generalised Pareto distribution fitted to the largest weights.

    Parameters
    ----------
    log_weights : array_like
        Log weights in nats, ``(M,)``; any constant may be added.

    Returns
    -------
    float
        Above 0.7 the estimate is unreliable, above 1 the weights have no mean. −inf where there is
        no tail: all of the largest weights are equal, or within a factor e if they are 100 or more.
        NaN when a weight is NaN or infinite, when one dominates, when all are zero, or below 30
        points.

    References
    ----------
    A. Vehtari, D. Simpson, A. Gelman, Y. Yao, J. Gabry (2024), "Pareto smoothed importance
    sampling", JMLR 25.
    """
    log_weights = np.asarray(log_weights, dtype=float)
    top = log_weights.max()
    if np.isnan(log_weights).any() or not np.isfinite(top):
        return np.nan
    if top - log_weights.min() <= _EQUAL_NATS:
        return -np.inf
    # ArviZ takes a fifth of a small sample as its tail, and its fit needs six points there.
    if log_weights.size < 30:
        return np.nan
    largest = TopLogWeights(log_weights.size)
    if largest.of_all:
        return _fitted_k(log_weights)
    largest.add(log_weights)  # sorting all of them would take ten times as long
    return largest.pareto_k()


class TopLogWeights:
    """The largest of log weights that come in blocks: all that `pareto_k` reads of many.

    Parameters
    ----------
    n_points : int
        How many will come.
    """

    def __init__(self, n_points: int):
        self._n_points = n_points
        self._tail = math.floor(3 * math.sqrt(n_points))
        # ArviZ takes a tail of 3 √(n/r_eff) of n > 225/r_eff log weights, which six tails are.
        self._most = 6 * self._tail
        self._top = np.empty(0)
        self._lowest = np.inf

    @property
    def of_all(self) -> bool:
        """Whether they are so few that all are kept."""
        return self._n_points <= self._most

    def add(self, log_weights: NDArray) -> None:
        """Take in log weights, ``(B,)``."""
        self._take(log_weights, log_weights.min())

    def merge(self, other: TopLogWeights) -> None:
        """Take in all that another one, of as many points, took in."""
        self._take(other._top, other._lowest)

    def _take(self, log_weights: NDArray, lowest: float) -> None:
        self._lowest = np.minimum(self._lowest, lowest)
        self._top = np.concatenate([self._top, log_weights])
        if self._top.size > self._most:
            self._top = np.partition(self._top, -self._most)[-self._most :]

    def pareto_k(self) -> float:
        """`pareto_k` of all that came."""
        top = self._top.max()
        if not np.isfinite(top):
            return np.nan
        if self.of_all:
            return pareto_k(self._top)
        if top - self._lowest <= _EQUAL_NATS:
            return -np.inf
        return _fitted_k(self._top, r_eff=9 * self._most / (self._tail + 0.5) ** 2)


def _tail_size(n_points: int, r_eff: float) -> int:
    """How many of the largest weights ArviZ fits."""
    return int(min(n_points / 5, 3 * math.sqrt(n_points / r_eff)))


def _without_ties(log_weights: NDArray) -> NDArray:
    """Equal log weights spread evenly over the gap to the next smaller ones.

    Weights that depend on a statistic of integers come in steps, and a generalised Pareto density,
    which is continuous, fits steps at random.
    """
    ordered = np.sort(log_weights)
    none = int(np.isneginf(ordered).sum())  # weights of zero have no place on the scale
    zeros, ordered = ordered[:none], ordered[none:]
    step = np.flatnonzero(np.diff(ordered, prepend=-np.inf) > _EQUAL_NATS)
    if len(step) in (1, len(ordered)):
        return log_weights
    count = np.diff(step, append=len(ordered))
    level = ordered[step]
    gap = np.diff(level, prepend=level[0])
    place = np.arange(len(ordered)) - np.repeat(step, count)
    down = np.where(count > 1, gap, 0.0)
    spread = ordered - np.repeat(down, count) * (place + 0.5) / np.repeat(count, count)
    return np.concatenate([zeros, spread])


def khat_threshold(n_points: int) -> float:
    r"""Largest k-hat at which M points still give a usable estimate.

    .. math:: \min(1 - 1 / \log_{10} M,\; 0.7)

    Parameters
    ----------
    n_points : int
        M.

    Returns
    -------
    float

    References
    ----------
    A. Vehtari et al. (2024), "Pareto smoothed importance sampling", section 3.2.4.
    """
    return min(1 - 1 / np.log10(n_points), 0.7) if n_points > 1 else -np.inf


def _fitted_k(log_weights: NDArray, r_eff: float = 1.0) -> float:
    top, n_tail = log_weights.max(), _tail_size(log_weights.size, r_eff)
    if not np.isfinite(top):
        return np.nan
    smallest = np.partition(log_weights, -n_tail)[-n_tail]
    # Where the largest of so many tail weights is less than e times the smallest there is no tail:
    # with k = 0.7 it would be 25 times as large. A fit then follows the steps and ties of the bulk.
    # In a tail of ties the weights are bounded by a value that many points reach.
    if smallest == top or (n_tail >= 100 and top - smallest < 1.0):
        return -np.inf
    with np.errstate(all="ignore"):
        # The public function takes log-likelihoods, whose weights are exp(−log-likelihood).
        _, k = array_stats.psislw(-_without_ties(log_weights), r_eff=r_eff)
    return float(k) if np.isfinite(k) else np.nan
