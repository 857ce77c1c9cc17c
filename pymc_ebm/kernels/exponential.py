"""Loops over a block of numbers that LLVM turns into vector instructions.

Numba calls the C library for every single ``exp``, which costs 5 ns; a polynomial that it can see
through costs 0.3 ns. Each loop is a function of its own, because the licence to reorder sums would
cancel the rounding by a large number inside the exponential, and the licence to assume that there
is no NaN belongs to the search for a maximum alone.
"""

import numba
import numpy as np
from llvmlite import ir
from numba.extending import intrinsic
from pytensor.link.numba.dispatch.basic import numba_njit

__all__ = ["exp", "largest", "log", "log1p", "sigmoid", "tanh", "weigh", "weighted_sum"]

# Adding 1.5 · 2⁵² leaves a float64 rounded to an integer, in its last bits too.
_ROUND = 6755399441055744.0
_LOG2_E = 1.4426950408889634
# ln 2 in two parts; the product of the first with any exponent is exact.
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
# (eʳ − 1 − r)/r² on |r| ≤ ln(2)/2, interpolated at Chebyshev nodes: relative error 2e-17.
_C2 = 0.5000000000000001
_C3 = 0.16666666666666669
_C4 = 0.041666666666624164
_C5 = 0.008333333333330065
_C6 = 0.0013888888917196719
_C7 = 0.00019841269863040545
_C8 = 2.4801521322368692e-05
_C9 = 2.7557268480310024e-06
_C10 = 2.7620075879983367e-07
_C11 = 2.5100375832561234e-08

# ln(1 + f) = f − f²/2 + s (f²/2 + Σ L_k s²ᵏ), s = f/(2 + f): coefficients of FreeBSD's e_log.c.
_L1 = 6.666666666666735130e-01
_L2 = 3.999999999940941908e-01
_L3 = 2.857142874366239149e-01
_L4 = 2.222219843214978396e-01
_L5 = 1.818357216161805012e-01
_L6 = 1.531383769920937332e-01
_L7 = 1.479819860511658591e-01
_SQRT_HALF = 0x3FE6A09E667F3BCD  # the bits of √½
_SMALLEST, _LARGEST, _2_54 = 2.2250738585072014e-308, 1.7976931348623157e308, 2.0**54

_PLAIN = {"contract"}  # a · b + c in one instruction
_SUMS = {"contract", "reassoc", "nsz"}


@intrinsic
def _bits(typing_context, x):
    """Read the bits of a float64 as an int64."""
    codegen = lambda context, builder, signature, args: builder.bitcast(args[0], ir.IntType(64))
    return numba.types.int64(numba.types.float64), codegen


@intrinsic
def _from_bits(typing_context, x):
    """Read the bits of an int64 as a float64."""
    codegen = lambda context, builder, signature, args: builder.bitcast(args[0], ir.DoubleType())
    return numba.types.float64(numba.types.int64), codegen


@intrinsic
def _larger(typing_context, x, y):
    """Give the larger of two numbers, in the one form that LLVM reduces by vectors."""

    def codegen(context, builder, signature, args):
        flags = ("nnan", "nsz")
        return builder.select(builder.fcmp_ordered(">", *args, flags=flags), *args, flags=flags)

    return numba.types.float64(numba.types.float64, numba.types.float64), codegen


@numba_njit(fastmath=_PLAIN, error_model="numpy")
def _mantissa_less_one(x, rounded):
    """Compute exp(x − n ln 2) − 1, n the integer nearest to x / ln 2, which is `rounded`."""
    r = x - rounded * _LN2_HIGH
    r = r - rounded * _LN2_LOW
    r2 = r * r
    r4 = r2 * r2
    p = ((_C7 * r + _C6) * r2 + (_C5 * r + _C4)) + ((_C11 * r + _C10) * r2 + (_C9 * r + _C8)) * r4
    p = p * r2 + (_C3 * r + _C2)
    return p * r2 + r


@numba_njit(fastmath=_PLAIN, error_model="numpy")
def _mantissa(x, rounded):
    return _mantissa_less_one(x, rounded) + 1.0


