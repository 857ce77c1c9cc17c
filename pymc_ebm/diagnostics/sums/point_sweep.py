"""Sums over the points of a normaliser at given parameters, in memory that does not grow with M."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.diagnostics.normalisers.find import Normaliser
from pymc_ebm.kernels.routes import choose
from pymc_ebm.memory import check_memory
from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.groups import variance_of_sums

__all__ = ["GroupSpread", "PointSweep", "RunningTotals"]

# Log weights that are held at a time, 1 MiB an array.
_BLOCK = 2**17


class PointSweep:
    """Log weights a_m − E(y_m | θ) of one normaliser, block by block.

    Parameters
    ----------
    normaliser : Normaliser

    Attributes
    ----------
    parameters : list of Variable
        What the log weights depend on besides the reference: graphs of the model's values.
    reference : Reference
    streams : bool
        Whether the points can be taken in blocks, by the kernels and here.
    """

    def __init__(self, normaliser: Normaliser):
        node = normaliser.nodes[0]
        whole = len(node.op.split.params) + len(node.op.split.captured)
        self.parameters, arrays = node.inputs[:whole], node.inputs[whole:]
        self.reference: Reference = node.op.reference
        self.streams = choose(node).name != "plain"
        self._arrays = [a.data for a in arrays]
        slots = [pt.tensor(dtype=a.dtype, shape=(None, *a.type.shape[1:])) for a in arrays]
        inputs = [*(p.type() for p in self.parameters), *slots]
        log_weights = node.op.log_weights(*inputs)
        if normaliser.row is not None:
            log_weights = log_weights[..., normaliser.row, :]
        self._function = pytensor.function(inputs, log_weights, on_unused_input="ignore")
        self._batch_ndim = node.op.batch_ndim
        self._cores = [p.ndim for p in node.op.split.params]

    def fits(self, values: Sequence[NDArray]) -> bool:
        """Whether the log weights of all rows and points are few enough to hold at once."""
        n_rows, n_points = self.n_rows(values), self.reference.n_points
        if n_rows * n_points <= 8 * _BLOCK:
            return True
        if self.streams and self.reference.pool is None:
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
        return log_weights.reshape(-1, self.reference.n_points)

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
            yield slice(0, self.reference.n_points), self.all(values)
        else:
            yield from self.blocks(values)

    def n_rows(self, values: Sequence[NDArray]) -> int:
        """How many rows of parameters there are."""
        shapes = [np.shape(v)[: np.ndim(v) - n] for v, n in zip(values, self._cores, strict=False)]
        return math.prod(np.broadcast_shapes(*shapes)) if self._batch_ndim else 1


class RunningTotals:
    """Log Σ w and (Σ w)²/Σ w² of rows of log weights that come in blocks.

    Parameters
    ----------
    n_rows : int
    """

    def __init__(self, n_rows: int):
        self.top = np.full(n_rows, -np.inf)
        self.total, self.squares = np.zeros(n_rows), np.zeros(n_rows)

    def add(self, log_weights: NDArray) -> None:
        """Take in log weights, ``(R, B)``."""
        # One infinite weight makes every normalised weight undefined.
        top = log_weights.max(axis=1)
        top = np.where(np.isposinf(top), np.nan, top)
        weights = np.exp(log_weights - np.where(np.isneginf(top), 0.0, top)[:, None])
        self._merge(top, weights.sum(axis=1), np.einsum("rm,rm->r", weights, weights))

    def merge(self, other: RunningTotals) -> None:
        """Take in all that another one took in."""
        self._merge(other.top, other.total, other.squares)

    def _merge(self, top, total, squares) -> None:
        highest = np.maximum(self.top, top)
        shift = np.where(np.isneginf(highest), 0.0, highest)
        mine, others = np.exp(self.top - shift), np.exp(top - shift)
        self.total = self.total * mine + total * others
        self.squares = self.squares * mine**2 + squares * others**2
        self.top = highest

    @property
    def log_z(self) -> NDArray:
        """Log Σ w, ``(R,)`` in nats."""
        empty = self.total == 0
        return np.where(empty, -np.inf, np.log(np.where(empty, 1.0, self.total)) + self.top)

    @property
    def ess(self) -> NDArray:
        """Effective numbers of points, ``(R,)``."""
        empty = self.squares == 0
        return np.where(empty, 0.0, self.total**2 / np.where(empty, 1.0, self.squares))

    def weights(self, log_weights: NDArray) -> NDArray:
        """Normalised weights of a block, once all blocks are in."""
        shift = np.where(np.isneginf(self.top), 0.0, self.top)
        total = np.where(self.total == 0, 1.0, self.total)
        return np.exp(log_weights - shift[:, None]) / total[:, None]


class GroupSpread:
    """`group_variance` of influences that come in blocks of points and whose sum is known.

    Parameters
    ----------
    reference : Reference
    total : float
        Sum of the influences.
    """

    def __init__(self, reference: Reference, total: float):
        self._reference = reference
        self._own_groups = reference.n_groups == reference.n_points
        n_groups = reference.n_groups + reference.unused_draws
        self._mean, self._n_groups = total / n_groups, n_groups
        self._squares = reference.unused_draws * self._mean**2
        self._sums = np.zeros(0 if self._own_groups else reference.n_groups)

    def add(self, points: slice, influence: NDArray) -> None:
        """Take in the influences of a slice of the points, ``(B,)``."""
        if self._own_groups:
            self._squares += np.sum((influence - self._mean) ** 2)
            return
        labels = self._reference.groups[points]
        first = labels.min()
        sums = np.bincount(labels - first, weights=influence)
        self._sums[first : first + len(sums)] += sums

    @property
    def variance(self) -> float:
        """Of the result, once all blocks are in; NaN for a single group."""
        if self._n_groups < 2:
            return np.nan
        if self._own_groups:
            return float(self._n_groups / (self._n_groups - 1) * self._squares)
        return float(variance_of_sums(self._sums, self._reference.unused_draws))
