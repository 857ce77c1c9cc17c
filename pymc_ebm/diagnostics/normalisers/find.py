"""The estimated normalisers that a model's log-probability holds, and their names."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pymc.distributions.mixture import MixtureRV
from pytensor.graph.basic import Apply, Constant, Variable, equal_computations
from pytensor.graph.traversal import ancestors
from pytensor.tensor.subtensor import AdvancedSubtensor

from pymc_ebm.distribution.energy_rv import EnergyRV
from pymc_ebm.distribution.hidden.hidden_rv import HiddenRV
from pymc_ebm.partition.op import LogPartition, NodeInputs
from pymc_ebm.reference.base import Reference

__all__ = ["Normaliser", "normalisers_in"]


@dataclass(frozen=True)
class Normaliser:
    """One normaliser of a model.

    Attributes
    ----------
    name : str
        That of the variable or potential, with the component or a number in brackets.
    nodes : list of Apply
        Every `LogPartition` node that computes it.
    row : int or None
        Its place on the last batch axis, where one node serves all components of a mixture.
    kinds : ndarray of int, optional
        ``(N,)``, which of the node's rows each datum has, where it serves equal rows together.
    variable : str
        The variable or potential whose log-probability holds it.
    """

    name: str
    nodes: list[Apply]
    row: int | None = None
    kinds: NDArray | None = None
    variable: str = ""

    @property
    def reference(self) -> Reference:
        """The reference that estimates it."""
        return self.nodes[0].op.reference

    @property
    def inputs(self) -> NodeInputs:
        """Inputs of its first node."""
        node = self.nodes[0]
        return node.op.split_inputs(node.inputs)

    def row_of_data(self, n_data: int) -> NDArray:
        """Which of the distinct rows of parameters each datum has, ``(N,)``."""
        if self.nodes[0].outputs[0].type.ndim == 0:
            return np.zeros(n_data, dtype=int)
        return np.arange(n_data) if self.kinds is None else self.kinds

    def of_batch(self, batch: Variable) -> Variable:
        """The part of an array of the nodes' batch shape that belongs to it."""
        return batch if self.row is None else batch[..., self.row]

    def log_weights(self) -> Variable:
        """Graph of a_m − E(y_m | θ), ``(*batch, M)``."""
        node = self.nodes[0]
        log_weights = node.op.log_weights(*node.inputs)
        return log_weights if self.row is None else log_weights[..., self.row, :]


def normalisers_in(model: pm.Model, factors: Mapping[str, Variable]) -> list[Normaliser]:
    """The normalisers that factors of a model's log-probability hold.

    Parameters
    ----------
    model : pm.Model
    factors : dict of Variable
        The log-probability of each variable and potential, by its name.

    Returns
    -------
    list of Normaliser
        Their nodes are nodes of `factors`.
    """
    seen: set[Apply] = set()
    normalisers: list[Normaliser] = []
    for name, factor in factors.items():
        nodes = _new_nodes(factor, seen)
        if nodes:
            kinds = _kinds(factor)
            found = _named(model, model[name], nodes)
            normalisers += [replace(n, kinds=kinds.get(n.nodes[0]), variable=name) for n in found]
    return normalisers


def _new_nodes(factor: Variable, seen: set[Apply]) -> list[Apply]:
    """`LogPartition` nodes of one factor that no earlier factor holds, in order of appearance."""
    nodes: dict[Apply, None] = {}
    for variable in reversed(list(ancestors([factor]))):
        node = variable.owner
        if node is not None and node not in seen and isinstance(node.op, LogPartition):
            nodes[node] = None
    seen.update(nodes)
    return list(nodes)


def _kinds(factor: Variable) -> dict[Apply, NDArray]:
    """The rows of a node that one factor uses, in its order, as `log_partition` indexes them."""
    kinds = {}
    for variable in ancestors([factor]):
        match variable.owner:
            case Apply(op=AdvancedSubtensor(idx_list=(0,)), inputs=[log_z, Constant() as index]):
                if log_z.owner is not None and isinstance(log_z.owner.op, LogPartition):
                    kinds[log_z.owner] = index.data
    return kinds


def _named(model: pm.Model, owner: Variable, nodes: list[Apply]) -> list[Normaliser]:
    """Equal nodes together, under the names of the components that they belong to."""
    groups: list[list[Apply]] = []
    for node in nodes:
        for group in groups:
            if equal_computations([group[0].outputs[0]], [node.outputs[0]]):
                group.append(node)
                break
        else:
            groups.append([node])
    if owner.owner is not None and isinstance(owner.owner.op, MixtureRV):
        _, weights, *components = owner.owner.inputs
        labels = _component_labels(model, weights)
        # A normaliser without an axis of its own for the components is the same for all of them.
        if len(components) == 1 and len(groups) == 1 and _varies(groups[0][0].outputs[0]):
            return [
                Normaliser(f"{owner.name}[{label}]", groups[0], row)
                for row, label in enumerate(labels)
            ]
        mine = [i for i, c in enumerate(components) if isinstance(c.owner.op, EnergyRV)]
        # PyMC stacks the components in their order; one that is itself a mixture has more nodes.
        if len(components) > 1 and len(mine) == len(nodes):
            names = dict(zip(nodes, (labels[i] for i in mine), strict=True))
            return [
                Normaliser(f"{owner.name}[{','.join(names[node] for node in group)}]", group)
                for group in groups
            ]
    if owner.owner is not None and isinstance(owner.owner.op, HiddenRV):
        parts = [owner.owner.op.spec.part_of(group[0].op) for group in groups]
        return [Normaliser(f"{owner.name}[{p}]", g) for p, g in zip(parts, groups, strict=True)]
    if len(groups) == 1:
        return [Normaliser(owner.name, groups[0])]
    return [Normaliser(f"{owner.name}[{i}]", group) for i, group in enumerate(groups)]


def _varies(log_z: Variable) -> bool:
    return bool(log_z.type.shape) and log_z.type.shape[-1] != 1


def _component_labels(model: pm.Model, weights: Variable) -> list[str]:
    """Coordinates of the dimension of the weights, or numbers."""
    dims = model.named_vars_to_dims.get(weights.name, ())
    coords = model.coords.get(dims[-1]) if dims else None
    if coords is None:
        coords = range(int(weights.shape[-1].eval()))
    return [str(label) for label in coords]