@numba_njit(fastmath=_PLAIN, error_model="numpy")
def exp(x):
    """Compute eˣ to the last bit or two, over the whole range, with NaN for NaN."""
    clipped = -746.0 if x < -746.0 else x
    clipped = 710.0 if clipped > 710.0 else clipped
    shifted = clipped * _LOG2_E + _ROUND
    n = _bits(shifted) - _bits(_ROUND)
    # Two factors reach where 2ⁿ is no normal number.
    half = n >> 1
    first, second = _from_bits((half + 1023) << 52), _from_bits((n - half + 1023) << 52)
    return _mantissa(clipped, shifted - _ROUND) * first * second


@numba_njit(fastmath=_PLAIN, error_model="numpy")
def log(x):
    """Compute ln x to the last bit or two, with −inf for 0 and NaN for what is negative or NaN."""
    tiny = x < _SMALLEST
    scaled = x * _2_54 if tiny else x
    # x = 2ⁿ m with m from √½ to √2.
    bits = _bits(scaled)
    n = (bits - _SQRT_HALF) >> 52
    f = _from_bits(bits - (n << 52)) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    series = w * (_L2 + w * (_L4 + w * _L6)) + z * (_L1 + w * (_L3 + w * (_L5 + w * _L7)))
    half = 0.5 * f * f
    exponent = _from_bits(_bits(_ROUND) + n) - _ROUND
    exponent = exponent - 54.0 if tiny else exponent
    value = exponent * _LN2_HIGH - ((half - (s * (half + series) + exponent * _LN2_LOW)) - f)
    value = x if x > _LARGEST else value
    value = -np.inf if x == 0.0 else value
    return value if x >= 0.0 else np.nan


@numba_njit(fastmath=_PLAIN, error_model="numpy")
def log1p(x):
    """Compute ln(1 + x), which keeps its digits near zero."""
    one_more = 1.0 + x
    lost = ((one_more - 1.0) - x) / one_more
    lost = 0.0 if (x > 1e16) | (x == -1.0) else lost
    return log(one_more) - lost


@numba_njit(fastmath=_PLAIN, error_model="numpy")
def tanh(x):
    """Compute tanh x from e⁻²ˣ − 1, which keeps its digits near zero."""
    size = -x if x < 0 else x
    clipped = -40.0 if size > 20.0 else -2.0 * size
    shifted = clipped * _LOG2_E + _ROUND
    rounded = shifted - _ROUND
    power = _from_bits((_bits(shifted) + 1023) << 52)
    less_one = _mantissa_less_one(clipped, rounded) * power + (power - 1.0)
    value = -less_one / (2.0 + less_one)
    return -value if x < 0 else value


@numba_njit(fastmath=_PLAIN, error_model="numpy")
def sigmoid(x):
    """Compute 1/(1 + e⁻ˣ)."""
    return 1.0 / (1.0 + exp(-x))


@numba_njit(fastmath=_PLAIN, error_model="numpy")
def _exp_of_negative(x):
    """Compute eˣ for x ≤ 0, with 0 below −708, and NaN for NaN."""
    clipped = -709.0 if x < -709.0 else x
    shifted = clipped * _LOG2_E + _ROUND
    power = _from_bits((_bits(shifted) + 1023) << 52)
    value = _mantissa(clipped, shifted - _ROUND) * power
    return 0.0 if x < -708.0 else value


@numba_njit(fastmath=False, error_model="numpy")
def largest(x):
    """Largest of the numbers `x`; any number if one of them is NaN."""
    top = -np.inf
    for i in range(x.size):
        top = _larger(top, x[i])
    return top


@numba_njit(fastmath=_SUMS, error_model="numpy")
def weigh(log_weights, top, weights):
    """Write exp(· − top) of log weights, none above `top`, into `weights`; return their sum.

    The two arrays may be one.
    """
    total = 0.0
    for i in range(weights.size):
        weight = _exp_of_negative(log_weights[i] - top)
        weights[i] = weight
        total += weight
    return total


@numba_njit(fastmath=_SUMS, error_model="numpy")
def weighted_sum(weights, values):
    """Compute Σ w v, in float64."""
    total = 0.0
    for i in range(weights.size):
        total += weights[i] * values[i]
    return total
