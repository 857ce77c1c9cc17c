"""Functions of graphs: equal graphs share one, as compiling takes longer than most calls."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache
from threading import Lock

import pytensor
from pytensor.compile.executor import Function
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import toposort
from pytensor.tensor.variable import TensorConstant

from pymc_ebm.energy.fingerprint import digest_of

__all__ = ["OneAtATime", "compiled", "graph_key"]


def compiled(
    inputs: Sequence[Variable],
    outputs: Variable | Sequence[Variable],
    mode: Mode | str | None = None,
) -> OneAtATime:
    """``pytensor.function`` that makes one function for all graphs that compute the same.

    A second model of the same energy, or twenty normalisers of one, compile what one does.

    Parameters
    ----------
    inputs : sequence of Variable
        May have some that the outputs do not use.
    outputs : Variable or sequence of Variable
    mode : Mode or str, optional
        How PyTensor compiles.

    Returns
    -------
    callable
        Takes the values of `inputs`.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> x, y = pt.dscalars("x", "y")
    >>> compiled([x], x**2) is compiled([y], y**2)
    True
    """
    graph = _Graph(inputs, outputs)
    # What has no key is equal to nothing, and is not worth keeping.
    return (_function if graph.key is not None else _function.__wrapped__)(graph, mode)


class OneAtATime:
    """A function that threads share, whose storage each call fills."""

    def __init__(self, function: Function):
        self.function = function
        self._lock = Lock()

    def __call__(self, *values):
        """What the function gives."""
        with self._lock:
            return self.function(*values)

    def __reduce__(self):
        return OneAtATime, (self.function,)  # a lock is of its process


@lru_cache(maxsize=256)
def _function(graph: _Graph, mode) -> OneAtATime:
    return OneAtATime(
        pytensor.function(graph.inputs, graph.outputs, mode=mode, on_unused_input="ignore")
    )


class _Graph:
    """A graph that is equal to those with the same operations on the same inputs and constants."""

    def __init__(self, inputs, outputs):
        self.inputs, self.outputs = list(inputs), outputs
        # Constants beyond this would fill the memory that functions are kept in.
        self.key = graph_key(self.inputs, outputs, most_bytes=2**16)

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other) -> bool:
        return isinstance(other, _Graph) and self.key == other.key


def graph_key(inputs: Sequence[Variable], outputs, most_bytes: float = math.inf) -> Hashable | None:
    """What graphs that compute the same share, and no others; within one session.

    Operations are compared as PyTensor does that merges equal nodes, constants by their values and
    shared variables by what they are.

    Parameters
    ----------
    inputs : sequence of Variable
    outputs : Variable or sequence of Variable
    most_bytes : float
        Of a constant.

    Returns
    -------
    hashable or None
        None where an operation has no hash, or a constant is larger.
    """
    several = isinstance(outputs, Sequence)
    ends = list(outputs) if several else [outputs]
    numbers = {variable: i for i, variable in enumerate(inputs)}
    key: list[Hashable] = [several, tuple(v.type for v in inputs)]

    def number(variable: Variable) -> int:
        if variable not in numbers:
            if isinstance(variable, TensorConstant) and variable.data.nbytes > most_bytes:
                raise OverflowError
            # Shared variables are themselves alone, and a constant's array may change in place.
            key.append(
                digest_of([variable.data])
                if isinstance(variable, TensorConstant)
                else variable.signature()
                if isinstance(variable, Constant)
                else variable
            )
            numbers[variable] = len(numbers)
        return numbers[variable]

    try:
        for node in toposort(ends, blockers=inputs):
            key.append((node.op, tuple(map(number, node.inputs))))
            for variable in node.outputs:
                key.append(variable.type)
                numbers[variable] = len(numbers)
        key.append(tuple(map(number, ends)))
        found = tuple(key)
        hash(found)
    except (OverflowError, TypeError):  # constants too large, or an operation without a hash
        return None
    return found
