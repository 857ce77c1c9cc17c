"""Sums over groups of points, and the variances that independent groups tell.

M points, G groups; the points are on the last axis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "group_covariance",
    "group_sums",
    "group_variance",
    "log_partition_mcse",
    "variance_of_sums",
]


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
