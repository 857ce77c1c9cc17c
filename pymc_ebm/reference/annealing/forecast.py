"""What the runs' spread will add to a posterior, and how many particles make it little enough."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.weights.normalised import normalise


def added_error(
    energies, points: NDArray, log_weights: NDArray, runs: NDArray, theta: Sequence[NDArray],
    amplification: float,
) -> float:  # fmt: skip
    r"""Largest error that points add to posterior means, in posterior sds, at θ0.

    With T = ∂E/∂θ, the information I = c Cov(T) of c data and the variance V over runs of c Σ w T,

    .. math:: δ_k^2 = (I^{-1} V I^{-1})_{kk} / (I^{-1})_{kk}

    Parameters
    ----------
    energies : PointEnergies
    points : ndarray, shape ``(M, *event)``
    log_weights : ndarray, shape (M,)
        a_m.
    runs : ndarray of int, shape (M,)
    theta : sequence of ndarray
    amplification : float
        c, the number of data that share the normaliser.
    """
    statistics = energies.statistics(points)
    n_runs = int(runs.max()) + 1
    _, weights = normalise(log_weights - energies(statistics, theta))
    slopes = np.stack([
        (energies(statistics, high) - energies(statistics, low)) / (2 * step)
        for low, high, step in _around(theta)
    ], axis=1)  # fmt: skip
    slopes = np.where(weights[:, None] > 0, slopes, 0.0)
    centred = slopes - weights @ slopes
    information = amplification * (centred.T * weights) @ centred
    sums = [np.bincount(runs, weights * column, n_runs) for column in centred.T]
    score = amplification * np.stack(sums) * np.sqrt(n_runs / (n_runs - 1))
    inverse = np.linalg.pinv(information, rcond=1e-10, hermitian=True)
    variance, added = np.diag(inverse), ((inverse @ score) ** 2).sum(axis=1)
    known = variance > 0
    return float(np.sqrt((added[known] / variance[known]).max(initial=0.0)))


def _around(theta):
    """Parameters with one number a little lower and higher, and the step."""
    for i, value in enumerate(theta):
        for j in np.ndindex(value.shape):
            step = 1e-5 * max(abs(float(value[j])), 1e-3)
            pair = []
            for sign in (-1, 1):
                shifted = np.array(value, dtype=float)
                shifted[j] += sign * step
                pair.append([*theta[:i], shifted, *theta[i + 1 :]])
            yield (*pair, step)
