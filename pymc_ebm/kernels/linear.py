"""The kernel for energies that are linear in hoisted statistics, E = Σ_k c_k(θ) · T_k(x).

One sweep over blocks of points, for all rows of coefficients, gives log Σ_m exp(a_m − E_m) and
its derivatives by the coefficients, which are minus the weighted means of the statistics.
"""

from hashlib import sha256
from textwrap import dedent, indent

import numba
import numpy as np
from pytensor.link.numba.cache import compile_numba_function_src
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key

from pymc_ebm.kernels import exponential
from pymc_ebm.kernels.ops import LinearStream

# Raised where the code below changes, as PyTensor keeps compiled functions on disk.
_VERSION = 1
# Points of a block, times the numbers of each: they stay in the first or second level of cache.
_BLOCK, _FEWEST = 1024, 64
# Rows whose log weights are made by one product of matrices.
_TILE = 32

_PLAIN = {"contract"}
_OPTIONS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "error_model": "numpy"}


@numba.njit(fastmath=_PLAIN, **_OPTIONS)
def _start(log_base, coefficient, statistic, out):
    for i in range(out.size):
        out[i] = log_base[i] - coefficient * statistic[i]


@numba.njit(fastmath=_PLAIN, **_OPTIONS)
def _subtract(coefficient, statistic, out):
    for i in range(out.size):
        out[i] -= coefficient * statistic[i]


@numba.njit(fastmath=_PLAIN, **_OPTIONS)
def _subtract_from(log_base, out):
    for i in range(out.size):
        out[i] = log_base[i] - out[i]


@register_funcify_and_cache_key(LinearStream)
def _funcify(op, node, **kwargs):
    """Compile the sweep for the numbers and ranks of an Op's statistics."""
    types = [statistic.type for statistic in op.statistics_of(node.inputs)]
    source = _source([(t.ndim, t.dtype) for t in types], op.with_gradient, op.width)
    key = sha256(str(("LinearStream", _VERSION, source)).encode()).hexdigest()
    names = {
        "np": np,
        "largest": exponential.largest,
        "weigh": exponential.weigh,
        "weighted_sum": exponential.weighted_sum,
        "start": _start,
        "subtract": _subtract,
        "subtract_from": _subtract_from,
    }
    function = compile_numba_function_src(source, "linear_stream", global_env=names, cache_key=key)
    return numba_njit(function, error_model="numpy"), key


def _source(kinds: list[tuple[int, str]], with_gradient: bool, width: int) -> str:
    """Python text of the sweep.

    Parameters
    ----------
    kinds : list of (int, str)
        Dimensions and number type of each statistic: 1 for ``(M,)`` with coefficients ``(R,)``, 2
        for ``(M, d)`` with ``(R, d)``.
    with_gradient : bool
        Whether to make the derivatives by the coefficients too.
    width : int
        Numbers per point.
    """
    every = range(len(kinds))
    columns = [k for k in every if kinds[k][0] == 1]
    tables = [k for k in every if kinds[k][0] == 2]
    # BLAS takes one number type.
    cast = {k: "" if kinds[k][1] == "float64" else ".astype(np.float64)" for k in tables}
    lines = lambda template, which: [template.format(k=k) for k in which]
    block = max(_BLOCK // width, _FEWEST) if tables else _BLOCK

    per_tile = []
    if tables:
        first, *others = tables
        product = "np.dot(c{k}[first:last], s{k}.T)"
        per_tile = [f"tile[:] = {product.format(k=first)}", *lines(f"tile += {product}", others)]
        per_row, left = ["subtract_from(base, row)"], columns
    else:
        first, *left = columns
        per_row = [f"start(base, c{first}[r], s{first}, row)"]
    per_row += lines("subtract(c{k}[r], s{k}, row)", left)
    summed = list(every) if with_gradient else []
    rescale = lines("g{k}[r] *= scale", summed)
    sums = lines("g{k}[r] += weighted_sum(row, s{k})", [k for k in summed if k in columns])
    products = lines("g{k}[first:last] += np.dot(tile, s{k})", [k for k in summed if k in tables])
    results = "".join(lines(", g{k}", summed))

    body = f"""
    def linear_stream({", ".join(["log_base", *lines("t{k}", every), *lines("c{k}", every)])}):
        n_points, n_rows = log_base.shape[0], c0.shape[0]
        top = np.full(n_rows, -np.inf)
        total = np.zeros(n_rows)
        {join_lines(lines("g{k} = np.zeros(c{k}.shape)", summed), 8)}
        room = np.empty(min({_TILE}, n_rows) * {block})
        for low in range(0, n_points, {block}):
            high = min(low + {block}, n_points)
            size = high - low
            base = log_base[low:high]
            {join_lines(lines("s{k} = t{k}[low:high]", columns), 12)}
            {join_lines([f"s{k} = np.ascontiguousarray(t{k}[low:high]){cast[k]}" for k in tables], 12)}
            for first in range(0, n_rows, {_TILE}):
                last = min(first + {_TILE}, n_rows)
                tile = room[: (last - first) * size].reshape((last - first, size))
                {join_lines(per_tile, 16)}
                for r in range(first, last):
                    row = tile[r - first]
                    {join_lines(per_row, 20)}
                    highest = largest(row)
                    if highest > top[r]:
                        scale = np.exp(top[r] - highest)
                        total[r] *= scale
                        {join_lines(rescale, 24)}
                        top[r] = highest
                    total[r] += weigh(row, top[r] if top[r] > -np.inf else 0.0)
                    {join_lines(sums, 20)}
                {join_lines(products, 16)}
        for r in range(n_rows):
            if total[r] == 0:
                top[r] = -np.inf
            else:
                {join_lines(lines("g{k}[r] /= -total[r]", summed), 16)}
                top[r] += np.log(total[r])
        return top{results}
    """
    return dedent(body)


def join_lines(lines: list[str], spaces: int) -> str:
    """Join lines for a place in the text that is indented already; nothing is ``pass``."""
    return indent("\n".join(lines or ["pass"]), " " * spaces).lstrip()
