"""Numba code for rates of counts by their mean: the loops that Python has, compiled."""

from pytensor.link.numba.dispatch.basic import numba_njit
from pytensor.link.numba.dispatch.scalar import register_scalar_funcify, scalar_op_cache_key

from pymc_ebm.energies.count_rates import CountMoment, LogRateOfMean, loops
from pymc_ebm.kernels import exponential

__all__: list[str] = []

# Raised where the loops change, as PyTensor keeps compiled functions on disk.
_VERSION = 2


@register_scalar_funcify(LogRateOfMean)
def _funcify_rate(op, node, **kwargs):
    return _loops(op)[0], scalar_op_cache_key(op, key=op.key, version=_VERSION)


@register_scalar_funcify(CountMoment)
def _funcify_moment(op, node, **kwargs):
    of_order, (i, j) = _loops(op)[1], op.order

    @_compiled
    def moment(log_rate, nu):
        return of_order(log_rate, nu, i, j)

    return moment, scalar_op_cache_key(op, key=op.key, version=_VERSION)


def _loops(op):
    return loops(op.largest, _compiled, exponential.exp)


_compiled = numba_njit(error_model="numpy")
