"""What the coarser rule of panels says of their error."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.normalised import normalise


def panel_error(reference: Reference, log_weights: NDArray) -> float:
    """Sum over panels of the two rules' differences, as a share of Ẑ; a bound of log Ẑ's error.

    Parameters
    ----------
    reference : Reference
        Made by `panels`.
    log_weights : ndarray, shape (M,)
        a_m − E(y_m | θ).
    """
    assert reference.coarse_log_weights is not None
    log_z, weights = normalise(log_weights)
    if not np.isfinite(log_z):
        return np.inf
    change = weights * np.expm1(reference.coarse_log_weights - reference.log_weights)
    return float(np.abs(np.bincount(reference.groups, change)).sum())
