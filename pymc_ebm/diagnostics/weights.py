"""Importance weights as plain arrays: normalising, effective sizes, group variances, k-hat.

M points, G groups; log weights are in nats and the points are on the last axis.
"""

from __future__ import annotations

import math

import numpy as np
from arviz_stats.base import array_stats
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "TopLogWeights",
    "ess",
    "group_covariance",
    "group_sums",
    "group_variance",
    "khat_threshold",
    "log_partition_mcse",
    "normalise",
    "pareto_k",
    "variance_of_sums",
]

# Log weights that agree this well differ by rounding alone; a tail fitted to rounding is noise.
_EQUAL_NATS = 1e-9

# Where the largest of so many tail weights is less than e times the smallest there is no tail: with
# k = 0.7 it would be 25 times as large. A fit then follows the steps and ties of the bulk.
_FEWEST_FOR_RANGE = 100
_LEAST_RANGE = 1.0

# ArviZ takes a fifth of a small sample as its tail, and its fit needs six points there.
_FEWEST_FOR_KHAT = 30


def normalise(log_weights: ArrayLike) -> tuple[NDArray, NDArray]:
    r"""Log of the summed weights, and the weights divided by their sum.

    .. math:: \log \hat Z = \log \sum_m e^{l_m}, \qquad \bar w_m = e^{l_m} / \hat Z

    Parameters
    ----------
    log_weights : array_like
        l_m = a_m − E(y_m | θ) in nats, ``(..., M)``.

    Returns
    -------
    log_z : ndarray
        Nats, ``(...)``; −inf where every log weight is −inf, NaN where one is NaN or +inf.
    weights : ndarray
        ``(..., M)``, summing to 1; all zero where `log_z` is −inf.
    """
    log_weights = np.asarray(log_weights, dtype=float)
    top = log_weights.max(axis=-1, keepdims=True)
    # One infinite weight makes every normalised weight undefined.
    top = np.where(np.isposinf(top), np.nan, top)
    weights = np.exp(log_weights - np.where(np.isneginf(top), 0.0, top))
    total = weights.sum(axis=-1, keepdims=True)
    empty = total == 0
    weights /= np.where(empty, 1.0, total)
    log_z = np.where(empty, -np.inf, np.log(np.where(empty, 1.0, total)) + top)
    return log_z[..., 0], weights


def ess(weights: ArrayLike) -> NDArray:
    r"""Effective number of points, :math:`1 / \sum_m \bar w_m^2`.

    Parameters
    ----------
    weights : array_like
        Normalised weights, ``(..., M)``.

    Returns
    -------
    ndarray
        ``(...)``, from 1 to M; 0 where all weights are zero.
    """
    weights = np.asarray(weights, dtype=float)
    squares = np.einsum("...m,...m->...", weights, weights)
    return np.where(squares == 0, 0.0, 1 / np.where(squares == 0, 1.0, squares))


def group_sums(influence: ArrayLike, groups: NDArray) -> NDArray:
    r"""Sums over the points of each group, :math:`Φ_g = \sum_{m \in g} φ_m`.

    Parameters
    ----------
    influence : array_like
        φ_m, ``(..., M)``.
    groups : ndarray of int
        Group of each point, ``(M,)``, from 0 to G − 1.

    Returns
    -------
    ndarray
        ``(..., G)``.
    """
    influence = np.asarray(influence, dtype=float)
    n_groups = int(groups.max()) + 1
    if n_groups == groups.size:
        # Every point is its own group, and the order of groups is immaterial.
        return influence
    rows = influence.reshape(-1, groups.size)
    sums = np.array([np.bincount(groups, weights=row, minlength=n_groups) for row in rows])
    return sums.reshape(*influence.shape[:-1], n_groups)


