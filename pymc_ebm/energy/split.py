"""An energy as a function of statistics of x and of the parameters."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.builders import SymbolicOp
from pytensor.compile.mode import Mode, optdb
from pytensor.compile.rewriting import inline_ofg_node
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import graph_replace
from pytensor.graph.rewriting.basic import (
    SequentialGraphRewriter,
    dfs_rewriter,
    node_rewriter,
)
from pytensor.graph.traversal import toposort
from pytensor.scalar.basic import Pow
from pytensor.scalar.math import Softplus
from pytensor.tensor.einsum import Einsum
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.symbolic import FusibleSymbolicOp
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.fingerprint import graph_digest
from pymc_ebm.energy.hoisting import depends, expand, x_only_parts

__all__ = ["SplitEnergy", "evaluate", "split_value"]


@node_rewriter([Elemwise])
def softplus_of_arrays(fgraph, node):
    """Functions that NumPy has, in place of one that Python would call for every number."""
    [x, *_] = node.inputs
    if not isinstance(node.op.scalar_op, Softplus) or x.dtype != "float64":
        return None
    return [pt.maximum(x, 0.0) + pt.log1p(pt.exp(-pt.abs(x)))]


@node_rewriter([Elemwise])
def powers_of_arrays(fgraph, node):
    """Products in place of small whole powers, which NumPy takes thirty times as long for."""
    if not isinstance(node.op.scalar_op, Pow) or not isinstance(node.inputs[1], Constant):
        return None
    [x, exponent] = node.inputs
    power = float(exponent.unique_value) if np.unique(exponent.data).size == 1 else np.nan
    if power not in (3.0, 4.0, 5.0, 6.0, 8.0) or x.dtype != node.outputs[0].dtype:
        return None
    product = x
    for bit in format(int(power), "b")[1:]:
        product = pt.sqr(product)
        if bit == "1":
            product = product * x
    return [product]


_OF_ARRAYS = [dfs_rewriter(softplus_of_arrays), dfs_rewriter(powers_of_arrays)]
for _rewriter, _name in zip(_OF_ARRAYS, ("softplus_of_arrays", "powers_of_arrays"), strict=True):
    # After all that makes something else of these, and after derivatives.
    optdb.register(_name, _rewriter, "whole_arrays", position=48)

# Python's interpreter runs a graph once faster than any backend compiles it.
RUN_ONCE = Mode(linker="py", optimizer=SequentialGraphRewriter(*_OF_ARRAYS))
# Numbers of points that statistics are evaluated at together: 8 MiB an array.
_BLOCK = 2**20
# NumPy on whole arrays: for functions that are called a few times, each on many points. Fused
# operations, and powers written as products of squares, would be loops over elements in Python.
VECTORISED = (
    Mode(linker="py", optimizer=None)
    .including("inline_ofg_expansion", "canonicalize", "stabilize", "specialize", "whole_arrays")
    .excluding("fusion", "local_pow_to_nested_squaring")
)


@dataclass(frozen=True, eq=False)
class SplitEnergy:
    """E(x | θ) written as a function of statistics of x and of the parameters.

    Attributes
    ----------
    x : TensorVariable
        Placeholder for points or data, ``(B, *event)``.
    params : list of TensorVariable
        Placeholders for the parameters, each of its core shape.
    captured : list of Variable
        Placeholders for variables of the outer graph that the energy uses besides its arguments.
    outer : list of Variable
        These variables.
    statistics : list of TensorVariable
        Graphs of x alone; leading axis B, ``(B,)`` for whatever could be summed over the event.
    slots : list of TensorVariable
        Placeholders for the values of `statistics`.
    value : TensorVariable
        E as a graph of `slots`, `params` and `captured`, shape ``(B,)``.
    """

    x: TensorVariable
    params: list[TensorVariable]
    captured: list[Variable]
    outer: list[Variable]
    statistics: list[TensorVariable]
    slots: list[TensorVariable]
    value: TensorVariable

    def statistics_of(self, x) -> list[TensorVariable]:
        """Graphs of the statistics at `x`, ``(B, *event)``."""
        return graph_replace(self.statistics, {self.x: x}, strict=False)

    def statistics_at(self, points: np.ndarray) -> list[np.ndarray]:
        """Values of the statistics at `points`, ``(B, *event)``, in blocks of bounded memory."""
        points = np.asarray(points).astype(self.x.dtype, copy=False)
        rows = max(_BLOCK // max(math.prod(points.shape[1:]), 1), 1)
        if len(points) <= rows or self.x.type.shape[0] is not None:
            return self._statistics(points)
        blocks = [self._statistics(points[i : i + rows]) for i in range(0, len(points), rows)]
        # What does not depend on the row has a single one in every block.
        return [
            parts[0] if len(parts[0]) < rows else np.concatenate(parts)
            for parts in zip(*blocks, strict=True)
        ]

    @functools.cached_property
    def _statistics(self) -> Callable[[np.ndarray], list[np.ndarray]]:
        return compiled([self.x], self.statistics, RUN_ONCE)

    def at(self, x) -> TensorVariable:
        """E(x | θ), ``(B,)``, at `x` and the parameter placeholders."""
        return graph_replace(
            self.value, dict(zip(self.slots, self.statistics_of(x), strict=True)), strict=False
        )

    def __getstate__(self):
        # What is compiled is made again where it is needed.
        return {name: value for name, value in self.__dict__.items() if name != "_statistics"}

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the graph of E(x | θ): equal for equal energies, in any session."""
        return graph_digest([self.x, *self.params, *self.captured], [self.at(self.x)])


