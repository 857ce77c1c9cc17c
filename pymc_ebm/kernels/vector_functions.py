"""Scalar Ops that numba compiles to vector instructions, and where they replace PyTensor's own."""

import numpy as np
from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter
from pytensor.link.numba.dispatch.scalar import register_scalar_funcify, scalar_op_cache_key
from pytensor.scalar.basic import (
    Exp,
    Log,
    Log1p,
    Tanh,
    UnaryScalarOp,
    upgrade_to_float,
)
from pytensor.scalar.math import Sigmoid
from pytensor.tensor.elemwise import Elemwise
from scipy.special import expit

from pymc_ebm.kernels import exponential

__all__ = ["VectorExp", "VectorLog", "VectorLog1p", "VectorSigmoid", "VectorTanh"]

# Raised where the compiled functions change, as PyTensor keeps them on disk.
_VERSION = 3


class VectorExp(UnaryScalarOp):
    """eˣ of float64."""

    nfunc_spec = ("exp", 1, 1)

    def impl(self, x):
        """Compute what numba computes, in Python."""
        return np.exp(x)


class VectorLog(UnaryScalarOp):
    """Natural logarithm of float64."""

    nfunc_spec = ("log", 1, 1)

    def impl(self, x):
        """Compute what numba computes, in Python."""
        return np.log(x)


class VectorLog1p(UnaryScalarOp):
    """ln(1 + x) of float64."""

    nfunc_spec = ("log1p", 1, 1)

    def impl(self, x):
        """Compute what numba computes, in Python."""
        return np.log1p(x)


class VectorTanh(UnaryScalarOp):
    """Hyperbolic tangent of float64."""

    nfunc_spec = ("tanh", 1, 1)

    def impl(self, x):
        """Compute what numba computes, in Python."""
        return np.tanh(x)


class VectorSigmoid(UnaryScalarOp):
    """1/(1 + e⁻ˣ) of float64."""

    nfunc_spec = ("scipy.special.expit", 1, 1)

    def impl(self, x):
        """Compute what numba computes, in Python."""
        return expit(x)


@register_scalar_funcify(VectorExp)
@register_scalar_funcify(VectorLog)
@register_scalar_funcify(VectorLog1p)
@register_scalar_funcify(VectorTanh)
@register_scalar_funcify(VectorSigmoid)
def _funcify(op, node, **kwargs):
    functions = {
        VectorExp: exponential.exp,
        VectorLog: exponential.log,
        VectorLog1p: exponential.log1p,
        VectorTanh: exponential.tanh,
        VectorSigmoid: exponential.sigmoid,
    }
    return functions[type(op)], scalar_op_cache_key(op, version=_VERSION)


_IN_PLACE_OF = {
    Exp: VectorExp(upgrade_to_float, name="vector_exp"),
    Log: VectorLog(upgrade_to_float, name="vector_log"),
    Log1p: VectorLog1p(upgrade_to_float, name="vector_log1p"),
    Tanh: VectorTanh(upgrade_to_float, name="vector_tanh"),
    Sigmoid: VectorSigmoid(upgrade_to_float, name="vector_sigmoid"),
}


@node_rewriter([Elemwise])
def use_vector_functions(fgraph, node):
    """Replace functions of float64 numbers."""
    by = _IN_PLACE_OF.get(type(node.op.scalar_op))
    if by is None or node.inputs[0].dtype != "float64":
        return None
    return [Elemwise(by)(node.inputs[0])]


# After all that knows them by name, before it is fused with its neighbours. No mode has this tag.
optdb.register(
    "use_vector_functions", dfs_rewriter(use_vector_functions), "vector_functions", position=48.5
)