def group_variance(influence: ArrayLike, groups: NDArray, unused_draws: int = 0) -> NDArray:
    r"""Variance of an estimate from the influences of independent groups of points.

    .. math:: V = \frac{G}{G - 1} \sum_g (Φ_g - \bar Φ)^2, \qquad Φ_g = \sum_{m \in g} φ_m

    Parameters
    ----------
    influence : array_like
        φ_m, the derivative of the result with respect to the log of weight m, ``(..., M)``, in
        units of the result.
    groups : ndarray of int
        Group of each point, ``(M,)``, from 0 to G − 1.
    unused_draws : int
        Draws that were made and thrown away: groups of their own with Φ = 0, counted in G.

    Returns
    -------
    ndarray
        ``(...)``, in squared units of the result; NaN for a single group, whose spread is unknown.

    References
    ----------
    The infinitesimal jackknife: B. Efron (1982), "The Jackknife, the Bootstrap and Other
    Resampling Plans"; for log Ẑ the delta method of C. J. Geyer (1994).
    """
    return variance_of_sums(group_sums(influence, groups), unused_draws)


def variance_of_sums(sums: NDArray, unused_draws: int = 0) -> NDArray:
    """`group_variance` of influences that are summed by group already, ``(..., G)``."""
    n_groups = sums.shape[-1] + unused_draws
    if n_groups < 2:
        return np.full(sums.shape[:-1], np.nan)
    mean = sums.sum(axis=-1, keepdims=True) / n_groups
    squares = ((sums - mean) ** 2).sum(axis=-1) + unused_draws * mean[..., 0] ** 2
    return n_groups / (n_groups - 1) * squares


def group_covariance(influence: NDArray, groups: NDArray, unused_draws: int = 0) -> NDArray:
    r"""Covariance of several estimates that share their points.

    .. math:: V_{kl} = \frac{G}{G - 1} \sum_g (Φ_{kg} - \bar Φ_k)(Φ_{lg} - \bar Φ_l)

    Parameters
    ----------
    influence : ndarray
        φ_km, ``(K, M)``, in units of the results.
    groups : ndarray of int
        Group of each point, ``(M,)``.
    unused_draws : int
        As in `group_variance`, which is the diagonal of this.

    Returns
    -------
    ndarray
        ``(K, K)``; NaN for a single group.
    """
    sums = group_sums(influence, groups)
    n_groups = sums.shape[-1] + unused_draws
    if n_groups < 2:
        return np.full((len(sums), len(sums)), np.nan)
    mean = sums.sum(axis=-1, keepdims=True) / n_groups
    centred = sums - mean
    return n_groups / (n_groups - 1) * (centred @ centred.T + unused_draws * mean @ mean.T)


def log_partition_mcse(weights: ArrayLike, groups: NDArray) -> NDArray:
    r"""Monte Carlo standard error of log Ẑ, in nats.

    For independent points :math:`\frac{M}{M - 1} (1/\mathrm{ESS} - 1/M)` is its square.

    Parameters
    ----------
    weights : array_like
        Normalised weights, ``(..., M)``.
    groups : ndarray of int
        Group of each point, ``(M,)``.

    Returns
    -------
    ndarray
        ``(...)``; NaN for a single group.

    References
    ----------
    C. J. Geyer (1994), "On the convergence of Monte Carlo maximum likelihood calculations";
    W. M. Farr (2019), "Accuracy requirements for empirically measured selection functions".
    """
    return np.sqrt(group_variance(weights, groups))


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
    if log_weights.size < _FEWEST_FOR_KHAT:
        return np.nan
    return _fitted_k(log_weights)


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
        if self._n_points <= self._most:
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
    if n_tail >= _FEWEST_FOR_RANGE:
        if top - np.partition(log_weights, -n_tail)[-n_tail] < _LEAST_RANGE:
            return -np.inf
    with np.errstate(all="ignore"):
        # The public function takes log-likelihoods, whose weights are exp(−log-likelihood).
        try:
            _, k = array_stats.psislw(-log_weights, r_eff=r_eff)
            spread = _without_ties(log_weights)
            if spread is not log_weights:
                _, k = array_stats.psislw(-spread, r_eff=r_eff)
        except ValueError as error:
            if "same" not in str(error):
                raise
            # A tail of ties: the weights are bounded by a value that many points reach.
            return -np.inf
    return float(k) if np.isfinite(k) else np.nan
