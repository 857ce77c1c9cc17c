"""Graphs at many values of some of their inputs: in one call where NumPy takes arrays of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Variable
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import toposort
from pytensor.tensor.elemwise import CAReduce, DimShuffle, Elemwise
from pytensor.tensor.subtensor import Subtensor

from pymc_ebm.energy.compiled import compiled

__all__ = ["of_many"]

# What takes about as long for arrays of values as for one value, as calls cost more than numbers.
_ARRAYWISE = (Elemwise, DimShuffle, CAReduce, Subtensor)


def of_many(
    many: Sequence[Variable], outputs: Sequence[Variable], mode: Mode, once: Sequence[Variable] = ()
) -> tuple[Callable[..., list[NDArray]], bool]:
    """Compile graphs as a function of many values of some inputs.

    Parameters
    ----------
    many : sequence of Variable
        Inputs of which there are many values.
    outputs : sequence of Variable
    mode : Mode
    once : sequence of Variable
        Inputs with one value.

    Returns
    -------
    function : callable
        Of a sequence of the values of `once` and one of arrays ``(J, ...)`` of those of `many`, to
        a list of arrays, each with J rows, or one row where it is the same for all.
    at_once : bool
        Whether a call takes about as long for several values as for one.

    Examples
    --------
    >>> x, a = pt.dvector(), pt.dscalar()
    >>> function, at_once = of_many([a], [a * x], "FAST_COMPILE", once=[x])
    >>> function([np.array([1.0, 2.0])], [np.array([1.0, 10.0])])[0].tolist(), at_once
    ([[1.0, 2.0], [10.0, 20.0]], True)
    """
    nodes = toposort(outputs, blockers=[*once, *many])
    at_once = all(isinstance(node.op, _ARRAYWISE) for node in nodes)
    inputs, graphs = list(many), list(outputs)
    if at_once:
        inputs = [pt.tensor(dtype=v.type.dtype, shape=(None, *v.type.shape)) for v in many]
        graphs = vectorize_graph(graphs, dict(zip(many, inputs, strict=True)))
        graphs = [g if g.ndim > v.ndim else g[None] for g, v in zip(graphs, outputs, strict=True)]
    at_values = compiled([*once, *inputs], graphs, mode)

    def function(of_once, columns):
        if at_once:
            return at_values(*of_once, *columns)
        n_values = len(columns[0]) if columns else 1
        each = [at_values(*of_once, *(c[j] for c in columns)) for j in range(n_values)]
        return [np.stack(found) for found in zip(*each, strict=True)]

    return function, at_once
