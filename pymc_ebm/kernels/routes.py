"""Which of the ways to evaluate an estimated normaliser a compiled function takes, and why."""

import math
from dataclasses import dataclass
from typing import Literal

import pytensor
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.traversal import ancestors, toposort
from pytensor.link.jax.ops import JAXOp
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.distributed.sharded_reference import ShardedReference
from pymc_ebm.energy.linearity import is_linear
from pymc_ebm.partition.op import LogPartition

__all__ = ["Route", "route"]


@dataclass(frozen=True)
class Route:
    """How numba evaluates log Ẑ and its gradient.

    Attributes
    ----------
    name : {"linear", "blocks", "plain", "shards"}
        "linear": one pass over the hoisted statistics, of which the energy is a linear function.
        "blocks": one pass over blocks of points, for each of which PyTensor evaluates the energy.
        "plain": PyTensor's graph, with temporary arrays as long as the points.
        "shards": on the workers of a Dask cluster, where each shard goes one of the other ways.
    reason : str
        Why.
    """

    name: Literal["linear", "blocks", "plain", "shards"]
    reason: str

    def __str__(self):
        return f"{self.name}: {self.reason}"


def route(log_z: Variable | Apply) -> Route:
    """Say how a function that numba compiles evaluates an estimated normaliser.

    Functions for C and JAX always take the plain graph.

    Parameters
    ----------
    log_z : TensorVariable or Apply
        What `pymc_ebm.log_partition` returned, or a `LogPartition` node, such as
        `pymc_ebm.diagnostics.find_log_partitions` lists for a model.

    Returns
    -------
    Route

    Raises
    ------
    ValueError
        If there is no `LogPartition` in `log_z`, or several.

    Examples
    --------
    >>> import pymc_ebm as ebm
    >>> grid = ebm.reference.quadrature(-6, 6, 100)
    >>> quartic = ebm.log_partition(lambda x, a: a * x**4, 1.0, reference=grid)
    >>> print(ebm.kernels.route(quartic))
    linear: the energy is linear in 1 number per point
    >>> shifted = ebm.log_partition(lambda x, a: (x - a) ** 4, 1.0, reference=grid)
    >>> print(ebm.kernels.route(shifted))
    blocks: the energy is not linear in 1 number per point
    """
    node = _node(log_z)
    reference = node.op.reference
    if isinstance(reference, ShardedReference):
        return Route("shards", f"{reference.shards} of them, on the cluster {reference.scheduler}")
    return choose(node)


def choose(node: Apply) -> Route:
    """`route` of a `LogPartition` node, as far as the points on this machine go."""
    if not pytensor.config.numba__fastmath:
        # What a process compiles and what it loads from the disk differ in the last digit here.
        return Route("plain", "numba__fastmath is off, and every process computes the same bits")
    op = node.op
    split, n_points = op.split, op.reference.n_points
    arrays = op.split_inputs(node.inputs).arrays
    if op.reference.follows_parameters:
        return Route("plain", "the points move with the parameters")
    n_rows = op.reference.n_rows
    if n_rows is not None and not (split.params and split.slots and is_linear(split)):
        return Route("plain", "each row has points of its own, and the energy is not linear")
    if split.x.type.shape[0] is not None:
        return Route(
            "plain", f"the energy takes {split.x.type.shape[0]} points and no other number"
        )
    if any(isinstance(n.op, JAXOp) for n in toposort([split.value])):
        return Route("plain", "the energy is computed by JAX")
    if not split.slots or any(a.type.shape[0] not in (None, n_rows or n_points) for a in arrays):
        return Route("plain", "a part of the energy is the same for every point")
    if any(None in a.type.shape[1:] for a in arrays):
        return Route("plain", "the size of a point is not known")
    if not all(isinstance(v, TensorVariable) for v in node.inputs):
        return Route("plain", "the energy uses a variable that is not an array")
    width = sum(math.prod(s.type.shape[1 if n_rows is None else 2 :]) for s in arrays[1:])
    per_point = f"{width} number{'s' if width != 1 else ''} per point"
    if is_linear(split):
        return Route("linear", f"the energy is linear in {per_point}")
    return Route("blocks", f"the energy is not linear in {per_point}")


def _node(log_z) -> Apply:
    if isinstance(log_z, Apply):
        found = {log_z} if isinstance(log_z.op, LogPartition) else set()
    else:
        found = {
            v.owner
            for v in ancestors([log_z])
            if v.owner is not None and isinstance(v.owner.op, LogPartition)
        }
    if len(found) != 1:
        raise ValueError(
            f"There are {len(found)} estimated normalisers in what route got. Give it one: what "
            "log_partition returned, or a node of diagnostics.find_log_partitions(model)."
        )
    return found.pop()
