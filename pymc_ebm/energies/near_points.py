"""How many neighbours each point of a pattern has, by code that looks at points alone."""

from __future__ import annotations

import numba
import numpy as np
import pytensor.tensor as pt
from pytensor.compile.builders import OpFromGraph
from pytensor.graph.replace import _vectorize_node
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key
from pytensor.tensor.variable import TensorVariable

__all__ = ["in_pytensor", "near_points"]


def near_points(x, radius: float) -> TensorVariable:
    """For each place of packed patterns the other points nearer than a radius; 0 where none is.

    Parameters
    ----------
    x : TensorVariable
        ``(*batch, most, d + 1)``.
    radius : float

    Returns
    -------
    TensorVariable
        ``(*batch, most)``. It has no slope.
    """
    x = pt.as_tensor(x)
    inner = x.type()
    return NearPoints([inner], [in_pytensor(inner, radius)], radius)(x)


def in_pytensor(x, radius: float) -> TensorVariable:
    """`near_points` in PyTensor's operations, for back ends that call no compiled code."""
    there = x[..., -1]
    apart = x[..., :, None, :-1] - x[..., None, :, :-1]
    near = pt.lt(pt.sqrt((apart**2).sum(axis=-1)), radius)
    both = near * there[..., :, None] * there[..., None, :]
    return both.sum(axis=-1) - there * float(radius > 0)  # each point is near itself


class NearPoints(OpFromGraph):
    """See `near_points`."""

    def __init__(self, inputs, outputs, radius):
        self.radius = float(radius)
        super().__init__(inputs, outputs, connection_pattern=[[False]])

    def __str__(self):
        return f"NearPoints{{{self.radius!r}}}"

    def perform(self, node, inputs, outputs):
        """See `Op`."""
        outputs[0][0] = _count(inputs[0], self.radius).astype(node.outputs[0].dtype)


@_vectorize_node.register(NearPoints)
def _over_batch(op, node, x):
    return near_points(x, op.radius).owner


@register_funcify_and_cache_key(NearPoints)
def _funcify(op, node, **kwargs):
    radius = op.radius

    @numba_njit
    def near(x):
        return _count(x, radius)

    return near, f"NearPoints {radius!r}"


@numba.njit(cache=True)
def _count(x, radius):
    most, columns = x.shape[-2:]
    shape = x.shape[:-1]
    rows = np.ascontiguousarray(x).reshape((-1, most, columns))
    found = np.zeros((rows.shape[0], most))
    for b in range(rows.shape[0]):
        for i in range(most):
            if rows[b, i, columns - 1] != 1:
                continue
            for j in range(i):
                if rows[b, j, columns - 1] == 1:
                    square = 0.0
                    for k in range(columns - 1):
                        square += (rows[b, i, k] - rows[b, j, k]) ** 2
                    if np.sqrt(square) < radius:
                        found[b, i] += 1
                        found[b, j] += 1
    return found.reshape(shape)
