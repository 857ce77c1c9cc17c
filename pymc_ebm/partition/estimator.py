"""`LogPartition` for an energy at a reference."""

import math
import weakref
from collections.abc import Sequence
from functools import singledispatch

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.replace import vectorize_graph
from pytensor.graph.traversal import graph_inputs
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.split import SplitEnergy
from pymc_ebm.memory import check_memory
from pymc_ebm.partition.op import LogPartition, batch_ndim
from pymc_ebm.reference._rows import RowsReference
from pymc_ebm.reference.base import Reference

__all__ = ["estimator", "with_reference"]

# PyMC builds the graph of a log-probability anew whenever it is asked for one.
_STATISTICS: weakref.WeakKeyDictionary[Reference, dict[str, list[weakref.ref]]] = (
    weakref.WeakKeyDictionary()
)


@singledispatch
def estimator(
    reference: Reference, split: SplitEnergy, params: Sequence, captured: Sequence
) -> tuple[LogPartition, list[Variable]]:
    """The Op for an energy at a reference, and its inputs for parameters of one batch shape."""
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
    op = LogPartition(
        [*inputs, *split.captured, *placeholders],
        log_weights.astype("float64"),
        split=split,
        reference=reference,
    )
    return op, [*params, *captured, *arrays]


@estimator.register
def _of_rows(
    reference: RowsReference, split: SplitEnergy, params: Sequence, captured: Sequence
) -> tuple[LogPartition, list[Variable]]:
    """The Op whose arrays have an axis of rows before that of points."""
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
    op = LogPartition(
        [*inputs, *split.captured, log_base, *slots],
        log_weights,
        split=split,
        reference=reference,
    )
    return op, [*params, *captured, *arrays]


def with_reference(node: Apply, reference: Reference) -> TensorVariable:
    """Graph of the log Ẑ that another reference gives in the place of a node's, ``(*batch,)``.

    Parameters
    ----------
    node : Apply
        Of a `LogPartition`.
    reference : Reference
        Points of the same event shape.

    Returns
    -------
    TensorVariable

    Raises
    ------
    ValueError
        An energy that takes the old number of points only, or a q(y|θ) of other parameters.
    """
    split, n_points = node.op.split, node.op.split.x.type.shape[0]
    if n_points not in (None, reference.n_points):
        raise ValueError(
            f"The energy takes {n_points} points only, and the new reference has "
            f"{reference.n_points}. Write the model with the new reference."
        )
    reference.check_follows(len(split.params))
    given = node.op.split_inputs(node.inputs)
    op, arguments = estimator(reference, split, given.params, given.captured)
    return op(*arguments, return_list=True)[0]


def _statistics(split: SplitEnergy, reference: Reference) -> list[np.ndarray]:
    """Statistics at the points of a reference, in memory once for all graphs that use them."""
    kept = _STATISTICS.setdefault(reference, {})
    found = [alive() for alive in kept.get(split.fingerprint, [])]
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
        kept[split.fingerprint] = [weakref.ref(a) for a in arrays]
    return arrays


def _statistics_of_rows(split: SplitEnergy, reference: RowsReference) -> list[np.ndarray]:
    """Log base weights and statistics by row, ``(R, M, ...)``, once for all graphs."""
    held = _STATISTICS.setdefault(reference, {})
    found = [alive() for alive in held.get(split.fingerprint, [])]
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
        held[split.fingerprint] = [weakref.ref(a) for a in arrays]
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
