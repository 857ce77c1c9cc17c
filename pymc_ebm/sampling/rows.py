"""Draws at many rows of parameters, by the weights of all rows at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.reference._rows import RowsReference
from pymc_ebm.reference.base import Reference
from pymc_ebm.sampling.compiled_energies import BLOCK, cached
from pymc_ebm.weights.normalised import ess, normalise

__all__ = ["resample_rows"]


def resample_rows(
    energy: Energy,
    rows: Sequence[NDArray],
    kinds: NDArray,
    reference: Reference,
    rng: np.random.Generator,
    least_effective: float = 50,
) -> NDArray:
    """Independent draws at rows of parameters: points of the reference, by their weights there.

    Parameters
    ----------
    energy : Energy
    rows : sequence of ndarray
        Of the parameters, ``(R, *core)``.
    kinds : ndarray of int
        ``(N,)``, the row of each draw.
    reference : Reference
        Whose points do not follow the parameters; each row may have points of its own.
    rng : numpy.random.Generator
    least_effective : float
        Effective points below which draws repeat a few points, and a warning says so.

    Returns
    -------
    ndarray, shape ``(N, *event)``

    Raises
    ------
    ValueError
        A row whose weights are all zero or not a number.

    Warns
    -----
    UserWarning
        Rows with few effective points, of a reference that is not exact.
    """
    log_weights = _log_weights_of(energy, rows, reference)
    n_rows = int(kinds.max()) + 1 if len(kinds) else 0
    of_rows = isinstance(reference, RowsReference)
    at_once = n_rows if of_rows else max(BLOCK // reference.points_per_row, 1)
    index = np.empty(len(kinds), dtype=np.int64)
    fewest = np.inf
    for low in range(0, n_rows, at_once):
        mine = np.flatnonzero((kinds >= low) & (kinds < low + at_once))
        log_z, weights = normalise(log_weights([v[low : low + at_once] for v in rows]))
        _check(log_z, low)
        fewest = min(fewest, float(ess(weights).min()))
        index[mine] = _choose(weights, kinds[mine] - low, rng)
    if fewest < least_effective and reference.level != "exact":
        # The same words at every posterior draw, so that Python shows them once.
        warnings.warn(
            f"Some draws come from fewer than {least_effective:g} effective reference points of "
            f"{reference.points_per_row}, so they do not follow the model there. Widen the "
            "reference, or use sampler=pymc_ebm.sampling.independent_metropolis.",
            UserWarning,
            stacklevel=3,
        )
    if isinstance(reference, RowsReference):
        return reference.by_row(reference.points)[kinds, index]
    return reference.points[index]


def _log_weights_of(
    energy: Energy, rows: Sequence[NDArray], reference: Reference
) -> Callable[[list[NDArray]], NDArray]:
    """Log weights ``(R, M)`` at rows of parameters, compiled once for all values."""
    types = [(v.dtype.name, (None,) * v.ndim) for v in rows]

    def make():
        placeholders = [pt.tensor(dtype=dtype, shape=shape) for dtype, shape in types]
        node = log_partition(energy, *placeholders, reference=reference).owner
        return pytensor.function(
            placeholders, node.op.log_weights(*node.inputs), mode=VECTORISED,
            on_unused_input="ignore",
        )  # fmt: skip

    function = cached(energy, reference, ("rows", *types), make)
    return lambda some: np.reshape(function(*some), (-1, reference.points_per_row))


def _check(log_z: NDArray, first: int) -> None:
    empty = ~np.isfinite(log_z)
    if empty.any():
        raise ValueError(
            f"There are no draws of {empty.sum()} of {len(log_z)} rows, the first with index "
            f"{first + int(empty.argmax())}: the weights of their points are all zero or not a "
            "number. Choose a reference that covers these parameter values."
        )


def _choose(weights: NDArray, kinds: NDArray, rng: np.random.Generator) -> NDArray:
    """A point for each draw, ``(N,)``, by the weights ``(R, M)`` of its row."""
    n_rows, n_points = weights.shape
    cumulative = weights.cumsum(axis=1)
    cumulative /= cumulative[:, -1:]
    # One row after the other, so that one search serves all.
    cumulative += np.arange(n_rows)[:, None]
    found = np.searchsorted(cumulative.ravel(), kinds + rng.random(len(kinds)), side="right")
    # Rounding may go past the last point with weight.
    last = n_points - 1 - (weights[:, ::-1] > 0).argmax(axis=1)
    return np.minimum(found - kinds * n_points, last[kinds])
