"""The kernel for every other energy whose points can be taken a block at a time.

PyTensor compiles log Ẑ and its gradient for one block and one row of parameters; here is the loop
around that, which puts the results of the blocks together.
"""

from hashlib import sha256
from textwrap import dedent

import numpy as np
from pytensor.compile.mode import get_mode
from pytensor.compile.rewriting import destructive_rewrite_ofg_inner_graph
from pytensor.graph.fg import FunctionGraph
from pytensor.link.numba.cache import compile_numba_function_src
from pytensor.link.numba.dispatch.basic import (
    numba_funcify_ensure_cache,
    numba_njit,
    register_funcify_and_cache_key,
    register_funcify_default_op_cache_key,
)

from pymc_ebm.kernels import exponential
from pymc_ebm.kernels.linear import change_row, join_lines
from pymc_ebm.kernels.ops import BlockStream, Weigh

_VERSION = 6


@register_funcify_default_op_cache_key(Weigh)
def _funcify_weigh(op, node, **kwargs):
    @numba_njit(error_model="numpy")
    def weigh(log_weights):
        top = exponential.largest(log_weights)
        top = 0.0 if top == -np.inf else top
        weights = np.empty(log_weights.size)
        total = exponential.weigh(log_weights, top, weights)
        return weights, np.asarray(top), np.asarray(total)

    return weigh, _VERSION


@register_funcify_and_cache_key(BlockStream)
def _funcify(op, node, **kwargs):
    """Compile one block of an Op, and the loop over blocks and rows around it."""
    one_block, block_key = _compile_block(op, node)
    source = _source(op)
    key = None
    if block_key is not None:
        key = sha256(str(("BlockStream", _VERSION, source, block_key)).encode()).hexdigest()
    names = {"np": np, "one_block": one_block}
    function = compile_numba_function_src(source, "block_stream", global_env=names, cache_key=key)
    return numba_njit(function, error_model="numpy"), key


def _compile_block(op, node):
    inputs, outputs = op.block
    graph = FunctionGraph(inputs, outputs, clone=True)
    mode = get_mode("NUMBA").including("vector_functions")
    graph._compile_mode = mode
    destructive_rewrite_ofg_inner_graph(mode.linker, op, node, graph, mode=mode)
    return numba_funcify_ensure_cache(graph, squeeze_output=False, fgraph_name="one_block")


def _source(op) -> str:
    """Python text of the loop over blocks and rows."""
    inputs, outputs = op.block
    n_whole = len(inputs) - op.n_arrays
    arguments = [f"x{i}" for i in range(len(inputs))]
    given = [
        f"np.asarray({x}[r])" if i < op.n_rowed else x for i, x in enumerate(arguments[:n_whole])
    ]
    given += [f"b{i}" for i in range(n_whole, len(inputs))]
    arrays = range(n_whole, len(inputs))
    gradients = range(len(op.wrt))
    part = lambda k: f"found[{k + 2}]" + (".item()" if outputs[k + 2].type.ndim == 0 else "")
    sizes = [("" if i < op.n_rowed else "(n_rows,) + ") + f"x{i}.shape" for i in op.wrt]
    results = "".join(f", g{k}" for k in gradients)
    change = lambda k, what: change_row(k, what, array=outputs[k + 2].type.ndim > 0)
    body = f"""
    def block_stream({", ".join(arguments)}):
        n_points, n_rows = x{n_whole}.shape[0], x0.shape[0]
        top = np.full(n_rows, -np.inf)
        total = np.zeros(n_rows)
        {join_lines([f"g{k} = np.zeros({sizes[k]})" for k in gradients], 8)}
        for low in range(0, n_points, {op.block_size}):
            high = min(low + {op.block_size}, n_points)
            {join_lines([f"b{i} = np.ascontiguousarray(x{i}[..., low:high])" for i in arrays], 12)}
            for r in range(n_rows):
                found = one_block({", ".join(given)})
                highest, weight = found[0].item(), 1.0
                if found[1].item() == 0:
                    continue
                if highest > top[r]:
                    scale = np.exp(top[r] - highest)
                    total[r] *= scale
                    {join_lines([change(k, "*= scale") for k in gradients], 20)}
                    top[r] = highest
                else:
                    weight = np.exp(highest - top[r])
                total[r] += weight * found[1].item()
                {join_lines([change(k, f"+= weight * {part(k)}") for k in gradients], 16)}
        for r in range(n_rows):
            if total[r] != 0:
                {join_lines([change(k, "/= total[r]") for k in gradients], 16)}
                top[r] += np.log(total[r])
        return top{results}
    """
    return dedent(body)
