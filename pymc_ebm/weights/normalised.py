"""Weights that sum to one, the log of their sum, and how many points they amount to.

M points; log weights are in nats and the points are on the last axis.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ess", "normalise"]


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
