"""The rewrites as PyTensor knows them from the start; what they call is imported when needed."""

from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import dfs_rewriter, graph_rewriter, node_rewriter
from pytensor.tensor.elemwise import Elemwise


@graph_rewriter
def stream_log_partition(fgraph):
    """Put the streaming Ops in the place of `LogPartition` when numba compiles."""
    # The rewrite, and what registers with numba, take as long to import as PyMC does, and most
    # graphs of a process have none of our Ops.
    if any(_is_ours(node.op) for node in fgraph.apply_nodes):
        from pymc_ebm.kernels import blocks, count_rates, linear, vector_functions  # noqa: F401
        from pymc_ebm.kernels.rewrite import stream

        stream(fgraph)


def _is_ours(op) -> bool:
    """Whether an Op, or the scalar Op that it applies to each element, is this package's."""
    both = (op, getattr(op, "scalar_op", op))
    return any(type(o).__module__.startswith("pymc_ebm.") for o in both)


@node_rewriter([Elemwise])
def loops_as_graphs(fgraph, node):
    """Replace scalar Ops that have a graph of arrays as well, for JAX and for NumPy."""
    as_graph = getattr(node.op.scalar_op, "as_graph", None)
    return None if as_graph is None else [as_graph(*node.inputs)]


# Before PyTensor puts the graph inside in the place of the Op.
optdb.register("stream_log_partition", stream_log_partition, "numba", position=-0.02)
# After the graph inside a `LogPartition` is in its place, before anything is simplified.
optdb.register(
    "loops_as_graphs", dfs_rewriter(loops_as_graphs), "jax", "whole_arrays", position=0.5
)
