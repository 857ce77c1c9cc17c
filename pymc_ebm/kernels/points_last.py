"""The same graph with the axis of points last: vector instructions then run along the points."""

import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import toposort
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Sum
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.hoisting import depends
from pymc_ebm.energy.linearity import is_product

__all__ = ["points_last"]


def points_last(
    value: TensorVariable, slots: list[TensorVariable]
) -> tuple[TensorVariable, list[TensorVariable]]:
    """Rewrite a graph of arrays ``(B, *event)`` for arrays ``(*event, B)``.

    Parameters
    ----------
    value : TensorVariable
        ``(B,)``, each entry of which depends on its own row of the slots alone.
    slots : list of TensorVariable
        ``(B, *event)``.

    Returns
    -------
    value : TensorVariable
        The same, ``(B,)``.
    slots : list of TensorVariable
        New placeholders, ``(*event, B)``.
    """
    placeholders = [
        pt.tensor(s.name, dtype=s.dtype, shape=(*s.type.shape[1:], None)) for s in slots
    ]
    moved: dict[Variable, TensorVariable] = dict(zip(slots, placeholders, strict=True))
    dependent = depends([value], slots)
    for node in toposort([value], blockers=slots):
        if not any(v in dependent for v in node.inputs):
            continue
        found = _moved_outputs(node, moved)
        if found is None:
            inputs = [_first(moved[v]) if v in moved else v for v in node.inputs]
            found = [_last(v) for v in node.op.make_node(*inputs).outputs]
        moved.update(zip(node.outputs, found, strict=True))
    return moved[value], placeholders


def _moved_outputs(node, moved) -> list[TensorVariable] | None:
    """Outputs of a node with the points last, where that is as simple; None for other nodes."""
    op, [first, *others] = node.op, node.inputs
    if isinstance(op, Elemwise):
        return op(*[moved[v] if v in moved else _last(v) for v in node.inputs], return_list=True)
    if isinstance(op, Sum) and op.axis is not None and 0 not in op.axis:
        return [moved[first].sum(axis=tuple(a - 1 for a in op.axis))]
    if isinstance(op, DimShuffle) and op.new_order[:1] == (0,):
        last = first.ndim - 1
        order = ["x" if a == "x" else a - 1 for a in op.new_order[1:]]
        return [moved[first].dimshuffle(*order, last)]
    if is_product(node) and first in moved and others[0] not in moved:
        return [pt.dot(others[0].T, moved[first])]
    return None


def _last(variable):
    return pt.moveaxis(variable, 0, -1) if variable.ndim > 1 else variable


def _first(variable):
    return pt.moveaxis(variable, -1, 0) if variable.ndim > 1 else variable
