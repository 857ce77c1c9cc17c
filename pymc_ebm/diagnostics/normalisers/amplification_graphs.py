"""Graphs of how strongly a model's log-probability leans on each of its normalisers."""

from collections.abc import Sequence
from typing import cast

import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from pymc_ebm.diagnostics.normalisers.find import Normaliser

__all__ = ["amplification_graphs"]


def amplification_graphs(
    factors: list[Variable], normalisers: Sequence[Normaliser]
) -> list[Variable]:
    """Graphs of c, one for each normaliser; equal nodes act together, so their c add."""
    outputs = list(dict.fromkeys(node.outputs[0] for n in normalisers for node in n.nodes))
    if not outputs:
        return []
    total = pt.add(*[pt.sum(factor) for factor in factors], 0.0)
    gradients = cast(
        Sequence[Variable], pytensor.grad(total, wrt=outputs, disconnected_inputs="ignore")
    )
    by_output = dict(zip(outputs, gradients, strict=True))
    return [
        n.of_batch(-pt.add(*[by_output[node.outputs[0]] for node in n.nodes], 0.0))
        for n in normalisers
    ]
