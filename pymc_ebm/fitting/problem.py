"""A PyMC model as a problem of minimisation: its loss, derivatives and reference, compiled once."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.initial_point import make_initial_point_fn
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.replace import graph_replace
from pytensor.graph.traversal import ancestors

from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.distributed import ShardedReference
from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.fitting.loss import Loss, columns, directional
from pymc_ebm.partition.op import LogPartition
from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.normalised import ess, normalise

__all__ = ["Problem"]


class Problem:
    r"""Minimise J(θ) = −log-likelihood, or − log posterior density, of a model with EBMs.

    Optimisers work on u, the model's unconstrained values in one flat vector; results are reported
    in the constrained space. The densities are those of the constrained space, without Jacobians,
    so that the minimum does not depend on the transforms.

    The arrays of fixed references are shared variables: `set_reference` exchanges a reference, and
    ``pm.set_data`` the data, without compiling anew.

    Parameters
    ----------
    model : pm.Model
    include_prior : bool
        Whether J holds the prior, so that its minimum is the posterior mode.

    Attributes
    ----------
    u : TensorVariable
        ``(K,)``.
    start : dict of ndarray
        The model's initial point, by the names of its value variables.
    nodes : list of Apply
        The `LogPartition` nodes of J.
    references : list of Reference
        The reference that each node has at present.
    nodes_of : dict of list of int
        Indices of the nodes of each observed variable or potential, by its name.
    """

    def __init__(self, model: pm.Model, include_prior: bool = False):
        self.model = model
        self.include_prior = include_prior
        self._made: dict[str, Any] = {}
        self.free = model.free_RVs
        discrete = [rv.name for rv in self.free if not rv.dtype.startswith("float")]
        if not self.free or discrete:
            found = f"{', '.join(discrete)} are discrete" if discrete else "there are none"
            raise ValueError(
                f"find_MLE moves continuous free variables, and {found}. Give the unknown "
                "parameters continuous distributions, pm.Flat for example."
            )
        terms = [*model.observed_RVs, *model.potentials]
        if not terms:
            raise ValueError(
                "The model has no observed variable or potential, so that nothing can be fitted. "
                "Give an EBM its data, observed=."
            )
        terms += self.free if include_prior else []
        self.normalisers = Normalisers(model, transformed=True)
        factors = [self.normalisers.factors[term.name] for term in terms]
        used = set(ancestors(factors))
        unused = [rv.name for rv in self.free if model.rvs_to_values[rv] not in used]
        if unused:
            raise ValueError(
                f"{', '.join(unused)} do not enter the likelihood. Use include_prior=True, or take "
                "them out of the model."
            )
        self.start = model.initial_point()
        self.size = sum(self.start[value.name].size for value in model.value_vars)
        # Of known length, as JAX needs the shapes of what is made of it.
        self.u = pt.tensor("u", shape=(self.size,), dtype="float64")
        self._parts: dict[Variable, Variable] = {}
        first = 0
        for value in model.value_vars:
            shape = self.start[value.name].shape
            part = self.u[first : first + int(np.prod(shape))].reshape(shape)
            self._parts[value] = value.type.filter_variable(part.astype(value.dtype))
            first += int(np.prod(shape))
        reported = [*self.free, *(d for d in model.deterministics if d.dtype.startswith("float"))]
        self._reported = dict(zip((v.name for v in reported), self.in_u(reported), strict=True))
        self._share_references(dict(zip(terms, self.in_u(factors), strict=True)))

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """What `make` compiles, made at the first call with `key` and kept."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def in_u(self, graphs: Sequence[Variable]) -> list[Variable]:
        """Graphs of the model's random variables as graphs of u and the data."""
        by_values = self.model.replace_rvs_by_values(list(graphs))
        return graph_replace(by_values, self._parts, strict=False)

    def _share_references(self, factors):
        """Make J of the factors, with reference arrays that can be exchanged."""
        found = {
            term.name: [
                v.owner
                for v in ancestors([factor])
                if v.owner is not None and isinstance(v.owner.op, LogPartition)
            ]
            for term, factor in factors.items()
        }
        nodes = list(dict.fromkeys(node for group in found.values() for node in group))
        self.nodes_of = {
            name: sorted({nodes.index(node) for node in group}) for name, group in found.items()
        }
        self.references: list[Reference] = [node.op.reference for node in nodes]
        if any(isinstance(reference, ShardedReference) for reference in self.references):
            raise NotImplementedError(
                "find_MLE exchanges the points of a reference, and those of a sharded one are on "
                "other machines. Use pm.find_MAP, or reference=sharded.gathered()."
            )
        self._arrays: list[list[Any]] = []
        replacements: dict[Variable, Variable] = {}
        self.nodes: list[Apply] = []
        for node in nodes:
            given = node.op.split_inputs(node.inputs)
            # An energy that takes one number of points only keeps that number.
            n_points = node.op.split.x.type.shape[0]
            arrays = [
                pytensor.shared(i.data, shape=(n_points, *i.type.shape[1:])) for i in given.arrays
            ]
            output = node.op(*given.varying, *arrays, return_list=True)[0]
            replacements[node.outputs[0]] = output
            self._arrays.append(arrays)
            self.nodes.append(output.owner)
        loss = -pt.add(*[factor.sum() for factor in factors.values()], 0.0)
        self.loss = Loss(graph_replace(loss, replacements, strict=False), self.u)

    def flat(self, point: dict[str, NDArray]) -> NDArray:
        """Values of the unconstrained variables, by their names, as one vector ``(K,)``."""
        return np.concatenate([np.ravel(point[v.name]) for v in self._parts]).astype(float)

    def start_at(self, start: dict[str, Any] | None) -> NDArray:
        """The initial point, ``(K,)``, with values by variable name put in."""
        if not start:
            return self.flat(self.start)
        unknown = set(start) - {rv.name for rv in self.free}
        if unknown:
            raise ValueError(
                f"start has {', '.join(sorted(unknown))}, and the model has not. Its free "
                f"variables are {', '.join(rv.name for rv in self.free)}."
            )
        for name, now in self.constrained(self.flat(self.start)).items():
            given = np.shape(start.get(name, now))
            if given not in ((), now.shape):
                raise ValueError(
                    f"start gives {name} the shape {given}, and it has {now.shape}. Give it its "
                    "own shape."
                )
        return self.flat(make_initial_point_fn(model=self.model, overrides=start)(0))

    def set_reference(self, i: int, reference: Reference) -> None:
        """Exchange the points of node `i` for those of another reference.

        Parameters
        ----------
        i : int
        reference : Reference
            Fixed where the first one is fixed; of the same map where that is q(y|θ).

        Raises
        ------
        ValueError
            A reference of the other kind, or of another map.
        """
        op = self.nodes[i].op
        if not reference.follows_like(op.reference):
            raise ValueError(
                "The new reference does not move with θ by the map of the old one. Exchange fixed "
                "references, or q(y|θ) with other base points: dataclasses.replace(reference, "
                "points=...)."
            )
        if reference.follows_parameters:
            values = [reference.points]
        else:
            values = [reference.log_weights, *op.split.statistics_at(reference.points)]
        for array, value in zip(self._arrays[i], values, strict=True):
            array.set_value(value.astype(array.type.dtype))
        self.references[i] = reference

    # Constrained space

    @cached_property
    def _constrained(self):
        return self._few_calls([self.u], list(self._reported.values()))

    @cached_property
    def _constrained_directional(self):
        v = self.u.type("v")
        flat = pt.concatenate([g.ravel() for g in self._reported.values()])
        return self._few_calls([self.u, v], *directional([flat], self.u, v))

    @staticmethod
    def _few_calls(inputs, outputs):
        """What is called a few times takes longer to compile than to run in Python."""
        return compiled(inputs, outputs, VECTORISED)

    def constrained(self, u: NDArray) -> dict[str, NDArray]:
        """Parameters and Deterministics by name at u."""
        values = map(np.asarray, self._constrained(u))
        return dict(zip(self._reported, values, strict=True))

    def standard_errors(self, u: NDArray, covariance: NDArray) -> dict[str, NDArray]:
        """Delta-method standard errors by name from a covariance of u, ``(K, K)``."""
        jacobian = columns(self._constrained_directional, u)
        variances = np.einsum("pk,kl,pl->p", jacobian, covariance, jacobian)
        # Rounding may leave a tiny negative variance where there is none; NaN stays NaN.
        flat, start, errors = np.sqrt(np.where(variances < 0, 0.0, variances)), 0, {}
        for name, value in self.constrained(u).items():
            errors[name] = flat[start : start + value.size].reshape(value.shape)
            start += value.size
        return errors

    # What the references did

    @cached_property
    def held_loss(self) -> Loss:
        """J with points that are held as u varies: the same values, and the gradient of eq. 18.

        It differs from `loss` for references q(y|θ) only.
        """
        log_z = {
            node.outputs[0]: pt.logsumexp(node.op.held_log_weights(*node.inputs), axis=-1)
            for node in self.nodes
        }
        return Loss(graph_replace(self.loss.graph, log_z, strict=False), self.u)

    @cached_property
    def amplification_graphs(self) -> list[Variable]:
        """Graphs of c_r = ∂J/∂log Ẑ_r, one for each node."""
        outputs = [node.outputs[0] for node in self.nodes]
        return list(pt.grad(self.loss.graph, outputs)) if outputs else []

    def _shared_points(self) -> list[list[int]]:
        """Indices of the nodes that have a random reference, together where it is the same."""
        by_reference: dict[str, list[int]] = {}
        for i, reference in enumerate(self.references):
            if reference.level != "exact":
                by_reference.setdefault(reference.fingerprint, []).append(i)
        return list(by_reference.values())

    def _influence_graph(self, i: int, held: bool) -> Variable:
        """Σ_r c_r w̄_mr of one node, ``(M,)``: the influence of each point on J."""
        node = self.nodes[i]
        log_weights = node.op.held_log_weights if held else node.op.log_weights
        weights = pt.special.softmax(log_weights(*node.inputs), axis=-1)
        c = self.amplification_graphs[i]
        return self.references[i].amplified(c.ravel(), weights.reshape((-1, weights.shape[-1])))

    def _compile_influence(self, held: bool):
        v = self.u.type("v")
        influences = [self._influence_graph(i, held) for i in range(len(self.nodes))]
        return compiled([self.u, v], directional(influences, self.u, v))

    @cached_property
    def _log_weights(self):
        graphs = [node.op.log_weights(*node.inputs) for node in self.nodes]
        return compiled([self.u], graphs)

    def weights(self, u: NDArray) -> list[NDArray]:
        """Normalised weights of each node's points at u, ``(*batch, M)``."""
        return [normalise(log_weights)[1] for log_weights in self._log_weights(u)]

    def least_ess(self, u: NDArray) -> float:
        """Smallest effective number of points among the random references; inf without any."""
        return min(
            (
                float(ess(w).min())
                for w, reference in zip(self.weights(u), self.references, strict=True)
                if reference.level != "exact"
            ),
            default=np.inf,
        )

    def gradient_variance(self, u: NDArray, held: bool = False) -> NDArray:
        r"""Variance that the references give the gradient of J, ``(K, K)``.

        The influence of point m on ∂J/∂u_k is ∂/∂u_k Σ_r c_r w̄_mr, summed over the normalisers
        that share the points; independent groups of points add their squares. With `held`, it is
        that of the gradient of `held_loss`.
        """
        shared = self._shared_points()
        total = np.zeros((len(u), len(u)))
        if not shared:
            return total
        along = self.once(f"influence, {held}", lambda: self._compile_influence(held))
        scores = [along(u, e) for e in np.eye(len(u))]
        for nodes in shared:
            reference = self.references[nodes[0]]
            influence = np.array([sum(row[i] for i in nodes) for row in scores])
            total += reference.covariance(reference.influence(influence))
        return total
