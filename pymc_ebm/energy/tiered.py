"""A function of whole arrays that NumPy runs until compiling it is worth while."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numba.core.errors import NumbaError
from pytensor.graph.basic import Variable
from pytensor.scan.op import Scan
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.split import VECTORISED

__all__ = ["tiered"]


def tiered(
    inputs: Sequence[Variable],
    outputs: TensorVariable | list[TensorVariable],
    *,
    numbers: int = 2**22,
) -> Callable:
    """A function that is compiled once it has been given many numbers.

    NumPy needs no compiling and is as quick for a few calls; compiled loops are several times as
    quick for many. What Python would do row by row is compiled at once. Counted are numbers and not
    seconds, so that the same calls give the same digits on every machine.

    Parameters
    ----------
    inputs : sequence of Variable
        May have some that the outputs do not use.
    outputs : TensorVariable or list of TensorVariable
    numbers : int
        In all inputs of all calls, after which it is compiled.

    Returns
    -------
    callable
        Takes the values of `inputs`.

    Examples
    --------
    >>> import numpy as np
    >>> import pytensor.tensor as pt
    >>> x = pt.dvector("x")
    >>> tiered([x], x**2)(np.array([1.0, 2.0]))
    array([1., 4.])
    """
    return _Tiered(inputs, outputs, numbers)


class _Tiered:
    """What it is now, and how many numbers are left until it is compiled; None where it is."""

    def __init__(self, inputs, outputs, numbers: int):
        self._graph = inputs, outputs
        self._function = compiled(inputs, outputs, VECTORISED)
        # What Python does row by row.
        nodes = self._function.function.maker.fgraph.apply_nodes
        by_row = any(isinstance(node.op, Blockwise | Scan) for node in nodes)
        self._left: int | None = 0 if by_row else numbers

    def __call__(self, *values):
        if self._left is None:
            return self._function(*values)
        if self._left > 0:
            self._left -= sum(np.size(v) for v in values)
            return self._function(*values)
        self._left = None
        inputs, outputs = self._graph
        try:
            function = compiled(inputs, outputs)
            found = function(*values)
        except (NotImplementedError, NumbaError):  # an operation that NumPy alone has
            return self._function(*values)
        self._function = function
        return found