def evaluate(outputs: Sequence[Variable], givens: dict | None = None) -> list[np.ndarray]:
    """Values of graphs that are computed once, without compiling them."""
    replaced = graph_replace(list(outputs), givens or {}, strict=False)
    return pytensor.function([], replaced, mode=RUN_ONCE)()


def split_value(
    value: TensorVariable, x: TensorVariable, params: Sequence[TensorVariable]
) -> SplitEnergy:
    """Separate what depends on x alone.

    Scalar factors and sums are pulled out first, so that ``-(b*s*roll(s) + h*s).sum(-1)``
    becomes −b T₁(s) − h T₂(s) with two statistics of shape ``(B,)``; then every largest part
    that depends on x alone becomes a statistic. Squares of sums stay as they are: expanding
    (x − μ)² would lose digits where x is far from zero.

    Parameters
    ----------
    value : TensorVariable
        E(x | θ), ``(B,)``.
    x : TensorVariable
        ``(B, *event)``.
    params : sequence of TensorVariable
        Each of its core shape.

    Returns
    -------
    SplitEnergy

    Raises
    ------
    ValueError
        If E depends on neither x nor a parameter.
    """
    value = _inlined(value, Einsum)
    outer = _captured(value, x, params)
    # One of them may depend on another, and derivatives by one must not go through the other.
    captured = [v.type() for v in outer]
    value = graph_replace(value, dict(zip(outer, captured, strict=True)), strict=False)
    value = expand(value, x, [*params, *captured])
    statistics = x_only_parts(value, x, [*params, *captured])
    slots = [s.type(f"statistic_{i}") for i, s in enumerate(statistics)]
    value = graph_replace(value, dict(zip(statistics, slots, strict=True)), strict=False)
    # Of many rows at once they would be loops over the rows, slow in Python and slow to compile.
    value = _inlined(value, FusibleSymbolicOp)
    return SplitEnergy(x, list(params), captured, outer, statistics, slots, value)


def _inlined(value: TensorVariable, kind: type[SymbolicOp]) -> TensorVariable:
    """The graph with that of each operation of a kind in its place, which is then looked through.

    Those of `pytensor.tensor.logaddexp` and the like are stable as they are.
    """
    while True:
        nodes = [n for n in toposort([value]) if isinstance(n.op, kind)]
        if not nodes:
            return value
        node = nodes[0]
        [inner] = inline_ofg_node(node)
        value = graph_replace(value, {node.outputs[0]: inner}, strict=False)


def _captured(value, x, params) -> list[Variable]:
    """Largest variables that the arguments do not enter, other than constants.

    Without the axes of length 1 that they get to meet x: hoisting takes those off scalars.
    """
    inside = depends([value], [x, *params])
    roots_vary: dict[Variable, bool] = {}

    def varies(variable) -> bool:
        if variable not in roots_vary:
            owner = variable.owner
            roots_vary[variable] = (
                not isinstance(variable, Constant)
                if owner is None
                else any(varies(i) for i in owner.inputs)
            )
        return roots_vary[variable]

    if value not in inside:
        raise ValueError(
            "The energy does not depend on x or on any parameter. Return a graph of its arguments."
        )
    found: dict[Variable, None] = {}
    for node in toposort([value], blockers=[x, *params]):
        if any(o in inside for o in node.outputs):
            found.update((_bare(i), None) for i in node.inputs if i not in inside and varies(i))
    return list(found)


def _bare(variable) -> Variable:
    while variable.owner is not None and isinstance(variable.owner.op, DimShuffle):
        variable = variable.owner.inputs[0]
    return variable
