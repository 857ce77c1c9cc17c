"""Sums over the points of a normaliser at given parameters, in memory that does not grow with M."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.diagnostics.normalisers.find import Normaliser
from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.tiered import tiered
from pymc_ebm.kernels.routes import choose
from pymc_ebm.memory import check_memory
from pymc_ebm.reference.base import Reference

__all__ = ["LogWeights"]

# Log weights in memory at a time, 1 MiB an array.
_BLOCK = 2**17


class LogWeights:
    """Log weights a_m − E(y_m | θ) of one normaliser, block by block.

    Parameters
    ----------
    normaliser : Normaliser

    Attributes
    ----------
    parameters : list of Variable
        What the log weights depend on besides the reference: graphs of the model's values.
    reference : Reference
    points_per_row : int
    streams : bool
        Whether the points can be taken in blocks, by the kernels and here.
    """

    def __init__(self, normaliser: Normaliser):
        node = normaliser.nodes[0]
        params, captured, arrays = normaliser.inputs
        self.parameters = [*params, *captured]
        self.reference: Reference = normaliser.reference
        self.points_per_row = self.reference.points_per_row
        self.streams = choose(node).name != "plain"
        self._arrays = [a.data for a in arrays]
        slots = [pt.tensor(dtype=a.dtype, shape=(None, *a.type.shape[1:])) for a in arrays]
        inputs = [*(p.type() for p in self.parameters), *slots]
        log_weights = node.op.log_weights(*inputs)
        if normaliser.row is not None:
            log_weights = log_weights[..., normaliser.row, :]
        self._graph = inputs, log_weights
        self._function = tiered(inputs, log_weights)
        self._batch_ndim = node.op.batch_ndim
        self._cores = [p.ndim for p in node.op.split.params]

    def fits(self, values: Sequence[NDArray]) -> bool:
        """Whether the log weights of all rows and points are few enough to hold at once."""
        n_rows, n_points = self.n_rows(values), self.points_per_row
        if n_rows * n_points <= 8 * _BLOCK:
            return True
        if self.streams and self.reference.by_blocks:
            return False
        check_memory(
            n_points,
            8 * n_rows,
            f"They cannot be taken in blocks, with {n_rows} rows of parameters: use fewer draws.",
        )
        return True

    def all(self, values: Sequence[NDArray]) -> NDArray:
        """Log weights of all points, ``(R, M)``."""
        log_weights = np.asarray(self._function(*values, *self._arrays))
        return log_weights.reshape(-1, self.points_per_row)

    def blocks(self, values: Sequence[NDArray]) -> Iterator[tuple[slice, NDArray]]:
        """Slices of the points and their log weights, ``(R, B)``."""
        size = max(_BLOCK // self.n_rows(values), 1)
        for low in range(0, self.reference.n_points, size):
            points = slice(low, min(low + size, self.reference.n_points))
            block = np.asarray(self._function(*values, *[a[points] for a in self._arrays]))
            yield points, block.reshape(-1, points.stop - points.start)

    def parts(self, values: Sequence[NDArray]) -> Iterator[tuple[slice, NDArray]]:
        """`blocks` where the log weights are many, and else all of them at once."""
        if self.fits(values):
            yield slice(0, self.points_per_row), self.all(values)
        else:
            yield from self.blocks(values)

    def without_slope(self, values: Sequence[NDArray]) -> int | None:
        """Index of a point whose log weight has a slope by a parameter that is NaN; None without.

        Of points in blocks alone. Halves of the points are asked, and the half that has one again.
        """
        if not (self.streams and self.reference.by_blocks):
            return None
        inputs, log_weights = self._graph
        params = [p for p in inputs[: len(self.parameters)] if p.dtype.startswith("float")]
        slopes = pt.grad(log_weights.sum(), params, disconnected_inputs="ignore")
        function = compiled(inputs, slopes)

        def any_between(low: int, high: int) -> bool:
            found = function(*values, *[a[low:high] for a in self._arrays])
            return any(np.isnan(slope).any() for slope in found)

        low, high = 0, self.reference.n_points
        if not any_between(low, high):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if any_between(low, middle) else (middle, high)
        return low

    def n_rows(self, values: Sequence[NDArray]) -> int:
        """How many rows of parameters there are."""
        shapes = [np.shape(v)[: np.ndim(v) - n] for v, n in zip(values, self._cores, strict=False)]
        return math.prod(np.broadcast_shapes(*shapes)) if self._batch_ndim else 1
