"""The rewrite that puts the streaming Ops in the place of `LogPartition` when numba compiles."""

import math

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import grad
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.fg import FunctionGraph
from pytensor.graph.replace import graph_replace, vectorize_graph
from pytensor.graph.rewriting.basic import MergeOptimizer

from pymc_ebm.energy.linearity import coefficients
from pymc_ebm.kernels.distinct_points import distinct_points
from pymc_ebm.kernels.ops import BlockStream, LinearStream, Weigh
from pymc_ebm.kernels.points_last import points_last
from pymc_ebm.kernels.routes import route
from pymc_ebm.partition.log_sum_exp import value_and_gradient
from pymc_ebm.partition.op import LogPartition

__all__ = ["stream"]

# Most points of a block, the numbers that an array of its points may have, and its fewest points.
_BLOCK, _BLOCK_NUMBERS, _FEWEST = 2048, 2**14, 128


def stream(fgraph: FunctionGraph) -> None:
    """Replace each `LogPartition` that can be evaluated block by block."""
    nodes = [n for n in fgraph.toposort() if isinstance(n.op, LogPartition)]
    if not nodes:
        return
    if len(nodes) > 1:
        # A value here and a gradient there are one pass.
        MergeOptimizer().rewrite(fgraph)
        nodes = [n for n in fgraph.toposort() if isinstance(n.op, LogPartition)]
    for node in nodes:
        used = [k for k, output in enumerate(node.outputs) if fgraph.clients[output]]
        name = route(node).name
        if name in ("plain", "shards"):
            continue
        outputs = (_linear if name == "linear" else _blocks)(node, used)
        fgraph.replace_all(
            [(node.outputs[k], outputs[k]) for k in used], reason="stream_log_partition"
        )


def _linear(node: Apply, used: list[int]) -> dict[int, Variable]:
    """Outputs of a node whose energy is Σ_k c_k(θ) · T_k."""
    op, split = node.op, node.op.split
    given = op.split_inputs(node.inputs)
    log_base, *arrays = _distinct(given.arrays, op.reference)
    # Points of each row's own have an axis of rows before theirs.
    n_rows = op.reference.n_rows
    points_axis = 0 if n_rows is None else 1
    shapes = [a.type.shape[points_axis + 1 :] for a in arrays]
    statistics = [
        a.reshape((*a.type.shape[:points_axis], math.prod(shape), a.shape[-1]))
        if len(shape) > 1
        else a
        for a, shape in zip([_points_last(a, points_axis) for a in arrays], shapes, strict=True)
    ]
    params = [v.type() for v in given.params]
    of_rows = _coefficients(op, params, shapes)
    real = dict(zip([*params, *split.captured], given.varying, strict=True))
    gradients = [k for k in used if k > 0]
    stream = LinearStream(statistics, with_gradient=bool(gradients), n_rows=n_rows)
    value, *derivatives = stream(
        log_base,
        *statistics,
        *graph_replace(of_rows, real, strict=False),
        return_list=True,
    )
    outputs = {0: value.reshape(_batch_shape(node.inputs, op), ndim=op.batch_ndim)}
    if gradients:
        slots = [d.type() for d in derivatives]
        inputs = [*params, *split.captured]
        wrt = [inputs[op.differentiable[k - 1]] for k in gradients]
        known = dict(zip(of_rows, slots, strict=True))
        found = grad(None, wrt, known_grads=known, disconnected_inputs="ignore")
        real |= dict(zip(slots, derivatives, strict=True))
        outputs |= dict(zip(gradients, graph_replace(found, real, strict=False), strict=True))
    return {k: v.astype(node.outputs[k].dtype) for k, v in outputs.items()}


def _coefficients(op: LogPartition, params: list[Variable], shapes) -> list[Variable]:
    """c_k at parameters with their batch dimensions, ``(R,)`` or ``(R, d_k)``."""
    split = op.split
    rows = vectorize_graph(
        coefficients(split, shapes), dict(zip(split.params, params, strict=True))
    )
    found = []
    for row, shape in zip(rows, shapes, strict=True):
        if row.ndim < op.batch_ndim + len(shape):
            row = pt.broadcast_to(row, (*_batch_shape(params, op), *shape))
        width = (math.prod(shape),) if shape else ()
        n_rows = math.prod(row.shape[i] for i in range(op.batch_ndim))
        found.append(row.reshape((n_rows, *width), ndim=1 + len(width)).astype("float64"))
    return found


