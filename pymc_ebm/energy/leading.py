"""Which axis of a graph is that of the events."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import graph_replace
from pytensor.tensor.basic import Join
from pytensor.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from pytensor.tensor.math import Dot
from pytensor.tensor.shape import Reshape, Shape, Shape_i, SpecifyShape
from pytensor.tensor.subtensor import Subtensor
from pytensor.tensor.variable import TensorVariable

__all__ = ["Leading"]


class Leading:
    """Whether the first axis of a variable is that of the events, as its operations tell.

    A class, as many variables are asked for and have their operations in common.
    """

    def __init__(self, x: TensorVariable):
        self.x = x
        self._known = {x: True}

    def __call__(self, variable: Variable) -> bool:
        """Whether it is for sure."""
        if variable not in self._known:
            node = variable.owner
            self._known[variable] = bool(node and variable.type.ndim and self._of(node))
        return self._known[variable]

    def _of(self, node) -> bool:
        first = node.inputs[0] if node.inputs else None
        match node.op:
            case Elemwise():
                return any(self(v) for v in node.inputs)
            case CAReduce():
                return node.op.axis is not None and 0 not in node.op.axis and self(first)
            case DimShuffle():
                return node.op.new_order[:1] == (0,) and self(first)
            case Subtensor():
                return node.op.idx_list[:1] == (slice(None),) and self(first)
            case Join():
                return node.op.axis % node.outputs[0].type.ndim != 0 and self(first)
            case Dot() | SpecifyShape():
                return self(first)
            case Reshape():
                shape = node.inputs[1].owner
                return shape is not None and self._is_length(shape.inputs[0])
        return False

    def _is_length(self, size) -> bool:
        """Whether a number is that of events."""
        node = size.owner
        if node is None or not isinstance(node.op, Elemwise | Subtensor | Shape | Shape_i):
            return False
        if isinstance(node.op, Shape_i):
            return node.op.i == 0 and self(node.inputs[0])
        if isinstance(node.op, Shape):
            return self(node.inputs[0])
        if isinstance(node.op, Subtensor):
            [*index] = node.inputs[1:]
            zero = all(isinstance(i, Constant) and int(i.data) == 0 for i in index)
            return zero and self._is_length(node.inputs[0])
        return len(node.inputs) == 1 and self._is_length(node.inputs[0])  # a cast

    def by_numbers(self, variable: Variable) -> bool:
        """Whether it is, of a graph of x alone; two numbers of events tell where operations do not.

        A first axis of length 1 is taken for that of what is the same for all, where it is.
        """
        if self(variable) or not variable.type.ndim or self.x.type.shape[0] is not None:
            return bool(variable.type.ndim)
        alike = []
        for n in (5, 7):
            zeros = np.zeros((n, *(size or 1 for size in self.x.type.shape[1:])), self.x.dtype)
            at_zeros = graph_replace(variable, {self.x: pt.constant(zeros)}, strict=False)
            try:
                value = at_zeros.eval(mode=Mode(linker="py", optimizer=None))
            except Exception:  # of an operation of the user's own, at zeros
                return True
            if len(value) not in (1, n):
                return False
            if len(value) == 1:
                alike.append(value)
        # x.shape of numbers is not, nor is x.T of one column.
        return len(alike) < 2 or np.array_equal(alike[0], alike[1], equal_nan=True)
