"""The kernel for energies that are linear in hoisted statistics, E = Σ_k c_k(θ) · T_k(x).

One pass over blocks of points, for all rows of coefficients, gives log Σ_m exp(a_m − E_m) and
its derivatives by the coefficients, which are minus the weighted means of the statistics.
"""

from dataclasses import dataclass
from hashlib import sha256
from textwrap import dedent, indent

import numpy as np
from pytensor.link.numba.cache import compile_numba_function_src
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key

from pymc_ebm.kernels import exponential
from pymc_ebm.kernels.ops import LinearStream

# Raised where the code below changes, as PyTensor keeps compiled functions on disk.
_VERSION = 8
# Most points of a block, and the numbers that their statistics may have: they stay in the second
# level of cache.
_BLOCK, _BLOCK_NUMBERS, _FEWEST = 512, 2**14, 64
# Rows of parameters whose log weights one product of matrices makes.
_TILE = 32
# Numbers per point from which on a product of matrices is faster than a loop over columns.
_NARROW = 16


@register_funcify_and_cache_key(LinearStream)
def _funcify(op, node, **kwargs):
    """Compile the pass for the shapes and number types of an Op's statistics."""
    kinds = [_kind(s.type, op.n_rows) for s in op.statistics_of(node.inputs)]
    source = _source(kinds, op.with_gradient, op.width, op.n_rows is not None)
    key = sha256(str(("LinearStream", _VERSION, source)).encode()).hexdigest()
    names = {
        "np": np,
        "largest": exponential.largest,
        "weigh": exponential.weigh,
        "weighted_sum": exponential.weighted_sum,
        "copy": _copy,
        "subtract": _subtract,
    }
    function = compile_numba_function_src(source, "linear_stream", global_env=names, cache_key=key)
    return numba_njit(function, error_model="numpy"), key


def _kind(tensor_type, n_rows: int | None) -> str:
    """How the pass treats a statistic, one of the keys of `_WAYS`."""
    if n_rows is not None:
        return "own column" if tensor_type.ndim == 2 else "own columns"
    if tensor_type.ndim == 1:
        return "column"
    return "narrow" if tensor_type.shape[0] <= _NARROW else "wide"


@dataclass(frozen=True)
class _Way:
    """Lines of the pass for one statistic, number {k}."""

    block: str  # the statistic at the points of a block
    row: str  # subtract the energy of one row of coefficients from `row`
    row_gradient: str = ""  # add to the sums of one row
    tile: str = ""  # subtract the energy of a tile of rows from `tile`
    tile_gradient: str = ""  # add to the sums of a tile of rows


_WAYS = {
    # (M,), of which the block is a view.
    "column": _Way(
        block="s{k} = t{k}[low:high]",
        row="subtract(c{k}[r], s{k}, row)",
        row_gradient="g{k}[r] += weighted_sum(weights, s{k})",
    ),
    # (d, M) with small d: columns again.
    "narrow": _Way(
        block="",
        row="for j in range(t{k}.shape[0]): subtract(c{k}[r, j], t{k}[j][low:high], row)",
        row_gradient=(
            "for j in range(t{k}.shape[0]): g{k}[r, j] += weighted_sum(weights, t{k}[j][low:high])"
        ),
    ),
    # (R, M) and (R, d, M), of each row's own.
    "own column": _Way(
        block="",
        row="subtract(c{k}[r], t{k}[r % n_own, low:high], row)",
        row_gradient="g{k}[r] += weighted_sum(weights, t{k}[r % n_own, low:high])",
    ),
    "own columns": _Way(
        block="",
        row=(
            "for j in range(t{k}.shape[1]): subtract(c{k}[r, j], t{k}[r % n_own, j, low:high], row)"
        ),
        row_gradient=(
            "for j in range(t{k}.shape[1]): "
            "g{k}[r, j] += weighted_sum(weights, t{k}[r % n_own, j, low:high])"
        ),
    ),
    # (d, M): products of matrices.
    "wide": _Way(
        block="s{k} = np.ascontiguousarray(t{k}[:, low:high]).astype(np.float64)",
        row="",
        tile="tile -= np.dot(c{k}[first:last], s{k})",
        tile_gradient="sums{k} = g{k}[first:last]; sums{k} += np.dot(all_weights, s{k}.T)",
    ),
}


