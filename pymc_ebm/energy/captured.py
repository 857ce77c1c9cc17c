"""Variables of a model that a user's function uses without getting them."""

from __future__ import annotations

from collections.abc import Sequence

from pymc.distributions.distribution import SymbolicRandomVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.random.type import RandomGeneratorType

__all__ = ["captured_names", "varies"]


def captured_names(graphs: Sequence[Variable], known: Sequence[Variable]) -> set[str]:
    """Names of what varies above `graphs` and is not among the `known`, the nearest of a path.

    What a model later replaces is not replaced in a closure.
    """
    known = list(known)
    nearest = [v for v in ancestors(graphs, blockers=known) if v not in known and varies(v)]
    above = set(ancestors([i for v in nearest if v.owner for i in v.owner.inputs]))
    return {v.name or str(v) for v in nearest if v not in above}


def varies(variable: Variable) -> bool:
    """Whether it is data or a random variable of a model."""
    if isinstance(variable.type, RandomGeneratorType):
        return False
    if variable.owner is None:
        return not isinstance(variable, Constant)
    return isinstance(variable.owner.op, RandomVariable | SymbolicRandomVariable)
