"""Systematic resampling of the particles of independent runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.weights.normalised import normalise

__all__ = ["resampled"]


def resampled(log_weights: NDArray, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Log mean weight of each run, and the particles that go on.

    Parameters
    ----------
    log_weights : ndarray, shape ``(R, n)``
        Of n particles of R independent runs, in nats.
    rng : numpy.random.Generator

    Returns
    -------
    log_means : ndarray, shape (R,)
        −inf of a run without weight, whose particles stay.
    index : ndarray of int, shape (R · n,)
        Into the runs' particles one after another.

    Examples
    --------
    >>> log_means, index = resampled(np.log([[1.0, 3.0], [2.0, 2.0]]), np.random.default_rng(1))
    >>> log_means.round(3), index
    (array([0.693, 0.693]), array([1, 1, 2, 3]))
    """
    runs, n = log_weights.shape
    log_sums, weights = normalise(log_weights)
    weights[np.isneginf(log_sums)] = 1 / n
    ends = weights.cumsum(axis=1)
    ends[:, -1] = 1.0
    places = (rng.random((runs, 1)) + np.arange(n)) / n
    offset = 2.0 * np.arange(runs)[:, None]  # one search for all runs
    index = np.searchsorted((ends + offset).ravel(), (places + offset).ravel())
    last = np.repeat(np.arange(1, runs + 1) * n - 1, n)
    return log_sums - np.log(n), np.minimum(index, last)
