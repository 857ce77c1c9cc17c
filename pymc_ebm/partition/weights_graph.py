"""The graph of a_m − E(y_m | θ) at a reference: what log Ẑ is the logsumexp of."""

import math
import weakref
from collections.abc import Hashable, Sequence
from functools import singledispatch
from typing import NamedTuple

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import graph_replace, vectorize_graph
from pytensor.graph.traversal import graph_inputs
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.compiled import graph_key
from pymc_ebm.energy.split import SplitEnergy
from pymc_ebm.memory import check_memory
from pymc_ebm.partition.op import NodeInputs, batch_ndim
from pymc_ebm.reference._rows import RowsReference
from pymc_ebm.reference.base import Reference

__all__ = ["WeightsGraph", "weights_graph"]

# PyMC builds the graph of a log-probability anew whenever it is asked for one.
_STATISTICS: weakref.WeakKeyDictionary[Reference, dict[Hashable, list[weakref.ref]]] = (
    weakref.WeakKeyDictionary()
)


class WeightsGraph(NamedTuple):
    """a_m − E(y_m | θ) of placeholders, and what stands in their place.

    Attributes
    ----------
    reference : Reference
    split : SplitEnergy
    placeholders : list of Variable
        Of the parameters with their batch dimensions, captured variables and arrays.
    log_weights : TensorVariable
        ``(*batch, M)``.
    given : NodeInputs
        The parameters, captured variables and arrays themselves.
    """

    reference: Reference
    split: SplitEnergy
    placeholders: list
    log_weights: TensorVariable
    given: NodeInputs

    @property
    def inputs(self) -> list[Variable]:
        """What stands in the place of each placeholder."""
        return [*self.given.varying, *self.given.arrays]

    @property
    def batch_ndim(self) -> int:
        """Number of batch dimensions."""
        return self.log_weights.ndim - 1

    def at(self, varying: Sequence) -> TensorVariable:
        """`log_weights` at values of parameters and captured variables."""
        inputs = [*varying, *self.given.arrays]
        return graph_replace(
            self.log_weights, dict(zip(self.placeholders, inputs, strict=True)), strict=False
        )


@singledispatch
def weights_graph(
    reference: Reference, split: SplitEnergy, params: Sequence, captured: Sequence
) -> WeightsGraph:
    """The graph for an energy at a reference, for parameters of one batch shape."""
    if not reference.follows_parameters:
        statistics = _statistics(split, reference)
        arrays = [pt.constant(a) for a in (reference.log_weights, *statistics)]
        log_base = pt.dvector("log_base_weights")
        placeholders, log_weights = [log_base, *split.slots], log_base - split.value
    else:
        # Points that move with θ leave nothing to evaluate beforehand.
        arrays = [pt.constant(reference.points)]
        base = arrays[0].type("base_points")
        points, log_base = reference.at(split.params, base)
        _refuse_captured(points, log_base, known=[base, *split.params])
        placeholders, log_weights = [base], log_base - split.at(points)
    inputs = split.params
    if batch_ndim(params, split):
        inputs = [p.type() for p in params]
        log_weights = vectorize_graph(log_weights, dict(zip(split.params, inputs, strict=True)))
    return WeightsGraph(
        reference,
        split,
        [*inputs, *split.captured, *placeholders],
        log_weights.astype("float64"),
        NodeInputs(list(params), list(captured), arrays),
    )


@weights_graph.register
def _of_rows(
    reference: RowsReference, split: SplitEnergy, params: Sequence, captured: Sequence
) -> WeightsGraph:
    """The graph whose arrays have an axis of rows before that of points."""
    if split.x.type.shape[0] is not None:
        raise ValueError(
            f"The energy takes {split.x.type.shape[0]} points only, and rows have points of their "
            "own. Write it for any number of events."
        )
    arrays = [pt.constant(a) for a in _statistics_of_rows(split, reference)]
    log_base, *slots = [
        pt.tensor(dtype=a.dtype, shape=(reference.n_rows, *a.type.shape[1:])) for a in arrays
    ]
    one = pt.dvector("log_base_weights")
    inputs = [p.type() for p in params]
    log_weights = vectorize_graph(
        (one - split.value).astype("float64"),
        dict(zip([*split.params, *split.slots, one], [*inputs, *slots, log_base], strict=True)),
    )
    return WeightsGraph(
        reference,
        split,
        [*inputs, *split.captured, log_base, *slots],
        log_weights,
        NodeInputs(list(params), list(captured), arrays),
    )


def _statistics(split: SplitEnergy, reference: Reference) -> list[np.ndarray]:
    """Statistics at the points of a reference, in memory once for all graphs that use them."""
    kept, key = _STATISTICS.setdefault(reference, {}), _key(split)
    found = [alive() for alive in kept.get(key, [])]
    arrays = [a for a in found if a is not None]
    if not arrays or len(arrays) < len(found):
        shapes = [s.type.shape[1:] for s in split.statistics]
        check_memory(
            reference.n_points,
            2 * sum(math.prod(n or 1 for n in shape) for shape in shapes),
            "These are the statistics that the energy takes of each: use fewer draws, or an "
            "energy that sums over the event.",
        )
        arrays = [_points_last_in_memory(a) for a in split.statistics_at(reference.points)]
        kept[key] = [weakref.ref(a) for a in arrays]
    return arrays


def _statistics_of_rows(split: SplitEnergy, reference: RowsReference) -> list[np.ndarray]:
    """Log base weights and statistics by row, ``(R, M, ...)``, once for all graphs."""
    held, key = _STATISTICS.setdefault(reference, {}), _key(split)
    found = [alive() for alive in held.get(key, [])]
    arrays = [a for a in found if a is not None]
    if not arrays or len(arrays) < len(found):
        flat = [
            np.broadcast_to(s, (reference.n_points, *np.shape(s)[1:]))
            for s in split.statistics_at(reference.points)
        ]
        arrays = [reference.by_row(reference.log_weights)]
        # The points last in memory, as the kernels read them.
        arrays += [
            np.moveaxis(np.ascontiguousarray(np.moveaxis(reference.by_row(s), 1, -1)), -1, 1)
            for s in flat
        ]
        held[key] = [weakref.ref(a) for a in arrays]
    return arrays


def _points_last_in_memory(array: np.ndarray) -> np.ndarray:
    """The same array, of which a number of all points is in one piece, as the kernels read it."""
    if array.ndim == 1:
        return array
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 0, -1)), -1, 0)


def _refuse_captured(*graphs, known) -> None:
    """The map of q(y|θ) is called with the parameters of the energy and nothing else."""
    names = {
        v.name or str(v)
        for v in graph_inputs(graphs, blockers=known)
        if not isinstance(v, Constant) and v not in known
    }
    if names:
        raise ValueError(
            f"The function for q(y|θ) uses {', '.join(sorted(names))} besides its arguments. Make "
            "it a parameter of the energy and of that function."
        )


def _key(split: SplitEnergy) -> Hashable:
    """What energies of the same statistics share."""
    return graph_key([split.x], split.statistics) or object()
