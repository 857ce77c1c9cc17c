"""The direction that an energy does not see, which may depend on its parameters."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.gradient import DisconnectedInputError, NullTypeGradError
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.of_many import of_many
from pymc_ebm.energy.split import RUN_ONCE

__all__ = ["null_directions"]


def null_directions(
    energy: Energy,
    params: Sequence[TensorVariable],
    places: NDArray,
    rows: Sequence[Sequence[NDArray]],
    tolerance: float = 1e-9,
) -> NDArray:
    """At each row of parameters a direction ``(J, D)`` along which no slope points; NaN for none.

    Slopes at all places are orthogonal to it, as those of (y − ax)² are to (1, a).

    Parameters
    ----------
    energy : Energy
    params : sequence of TensorVariable
    places : ndarray, shape ``(M, *event)``
        More than an event has numbers.
    rows : sequence of list of ndarray
    tolerance : float
        Of the smallest singular value of the slopes, as a share of the largest.

    Raises
    ------
    ValueError
        An energy that takes one number of points.
    """
    n_dim = places[0].size
    found = np.full((len(rows), n_dim), np.nan)
    split = energy.split(places.shape[1:], "float64", params)
    try:
        slope = pt.grad(split.at(split.x).sum(), split.x)
    except (NotImplementedError, NullTypeGradError, DisconnectedInputError):
        return found
    function, _ = of_many(split.params, [slope], RUN_ONCE, [split.x])
    columns = [
        np.array([row[i] for row in rows], dtype=p.dtype) for i, p in enumerate(split.params)
    ]
    with np.errstate(all="ignore"):
        [slopes] = function([places.astype(float)], columns)
    for k, each in enumerate(np.broadcast_to(slopes, (len(rows), *places.shape))):
        matrix = each.reshape(len(places), n_dim)
        if not np.isfinite(matrix).all() or not matrix.any():
            continue
        _, values, axes = np.linalg.svd(matrix, full_matrices=False)
        if values[-1] <= tolerance * values[0]:
            axis = np.where(np.abs(axes[-1]) < 1e-12, 0.0, axes[-1])
            found[k] = axis * np.sign(axis[np.argmax(np.abs(axis))])
    return found
