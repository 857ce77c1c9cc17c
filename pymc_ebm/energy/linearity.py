"""Whether E is linear in statistics of x, E = Σ_k c_k(θ) · T_k(x), and with which coefficients.

Asked here by the kernels, the hull and Gibbs sampling. The graph answers first. Where it does not,
slopes at given statistics do.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.gradient import NullTypeGradError
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.replace import graph_replace
from pytensor.graph.utils import MethodNotDefined
from pytensor.scalar.basic import Add, Cast, Mul, Neg, Sub, TrueDiv
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot, Sum
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.hoisting import depends
from pymc_ebm.energy.split import SplitEnergy

__all__ = [
    "coefficients",
    "common_slopes",
    "is_linear",
    "is_product",
    "slopes",
]


def is_linear(split: SplitEnergy) -> bool:
    """Whether the graph of E is a sum of products of one statistic and things free of x."""
    if not all(s.dtype.startswith("float") for s in split.slots):
        return False
    dependent = depends([split.value], split.slots)
    seen: dict[Variable, bool] = {}

    def linear(variable) -> bool:
        if variable not in seen:
            seen[variable] = variable in split.slots or linear_step(variable.owner)
        return seen[variable]

    def linear_step(node) -> bool:
        moving = [v for v in node.inputs if v in dependent]
        if isinstance(node.op, Elemwise):
            match node.op.scalar_op:
                case Add() | Sub():
                    fits = len(moving) == len(node.inputs)
                case Neg():
                    fits = True
                case Mul():
                    fits = len(moving) == 1
                case TrueDiv():
                    fits = moving == [node.inputs[0]]
                case Cast():
                    fits = node.outputs[0].dtype == "float64"
                case _:
                    fits = False
        elif isinstance(node.op, Sum):
            fits = node.op.axis is not None and 0 not in node.op.axis
        else:
            fits = isinstance(node.op, DimShuffle) or (
                is_product(node) and moving == [node.inputs[0]]
            )
        return fits and all(linear(v) for v in moving)

    return split.value in dependent and linear(split.value)


def is_product(node: Apply) -> bool:
    """Whether a node is a product of a matrix with a matrix or vector, spelt ``dot`` or ``@``."""
    op = node.op
    if isinstance(op, Blockwise):
        op = op.core_op
    return isinstance(op, Dot) and node.inputs[0].ndim == 2 and node.inputs[1].ndim <= 2


def coefficients(split: SplitEnergy, shapes: Sequence[tuple[int, ...]]) -> list[TensorVariable]:
    """Graphs of c_k, each of a shape of `shapes`, for an energy that is linear by its graph."""
    # The derivative of a linear function is the same at every point: here at one of zeros.
    zeros = [
        pt.zeros((1, *shape), dtype=s.dtype) for s, shape in zip(split.slots, shapes, strict=True)
    ]
    rows = pt.grad(split.value.sum(), split.slots, disconnected_inputs="ignore")
    rows = graph_replace(rows, dict(zip(split.slots, zeros, strict=True)), strict=False)
    return [r.sum(axis=0) for r in rows]


def slopes(split: SplitEnergy) -> list[TensorVariable] | None:
    """Graphs of ∂E/∂T_k at the slots, each of the shape of its slot; None where there are none."""
    try:
        found = pt.grad(
            split.value.sum(),
            split.slots,
            disconnected_inputs="ignore",
            return_disconnected="zero",
        )
    except (NotImplementedError, MethodNotDefined, NullTypeGradError):
        return None
    return [g + pt.zeros_like(s) for g, s in zip(found, split.slots, strict=True)]


def common_slopes(values: NDArray, tolerance: float = 1e-9) -> NDArray | None:
    """Coefficients c by slopes at several points, ``(..., B, K)``, that are the same at all.

    Returns
    -------
    ndarray or None
        ``(..., K)``; None where E is not linear there, to `tolerance` of each slope's size.
    """
    size = np.abs(values).max(axis=-2, keepdims=True)
    same = np.abs(values - values[..., :1, :]) <= tolerance * size
    return values[..., 0, :] if same.all() else None
