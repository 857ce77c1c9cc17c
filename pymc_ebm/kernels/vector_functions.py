"""Scalar Ops that numba compiles to vector instructions, and where they replace PyTensor's own."""

import numpy as np
from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.link.numba.dispatch.scalar import register_scalar_funcify, scalar_op_cache_key
from pytensor.scalar.basic import Exp, UnaryScalarOp, upgrade_to_float
from pytensor.tensor.elemwise import Elemwise

from pymc_ebm.kernels import exponential

__all__ = ["VectorExp"]

_VERSION = 1


class VectorExp(UnaryScalarOp):
    """eˣ of float64."""

    nfunc_spec = ("exp", 1, 1)

    def impl(self, x):
        """Compute what numba computes, in Python."""
        return np.exp(x)


@register_scalar_funcify(VectorExp)
def _funcify(op, node, **kwargs):
    return exponential.exp, scalar_op_cache_key(op, version=_VERSION)


_vector_exp = VectorExp(upgrade_to_float, name="vector_exp")


@node_rewriter([Elemwise])
def use_vector_functions(fgraph, node):
    """Replace the exponential of float64 numbers."""
    if isinstance(node.op.scalar_op, Exp) and node.inputs[0].dtype == "float64":
        return [Elemwise(_vector_exp)(node.inputs[0])]
    return None


# After all that knows exp by name, before it is fused with its neighbours. No mode has this tag.
optdb.register(
    "use_vector_functions", dfs_rewriter(use_vector_functions), "vector_functions", position=48.5
)