def _blocks(node: Apply, used: list[int]) -> dict[int, Variable]:
    """Outputs of a node whose energy PyTensor evaluates block by block."""
    op, split = node.op, node.op.split
    node_inputs = op.split_inputs(node.inputs)
    placeholders = [*split.params, *split.captured]
    gradients = [k for k in used if k > 0]
    wrt = [op.differentiable[k - 1] for k in gradients]
    log_base = pt.dvector("log_base_weights")
    log_weights = (log_base - split.value).astype("float64")
    outputs = value_and_gradient(log_weights, [placeholders[i] for i in wrt])
    energy, block_slots = points_last(split.value, split.slots)
    block_weights = (log_base - energy).astype("float64")
    weights, top, total = Weigh()(block_weights)
    known = {block_weights: weights}
    sums = (
        grad(None, [placeholders[i] for i in wrt], known_grads=known, disconnected_inputs="ignore")
        if wrt
        else []
    )
    block = (
        [*placeholders, log_base, *block_slots],
        [top, total, *[v.astype("float64") for v in sums]],
    )
    # A single row of parameters is a batch of one, in which captured variables may take part.
    n_rowed = len(split.params) if op.batch_ndim else len(placeholders)
    rows = [pt.tensor(dtype=v.dtype, shape=(None, *v.type.shape)) for v in placeholders[:n_rowed]]
    arrays = [_points_last(a) for a in _distinct(node_inputs.arrays, op.reference)]
    slots = [pt.tensor(dtype=a.dtype, shape=(*a.type.shape[:-1], None)) for a in arrays]
    moved = dict(zip([log_base, *split.slots], [pt.moveaxis(s, -1, 0) for s in slots], strict=True))
    whole = vectorize_graph(
        [v.astype("float64") for v in graph_replace(outputs, moved)],
        dict(zip(placeholders, rows, strict=False)),
    )
    whole = [
        v if v.ndim > one.ndim else pt.broadcast_to(v, (rows[0].shape[0], *v.shape))
        for v, one in zip(whole, outputs, strict=True)
    ]
    width = sum(math.prod(a.type.shape[:-1]) for a in arrays[1:])
    stream = BlockStream(
        [*rows, *placeholders[n_rowed:], *slots],
        whole,
        block=block,
        wrt=wrt,
        n_rowed=n_rowed,
        n_arrays=len(arrays),
        block_size=min(max(_BLOCK_NUMBERS // width, _FEWEST), _BLOCK),
    )
    batch = _batch_shape(node.inputs, op)
    core = lambda v: [v.shape[i] for i in range(op.batch_ndim, v.ndim)]
    given = [
        v.reshape((-1, *core(v)), ndim=1 + v.ndim - op.batch_ndim) if i < n_rowed else v
        for i, v in enumerate([*node_inputs.varying, *arrays])
    ]
    value, *found = stream(*given, return_list=True)
    outputs = {0: value.reshape(batch, ndim=op.batch_ndim)}
    for k, i, gradient in zip(gradients, wrt, found, strict=True):
        if placeholders[i] in split.params:
            outputs[k] = gradient.reshape(node.inputs[i].shape, ndim=node.inputs[i].ndim)
        else:
            outputs[k] = gradient.sum(axis=0)
    return {k: v.astype(node.outputs[k].dtype) for k, v in outputs.items()}


def _distinct(arrays: list[Variable], reference) -> list[Variable]:
    """Log base weights and statistics, of points with equal statistics once."""
    if reference.n_rows is not None or not all(isinstance(a, Constant) for a in arrays):
        return arrays
    log_weights, statistics = distinct_points(arrays[0].data, [a.data for a in arrays[1:]])
    if len(log_weights) == reference.n_points:
        return arrays
    return [pt.constant(log_weights), *map(pt.constant, statistics)]


def _points_last(array: Variable, axis: int = 0) -> Variable:
    """Statistics ``(M, *event)`` as ``(*event, M)``; of a constant, a view of its numbers."""
    if isinstance(array, Constant):
        return pt.constant(np.moveaxis(array.data, axis, -1))
    return pt.moveaxis(array, axis, -1)


def _batch_shape(inputs, op) -> list[Variable]:
    """Shape of the batch of parameters."""
    if not op.batch_ndim:
        return []
    first = next(
        v
        for v, core in zip(inputs, op.split.params, strict=False)
        if v.ndim - core.ndim == op.batch_ndim
    )
    return [first.shape[i] for i in range(op.batch_ndim)]