def _source(kinds: list[str], with_gradient: bool, width: int, own: bool = False) -> str:
    """Python text of the pass.

    Parameters
    ----------
    kinds : list of str
        Of each statistic, a key of `_WAYS`.
    with_gradient : bool
        Whether to make the derivatives by the coefficients too.
    width : int
        Numbers per point.
    own : bool
        Whether each row has points of its own.
    """
    base = "log_base[r % n_own, low:high]" if own else "log_base[low:high]"
    every = range(len(kinds))
    fill = lambda part: [
        line.format(k=k) for k in every if (line := getattr(_WAYS[kinds[k]], part))
    ]
    each = lambda template: [template.format(k=k) for k in every] if with_gradient else []
    change = lambda what: [
        change_row(k, what, array="column" not in kinds[k].split()) for k in every if with_gradient
    ]
    results = "".join(f", g{k}" for k in every) if with_gradient else ""
    arguments = ["log_base", *(f"t{k}" for k in every), *(f"c{k}" for k in every)]
    block = min(max(_BLOCK_NUMBERS // width, _FEWEST), _BLOCK)
    one_row = f"""
    {join_lines(fill("row"), 4)}
    highest = largest(row)
    if highest > top[r]:
        scale = np.exp(top[r] - highest)
        total[r] *= scale
        {join_lines(change("*= scale"), 8)}
        top[r] = highest
    total[r] += weigh(row, top[r] if top[r] > -np.inf else 0.0, weights)
    {join_lines(fill("row_gradient") if with_gradient else [], 4)}
    """
    one_row = dedent(one_row).strip()
    if "wide" in kinds:
        rows = f"""
        for first in range(0, n_rows, {_TILE}):
            last = min(first + {_TILE}, n_rows)
            shape = (last - first, size)
            tile = room[: shape[0] * size].reshape(shape)
            all_weights = weights_room[: shape[0] * size].reshape(shape)
            for r in range(shape[0]):
                copy(log_base[low:high], tile[r])
            {join_lines(fill("tile"), 12)}
            for r in range(first, last):
                row, weights = tile[r - first], all_weights[r - first]
                {join_lines(one_row.splitlines(), 16)}
            {join_lines(fill("tile_gradient") if with_gradient else [], 12)}
        """
    else:  # a row at a time, which compiles faster
        rows = f"""
        for r in range(n_rows):
            row, weights = room[:size], weights_room[:size]
            copy({base}, row)
            {join_lines(one_row.splitlines(), 12)}
        """
    most = f"min({_TILE}, n_rows) * {block}" if "wide" in kinds else f"{block}"
    body = f"""
    def linear_stream({", ".join(arguments)}):
        n_own, n_points, n_rows = log_base.shape[0], log_base.shape[-1], c0.shape[0]
        top = np.full(n_rows, -np.inf)
        total = np.zeros(n_rows)
        {join_lines(each("g{k} = np.zeros(c{k}.shape)"), 8)}
        room, weights_room = np.empty({most}), np.empty({most})
        for low in range(0, n_points, {block}):
            high = min(low + {block}, n_points)
            size = high - low
            {join_lines(fill("block"), 12)}
            {join_lines(dedent(rows).strip().splitlines(), 12)}
        for r in range(n_rows):
            if total[r] == 0:
                top[r] = -np.inf
            else:
                {join_lines(change("/= -total[r]"), 16)}
                top[r] += np.log(total[r])
        return top{results}
    """
    return dedent(body)


def change_row(k: int, what: str, array: bool) -> str:
    """A line that changes sums number `k` of a row in place, of which each is an array or not.

    Arrays go through a name: before numba puts one in a place of another it compares their shapes,
    and the words of that error take seconds to compile.
    """
    return f"sums{k} = g{k}[r]; sums{k} {what}" if array else f"g{k}[r] {what}"


def join_lines(lines: list[str], spaces: int) -> str:
    """Join lines for a place in the text that is indented already; nothing is ``pass``."""
    return indent("\n".join(lines or ["pass"]), " " * spaces).lstrip()


_PLAIN = {"contract"}


@numba_njit(fastmath=False, error_model="numpy")
def _copy(values, out):
    for i in range(out.size):
        out[i] = values[i]


@numba_njit(fastmath=_PLAIN, error_model="numpy")
def _subtract(coefficient, statistic, out):
    for i in range(out.size):
        out[i] -= coefficient * statistic[i]
