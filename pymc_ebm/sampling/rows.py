"""Draws at many rows of parameters, by the weights of all rows at once."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numba
import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.reference._rows import RowsReference
from pymc_ebm.reference.base import Reference
from pymc_ebm.sampling.compiled_energies import BLOCK, cached

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
        Each row may have points of its own.
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
    own_points = isinstance(reference, RowsReference)
    at_once = n_rows if own_points else max(BLOCK // reference.points_per_row, 1)
    # The draws of one row after those of another.
    order = np.argsort(kinds, kind="stable")
    ends = np.searchsorted(kinds[order], np.arange(n_rows), side="right")
    uniforms, index = rng.random(len(kinds)), np.empty(len(kinds), dtype=np.int64)
    fewest = np.inf
    for low in range(0, n_rows, at_once):
        some = log_weights([v[low : low + at_once] for v in rows])
        effective = np.empty(len(some))
        _choose(some, order, ends, low, uniforms, index, effective)
        _check(effective, low)
        fewest = min(fewest, float(effective.min()))
    if reference.follows_parameters:
        points_at = _points_at(energy, rows, reference)
        found = np.empty((len(kinds), *reference.event_shape), dtype=reference.points.dtype)
        for row in range(n_rows):
            mine = kinds == row
            found[mine] = points_at([v[row] for v in rows])[index[mine]]
    elif isinstance(reference, RowsReference):
        found = reference.by_row(reference.points)[kinds, index]
    else:
        found = reference.points[index]
    if fewest < least_effective and reference.level != "exact":
        # The same words at every posterior draw, and nothing compiled after them, so that Python
        # shows them once: draws are made at one after the other, and nothing tells the last.
        warnings.warn(
            f"Some draws come from fewer than {least_effective:g} effective reference points of "
            f"{reference.points_per_row}, so they do not follow the model there. Widen the "
            "reference, or use sampler=pymc_ebm.sampling.independent_metropolis.",
            UserWarning,
            stacklevel=3,
        )
    return found


def _log_weights_of(
    energy: Energy, rows: Sequence[NDArray], reference: Reference
) -> Callable[[list[NDArray]], NDArray]:
    """Log weights ``(R, M)`` at rows of parameters, compiled once for all values."""
    types = [(v.dtype.name, (None,) * v.ndim) for v in rows]

    def make():
        placeholders = [pt.tensor(dtype=dtype, shape=shape) for dtype, shape in types]
        node = log_partition(energy, *placeholders, reference=reference).owner
        return compiled(placeholders, node.op.log_weights(*node.inputs), VECTORISED)

    function = cached(energy, reference, rows, ("rows", *types), make)
    return lambda some: np.reshape(function(*some), (-1, reference.points_per_row))


def _points_at(
    energy: Energy, rows: Sequence[NDArray], reference: Reference
) -> Callable[[list[NDArray]], NDArray]:
    """Points ``(M, *event)`` that follow the parameters, at one row of them."""
    types = [(v.dtype.name, (None,) * (v.ndim - 1)) for v in rows]

    def make():
        params = [pt.tensor(dtype=dtype, shape=shape) for dtype, shape in types]
        return compiled(params, reference.at(params)[0], VECTORISED)

    function = cached(energy, reference, rows, ("points", *types), make)
    return lambda row: function(*row)


def _check(effective: NDArray, first: int) -> None:
    empty = np.isnan(effective)
    if empty.any():
        raise ValueError(
            f"There are no draws of {empty.sum()} of {len(effective)} rows, the first with index "
            f"{first + int(empty.argmax())}: the weights of their points are all zero or not a "
            "number. Choose a reference that covers these parameter values."
        )


@numba.njit(cache=True)
def _choose(log_weights, order, ends, first, uniforms, index, effective):
    """``index[n]`` by the weights ``(R, M)`` of its row, and each row's effective points.

    The draws of row r of all are ``order[ends[r - 1] : ends[r]]``, and these are rows from `first`
    on. NaN where the weights of a row are all zero or not a number.
    """
    n_points = log_weights.shape[1]
    cumulative = np.empty(n_points)
    for r in range(len(log_weights)):
        top, number = -np.inf, True
        for m in range(n_points):
            number = number and not np.isnan(log_weights[r, m])
            top = max(top, log_weights[r, m])
        effective[r] = np.nan
        if not (number and np.isfinite(top)):
            continue
        total, squares, last = 0.0, 0.0, 0
        for m in range(n_points):
            weight = np.exp(log_weights[r, m] - top)
            total += weight
            squares += weight**2
            cumulative[m] = total
            if weight > 0:
                last = m  # rounding may go past it
        effective[r] = total**2 / squares
        row = first + r
        for k in range(ends[row - 1] if row else 0, ends[row]):
            found = np.searchsorted(cumulative, uniforms[order[k]] * total, side="right")
            index[order[k]] = min(found, last)
