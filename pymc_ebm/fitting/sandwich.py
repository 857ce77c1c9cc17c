"""Godambe's sandwich: the sampling covariance of estimates that minimise no likelihood."""

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.energy.compiled import compiled
from pymc_ebm.fitting.loss import columns, directional
from pymc_ebm.fitting.minimise import inverse

__all__ = ["compile_scores", "sandwich"]


def compile_scores(terms, u):
    """Compile the scores of the terms of a loss, one for each observation.

    Parameters
    ----------
    terms : TensorVariable
        ``(N,)``, whose sum is minimised.
    u : TensorVariable
        ``(K,)``.

    Returns
    -------
    callable
        Function of u that gives ∂term_n/∂u_k, ``(N, K)``.
    """
    v = u.type("v")
    along = compiled([u, v], *directional([terms.ravel()], u, v))
    return lambda at: columns(along, at)


def sandwich(hessian: NDArray, scores: NDArray) -> NDArray:
    r"""Covariance of an M-estimate, :math:`H^{-1} \frac{N}{N-1} \sum_n (ψ_n-\bar ψ)^2 H^{-1}`.

    Parameters
    ----------
    hessian : ndarray
        Of the summed loss, ``(K, K)``.
    scores : ndarray
        ψ_n, ``(N, K)``.

    Returns
    -------
    ndarray
        ``(K, K)``; NaN for a single observation, whose spread is unknown.

    References
    ----------
    V. P. Godambe (1960), Ann. Math. Statist. 31, 1208–1211.
    """
    n = len(scores)
    if n < 2:
        return np.full_like(hessian, np.nan)
    centred = scores - scores.mean(axis=0)
    bread = inverse(hessian)
    return bread @ (n / (n - 1) * centred.T @ centred) @ bread
