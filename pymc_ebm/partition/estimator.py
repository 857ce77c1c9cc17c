"""`LogPartition` for an energy at a reference."""

from functools import singledispatch

from pytensor.graph.basic import Apply
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.partition.op import LogPartition
from pymc_ebm.partition.weights_graph import WeightsGraph, weights_graph
from pymc_ebm.reference.base import Reference

__all__ = ["estimator", "with_reference"]


@singledispatch
def estimator(reference: Reference, graph: WeightsGraph) -> LogPartition:
    """The Op for a graph of log weights; its inputs are those of the graph."""
    return LogPartition(
        graph.placeholders, graph.log_weights, split=graph.split, reference=reference
    )


def with_reference(node: Apply, reference: Reference) -> TensorVariable:
    """Graph of the log Ẑ that another reference gives in the place of a node's, ``(*batch,)``.

    Parameters
    ----------
    node : Apply
        Of a `LogPartition`.
    reference : Reference
        Points of the same event shape.

    Returns
    -------
    TensorVariable

    Raises
    ------
    ValueError
        An energy that takes the old number of points only, or a q(y|θ) of other parameters.
    """
    split, n_points = node.op.split, node.op.split.x.type.shape[0]
    if n_points not in (None, reference.n_points):
        raise ValueError(
            f"The energy takes {n_points} points only, and the new reference has "
            f"{reference.n_points}. Write the model with the new reference."
        )
    reference.check_follows(len(split.params))
    given = node.op.split_inputs(node.inputs)
    graph = weights_graph(reference, split, given.params, given.captured)
    return estimator(reference, graph)(*graph.inputs, return_list=True)[0]
