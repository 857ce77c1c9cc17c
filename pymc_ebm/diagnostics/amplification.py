"""Which normalisers a model contains, and how strongly its log-probability leans on each."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Apply, Variable, equal_computations
from pytensor.graph.traversal import ancestors

from pymc_ebm.log_partition import LogPartition

__all__ = ["amplification", "find_log_partitions"]


def find_log_partitions(model: pm.Model | None = None) -> list[tuple[str, Apply]]:
    """The estimated normalisers of a model.

    Parameters
    ----------
    model : pm.Model, optional
        The model of the context by default.

    Returns
    -------
    list of (str, Apply)
        Name and `LogPartition` node. The name is that of the variable or potential whose
        log-probability holds the node, with ``[0]``, ``[1]``, ... when it holds several. Nodes
        that compute the same thing within one variable are listed once.
    """
    _, groups = normaliser_graphs(model)
    return [(name, nodes[0]) for name, nodes in groups]


def amplification(
    model: pm.Model | None = None, point: dict[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    r"""Sensitivity of the model's log-probability to each log normaliser.

    .. math:: c_r = -\partial \log p(\text{model}) / \partial \log \hat Z_r

    An error of ε nats in log Ẑ_r moves the log-likelihood by −c_r ε nats.

    Parameters
    ----------
    model : pm.Model, optional
        The model of the context by default.
    point : dict, optional
        Values of ``model.value_vars``, on the transformed scale, as ``model.initial_point()``
        returns them, which is the default.

    Returns
    -------
    dict of ndarray
        c by name, of the normaliser's batch shape, dimensionless: N for N independent
        observations, the expected count of a mixture's component, 1 per row in a regression.
    """
    model = pm.modelcontext(model)
    factors, groups = normaliser_graphs(model)
    function = model.compile_fn(
        amplification_graphs(factors, groups), on_unused_input="ignore", point_fn=True
    )
    values = function(model.initial_point() if point is None else point)
    return {name: c for (name, _), c in zip(groups, values, strict=True)}


def normaliser_graphs(
    model: pm.Model | None, var_names: Sequence[str] | None = None
) -> tuple[list[Variable], list[tuple[str, list[Apply]]]]:
    """Factors of the model's log-probability and the normalisers that they hold.

    Parameters
    ----------
    model : pm.Model or None
    var_names : sequence of str, optional
        Keep the normalisers of these variables and potentials only.

    Returns
    -------
    factors : list of Variable
        One log-probability for each variable and potential.
    normalisers : list of (str, list of Apply)
        Name and the nodes of `factors` that compute one and the same normaliser.
    """
    model = pm.modelcontext(model)
    owners = [*model.free_RVs, *model.observed_RVs, *model.potentials]
    # One call for all: nodes shared by two factors then stay one node.
    factors = model.logp(vars=owners, sum=False)
    seen: set[Apply] = set()
    normalisers: list[tuple[str, list[Apply]]] = []
    for owner, factor in zip(owners, factors, strict=True):
        groups = _distinct(factor, seen)
        for i, nodes in enumerate(groups):
            if var_names is None or owner.name in var_names:
                name = owner.name if len(groups) == 1 else f"{owner.name}[{i}]"
                normalisers.append((name, nodes))
    return factors, normalisers


def amplification_graphs(
    factors: list[Variable], normalisers: list[tuple[str, list[Apply]]]
) -> list[Variable]:
    """Graphs of c, one for each normaliser; equal nodes act together, so their c add."""
    outputs = [node.outputs[0] for _, nodes in normalisers for node in nodes]
    if not outputs:
        return []
    total = pt.add(*[pt.sum(factor) for factor in factors], 0.0)
    gradients = cast(
        Sequence[Variable], pytensor.grad(total, wrt=outputs, disconnected_inputs="ignore")
    )
    by_output = dict(zip(outputs, gradients, strict=True))
    return [-pt.add(*[by_output[n.outputs[0]] for n in nodes], 0.0) for _, nodes in normalisers]


def _distinct(factor: Variable, seen: set[Apply]) -> list[list[Apply]]:
    """Normalisers of one factor that no earlier factor holds, equal nodes together."""
    groups: list[list[Apply]] = []
    for variable in reversed(list(ancestors([factor]))):
        node = variable.owner
        if node is None or node in seen or not isinstance(node.op, LogPartition):
            continue
        seen.add(node)
        for nodes in groups:
            if equal_computations([nodes[0].outputs[0]], [node.outputs[0]]):
                nodes.append(node)
                break
        else:
            groups.append([node])
    return groups
