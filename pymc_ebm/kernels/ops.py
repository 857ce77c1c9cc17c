"""The Ops that stand for `LogPartition` in a function that numba compiles.

Their inner graphs say what they compute and are what any other back end would run. Numba gets
loops over blocks of points instead (`pymc_ebm.kernels.linear` and `pymc_ebm.kernels.blocks`).
"""

import math
from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.builders import FinalizedOpFromGraph
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.partition.log_sum_exp import value_and_gradient

__all__ = ["BlockStream", "LinearStream", "Weigh"]


class _Stream(FinalizedOpFromGraph):
    """An Op whose inner graph is not to be compiled, nor run while a graph is simplified."""

    def do_constant_folding(self, fgraph, node):
        """Refuse: PyTensor would run the plain graph, with temporaries of the points' number."""
        return False


class LinearStream(_Stream):
    r"""Log Σ_m exp(a_m − Σ_k c_rk · T_mk), and its derivatives by the coefficients c.

    Inputs are a, ``(M,)``; the statistics, each ``(M,)`` or ``(d_k, M)``; and their coefficients,
    each ``(R,)`` or ``(R, d_k)``, one row for each row of parameters. Outputs are the logs,
    ``(R,)`` in nats, and with `with_gradient` the derivatives −Σ_m w̄_rm T_mk, shaped like the
    coefficients and zero where every weight is.

    Parameters
    ----------
    statistics : sequence of TensorVariable
    with_gradient : bool
    n_rows : int, optional
        Rows that have points of their own: a is ``(R, M)`` then, statistics are ``(R, M)`` or
        ``(R, d_k, M)``, and the rows of coefficients are R or a multiple of it.
    """

    def __init__(
        self,
        statistics: Sequence[TensorVariable],
        with_gradient: bool,
        n_rows: int | None = None,
    ):
        self.with_gradient = with_gradient
        self.n_rows = n_rows
        first = 0 if n_rows is None else 1
        self.width = sum(math.prod(s.type.shape[first:-1]) for s in statistics)
        slots = [pt.tensor(dtype=s.dtype, shape=(*s.type.shape[:-1], None)) for s in statistics]
        coefficients = [
            pt.tensor(dtype="float64", shape=(None, *s.type.shape[first:-1])) for s in slots
        ]
        if n_rows is None:
            log_base = pt.dvector("log_base_weights")
            energy = sum(
                pt.outer(c, s) if s.ndim == 1 else c @ s
                for c, s in zip(coefficients, slots, strict=True)
            )
            log_weights = log_base - energy
        else:
            log_base = pt.dmatrix("log_base_weights")
            energy = 0.0
            for c, s in zip(coefficients, slots, strict=True):
                by_row = c.reshape((-1, n_rows, *c.type.shape[1:], 1))
                energy += by_row * s if s.ndim == 2 else (by_row * s).sum(axis=-2)
            log_weights = (log_base - energy).reshape((-1, log_base.shape[1]))
        outputs = value_and_gradient(log_weights, coefficients if with_gradient else [])
        super().__init__([log_base, *slots, *coefficients], list(outputs))

    def statistics_of(self, inputs: Sequence[Variable]) -> Sequence[Variable]:
        """The statistics among a node's inputs."""
        return inputs[1 : 1 + len(inputs) // 2]


class Weigh(Op):
    """Weights exp(l_m − top) of a block of log weights, their largest log weight and their sum.

    The largest counts as 0 where every log weight is −inf.
    """

    __props__ = ()

    def make_node(self, log_weights):
        """Apply to log weights, ``(B,)``."""
        return Apply(self, [log_weights], [pt.dvector(), pt.dscalar(), pt.dscalar()])

    def perform(self, node, inputs, outputs):
        """Compute in Python what numba computes."""
        [log_weights] = inputs
        top = log_weights.max()
        top = 0.0 if np.isneginf(top) else top
        weights = np.exp(log_weights - top)
        for storage, value in zip(outputs, (weights, top, weights.sum()), strict=True):
            storage[0] = np.asarray(value)


class BlockStream(_Stream):
    """Log Ẑ and its gradients, made of those of blocks of points.

    Parameters
    ----------
    inputs, outputs : list of Variable
        Graph of log Ẑ, ``(R,)``, and of gradients, ``(R, ...)``: all rows and all points. The axis
        of points is the last one of an input.
    block : tuple of (list of Variable, list of Variable)
        For one row of parameters and one block. Inputs have no axis of rows. Outputs are the
        largest log weight, the sum of the weights relative to it, and the sums of these weights
        times each gradient.
    wrt : list of int
        The inputs that the gradients belong to.
    n_rowed : int
        How many of the inputs have an axis of rows, the first ones.
    n_arrays : int
        How many of the inputs have an axis of points, the last ones.
    block_size : int
        Points of a block.
    """

    def __init__(self, inputs, outputs, *, block, wrt, n_rowed, n_arrays, block_size):
        self.block = block
        self.wrt = wrt
        self.n_rowed = n_rowed
        self.n_arrays = n_arrays
        self.block_size = block_size
        super().__init__(inputs, outputs)
