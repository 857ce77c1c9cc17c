"""The Op that asks the workers of a cluster for log Ẑ and its gradient."""

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.mode import optdb
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import graph_rewriter

from pymc_ebm.distributed.cluster import Shards
from pymc_ebm.energy.in_python import run_in_python

__all__ = ["ShardSums"]

_REMEDY = (
    "Use a sampler that needs the gradient only and runs outside JAX, such as pm.sample with "
    'nuts_sampler="pymc", or reference=sharded.gathered() on this machine.'
)


class ShardSums(Op):
    """log Ẑ, ``(*batch,)`` in nats, and its gradients by real parameters, from all shards.

    Parameters
    ----------
    shards : Shards
    batch_ndim : int
        Dimensions of the batch of parameters.
    """

    __props__ = ("shards", "batch_ndim")

    def __init__(self, shards: Shards, batch_ndim: int):
        self.shards = shards
        self.batch_ndim = batch_ndim

    def __str__(self):
        return f"ShardSums{{{len(self.shards.seeds)} shards}}"

    def make_node(self, *params):
        """Apply to parameters, all of one batch shape."""
        inputs = [pt.as_tensor(p) for p in params]
        batch = next((p.type.shape[: self.batch_ndim] for p in inputs), ())
        real = [p.type() for p in inputs if p.dtype.startswith("float")]
        return Apply(self, inputs, [pt.tensor(dtype="float64", shape=batch), *real])

    def infer_shape(self, node, shapes):
        """Shapes of the outputs, for which no worker is asked."""
        real = [
            shape
            for p, shape in zip(node.inputs, shapes, strict=True)
            if p.dtype.startswith("float")
        ]
        return [shapes[0][: self.batch_ndim] if shapes else (), *real]

    def perform(self, node, inputs, outputs):
        """Ask the workers."""
        found = self.shards.sums([np.asarray(v) for v in inputs])
        for storage, output, value in zip(outputs, node.outputs, found, strict=True):
            storage[0] = np.asarray(value, dtype=output.dtype, order="C")

    def do_constant_folding(self, fgraph, node):
        """Refuse: a graph is compiled without asking the workers."""
        return False

    def pullback(self, inputs, outputs, cotangents):
        """Refuse: this is the derivative of a gradient."""
        raise NotImplementedError(
            f"Second derivatives of a log Z in {len(self.shards.seeds)} shards are not available. "
            f"{_REMEDY}"
        )


# Waiting for workers is all that happens in Python.
run_in_python(ShardSums)


@graph_rewriter
def refuse_jax(fgraph):
    """Have JAX say what to do instead, once it compiles something and is imported anyway."""
    from pytensor.link.jax.dispatch import jax_funcify

    @jax_funcify.register(ShardSums)
    def _refuse(op, **kwargs):
        raise NotImplementedError(
            f"JAX cannot compile a log Z in {len(op.shards.seeds)} shards. {_REMEDY}"
        )


optdb.register("refuse_shards_in_jax", refuse_jax, "jax", position=100)
