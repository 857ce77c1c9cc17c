"""Draws of rows that have points of their own, all rows at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.reference._rows import RowsReference
from pymc_ebm.sampling.compiled_energies import cached
from pymc_ebm.weights.normalised import normalise

__all__ = ["resample_rows"]


def resample_rows(
    energy: Energy, params: Sequence[NDArray], reference: RowsReference, rng: np.random.Generator
) -> NDArray:
    """One draw of each row: one of its own points, by their weights.

    Parameters
    ----------
    energy : Energy
    params : sequence of ndarray
        Of one row each, ``(R, *core)``, or of all, ``(*core,)``.
    reference : RowsReference
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape ``(R, *event)``

    Raises
    ------
    ValueError
        A row whose weights are all zero or not a number.
    """

    def make():
        placeholders = [
            pt.tensor(dtype=np.asarray(v).dtype, shape=(None,) * np.ndim(v)) for v in params
        ]
        node = log_partition(energy, *placeholders, reference=reference).owner
        return pytensor.function(
            placeholders, node.op.log_weights(*node.inputs), mode=VECTORISED,
            on_unused_input="ignore",
        )  # fmt: skip

    key = ("rows", *((np.asarray(v).dtype.str, np.ndim(v)) for v in params))
    log_z, weights = normalise(cached(energy, reference, key, make)(*params))
    empty = ~np.isfinite(log_z)
    if empty.any():
        raise ValueError(
            f"There are no draws of {empty.sum()} of {len(log_z)} rows, the first with index "
            f"{int(empty.argmax())}: the weights of their points are all zero or not a number. "
            "Choose a reference that covers these parameter values."
        )
    cumulative = weights.cumsum(axis=1)
    # Rounding may put the sum below the number drawn.
    u = rng.random((len(weights), 1)) * cumulative[:, -1:]
    chosen = (cumulative <= u).sum(axis=1)
    return reference.by_row(reference.points)[np.arange(len(weights)), chosen]
