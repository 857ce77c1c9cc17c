"""Variables of a model that a user's function uses without getting them."""

from __future__ import annotations

from collections.abc import Sequence

from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.random.type import RandomGeneratorType

__all__ = ["captured_names"]


def captured_names(graphs: Sequence[Variable], known: Sequence[Variable]) -> set[str]:
    """Names of the random variables and data above `graphs` that are not above `known`.

    What a model later replaces is not replaced in a closure.
    """
    above = set(ancestors(known))
    return {
        v.name or str(v)
        for v in ancestors(graphs)
        if v not in above
        and not isinstance(v.type, RandomGeneratorType)
        and (
            isinstance(v, SharedVariable)
            or (v.owner is not None and isinstance(v.owner.op, RandomVariable))
        )
    }
