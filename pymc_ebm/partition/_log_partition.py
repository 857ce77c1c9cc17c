"""The Op `LogPartition` and the function `log_partition` that applies it."""

import math
import weakref
from collections.abc import Sequence
from functools import singledispatch

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.builders import OpFromGraph
from pytensor.gradient import DisconnectedType, disconnected_grad, disconnected_type, grad
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import graph_replace, vectorize_graph
from pytensor.graph.traversal import graph_inputs
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.energy import Energy, EnergyFunction, as_energy
from pymc_ebm.energy.parameters import as_parameter
from pymc_ebm.energy.rows import distinct_rows
from pymc_ebm.energy.split import SplitEnergy
from pymc_ebm.memory import check_memory
from pymc_ebm.partition.checks import check_log_weights, check_reference
from pymc_ebm.reference.base import Reference

__all__ = ["LogPartition", "estimator", "log_partition", "value_and_gradient"]

# PyMC builds the graph of a log-probability anew whenever it is asked for one.
_HELD: weakref.WeakKeyDictionary[Reference, dict[str, list[weakref.ref]]] = (
    weakref.WeakKeyDictionary()
)


class LogPartition(OpFromGraph):
    """log Ẑ(θ) = logsumexp_m(a_m − E(y_m | θ)) with its gradient as further outputs.

    Inputs are the parameters with their batch dimensions, the variables that the energy
    captures, and the arrays of the reference. Outputs are log Ẑ, ``(*batch,)`` in nats, and for
    each real parameter −Σ_m w̄_m ∂E/∂θ (eq. 12), so that one evaluation of the energy serves the
    value and the gradient. The pullback of log Ẑ uses the other outputs; their own pullback, the
    Hessian, is that of their graph.

    Attributes
    ----------
    split : SplitEnergy
        The energy; the node's inputs are its parameters, its captured variables and the arrays.
    reference : Reference
    energy_fingerprint : str
        Equal for equal energies, in any session.

    Parameters
    ----------
    outputs : sequence of Variable, optional
        Graphs of log Ẑ and of its gradients where they are not those of `log_weights`, because
        the reference has more points than the inputs say.
    """

    def __init__(
        self,
        inputs: list[Variable],
        log_weights: TensorVariable,
        *,
        split: SplitEnergy,
        reference: Reference,
        outputs: Sequence[Variable] | None = None,
    ):
        self.split = split
        self.reference = reference
        self.batch_ndim = _batch_ndim(inputs, split)
        self.energy_fingerprint = split.fingerprint
        # Integers have no gradient; reference arrays are constants.
        self.differentiable = [
            i
            for i in range(len(split.params) + len(split.captured))
            if inputs[i].type.dtype.startswith("float")
        ]
        self._log_weights = (inputs, log_weights)
        if outputs is None:
            wrt = [inputs[i] for i in self.differentiable]
            outputs = value_and_gradient(log_weights, wrt)
        outputs = list(outputs)
        self._outputs = (inputs, outputs)
        connected = [[i in self.differentiable] * len(outputs) for i in range(len(inputs))]
        super().__init__(inputs, outputs, inline=True, connection_pattern=connected)

    def __eq__(self, other):
        # References with the same points may still differ in their groups.
        return (
            super().__eq__(other)
            and self.reference.fingerprint == other.reference.fingerprint
            and self.energy_fingerprint == other.energy_fingerprint
        )

    __hash__ = OpFromGraph.__hash__

    def __str__(self):
        return f"LogPartition{{{self.reference.description}}}"

    def log_weights(self, *inputs: Variable) -> TensorVariable:
        """Graph of a_m − E(y_m | θ), ``(*batch, M)``, at the inputs of a node of this Op."""
        return self._at(self._log_weights, inputs)

    def held_log_weights(self, *inputs: Variable) -> TensorVariable:
        """`log_weights` whose points and a_m are held as θ varies, ``(*batch, M)``.

        Their values are the same. The gradient of their logsumexp is −Σ_m w̄_m ∂E/∂θ with the
        points where they are (eq. 18), also for q(y|θ), where it is not the derivative of log Ẑ.
        """
        if not self.reference.moves:
            return self.log_weights(*inputs)
        params, base = self.split.params, inputs[-1]
        moved = self.reference.at(params, base)
        points, log_base = vectorize_graph(
            list(moved), dict(zip(params, inputs[: len(params)], strict=True))
        )
        return disconnected_grad(log_base) - self.energies(disconnected_grad(points), *inputs)

    def energies(self, points: TensorVariable, *inputs: Variable) -> TensorVariable:
        """Graph of E(y | θ) at other points, ``(*batch, B)``.

        Parameters
        ----------
        points : TensorVariable
            ``(B, *event)``, or ``(*batch, B, *event)`` for points of each row's own.
        *inputs : Variable
            Inputs of a node of this Op.

        Returns
        -------
        TensorVariable
        """
        placeholders = [*self.split.params, *self.split.captured]
        given = dict(zip(placeholders, inputs, strict=False))
        return vectorize_graph(self.split.at(self.split.x), {self.split.x: points, **given})

    def with_reference(self, reference: Reference, *inputs: Variable) -> TensorVariable:
        """Graph of the log Ẑ that another reference gives, ``(*batch,)``.

        Parameters
        ----------
        reference : Reference
            Points of the same event shape.
        *inputs : Variable
            Inputs of a node of this Op.

        Returns
        -------
        TensorVariable

        Raises
        ------
        ValueError
            An energy that takes the old number of points only, or a q(y|θ) of other parameters.
        """
        split, n_points = self.split, self.split.x.type.shape[0]
        if n_points not in (None, reference.n_points):
            raise ValueError(
                f"The energy takes {n_points} points only, and the new reference has "
                f"{reference.n_points}. Write the model with the new reference."
            )
        n_params = len(split.params)
        reference.check_follows(n_params)
        captured = inputs[n_params : n_params + len(split.captured)]
        op, arguments = estimator(reference, split, inputs[:n_params], captured)
        return op(*arguments, return_list=True)[0]

    def pullback(self, inputs, outputs, cotangents):
        """Vector-Jacobian product: eq. 12 for log Ẑ, the Hessian for the gradient outputs."""
        pulled = [disconnected_type() for _ in inputs]
        value, *gradients = cotangents
        if not isinstance(value.type, DisconnectedType):
            shared = []
            for i, output in zip(self.differentiable, outputs[1:], strict=True):
                if self.batch_ndim and i >= len(self.split.params):
                    shared.append(i)  # by all rows: the output is the sum of their derivatives
                    continue
                weight = value.reshape((*value.shape, *[1] * (output.ndim - value.ndim)))
                pulled[i] = (weight * output).astype(inputs[i].dtype)
            self._pull(pulled, inputs, {0: value}, shared)
        connected = {
            k: g for k, g in enumerate(gradients, 1) if not isinstance(g.type, DisconnectedType)
        }
        self._pull(pulled, inputs, connected, self.differentiable)
        return pulled

    def _pull(self, pulled, inputs, cotangents, wrt):
        """Add to `pulled` what the graph inside gives for cotangents of some outputs."""
        if not cotangents or not wrt:
            return
        placeholders, outputs = self._outputs
        # At the placeholders: one input may depend on another, and no derivative may go that way.
        slots = {k: g.type() for k, g in cotangents.items()}
        terms = grad(
            None,
            wrt=[placeholders[i] for i in wrt],
            known_grads={outputs[k]: slot for k, slot in slots.items()},
            disconnected_inputs="ignore",
            return_disconnected="disconnected",
        )
        real = dict(zip(placeholders, inputs, strict=True))
        real |= {slot: cotangents[k] for k, slot in slots.items()}
        for i, term in zip(wrt, terms, strict=True):
            if not isinstance(term.type, DisconnectedType):
                term = graph_replace(term, real, strict=False)
                first = pulled[i]
                pulled[i] = term if isinstance(first.type, DisconnectedType) else first + term

    @staticmethod
    def _at(graph, inputs):
        placeholders, outputs = graph
        return graph_replace(outputs, dict(zip(placeholders, inputs, strict=True)), strict=False)


def value_and_gradient(log_weights, wrt):
    """Log Σ_m exp(l_m) over the last axis and its derivatives, finite when every l_m is −inf."""
    top = log_weights.max(axis=-1, keepdims=True)
    top = pt.switch(pt.eq(top, -np.inf), 0.0, top)
    weights = pt.exp(log_weights - top)
    total = weights.sum(axis=-1, keepdims=True)
    empty = pt.eq(total, 0)
    # The inner switch keeps the derivative that JAX takes of this graph finite as well.
    total = pt.switch(empty, 1.0, total)
    value = pt.switch(empty, -np.inf, pt.log(total) + top).squeeze(-1)
    gradients = (
        grad(
            None,
            wrt=wrt,
            known_grads={log_weights: (weights / total).astype(log_weights.dtype)},
            disconnected_inputs="ignore",
        )
        if wrt
        else []
    )
    return value, *gradients


def log_partition(
    energy: Energy | EnergyFunction,
    *params,
    reference: Reference,
    signature: str | None = None,
) -> TensorVariable:
    r"""Importance-sampling estimate of the log normaliser of an energy-based model.

    .. math:: \log \hat Z(θ) = \log \sum_m \exp(a_m − E(y_m \mid θ))

    Parameters
    ----------
    energy : callable
        ``energy(x, *params)`` in nats, ``(*batch, *event) -> (*batch,)``; low energy is high
        probability.
    *params : tensor_like
        Parameters, each of its core shape behind any batch dimensions.
    reference : Reference
        The weighted points y_m, a_m.
    signature : str, optional
        Core dimensions of the parameters as ``pm.CustomDist`` takes them, ``"(k),()"``.
        Scalars by default.

    Returns
    -------
    TensorVariable
        log Ẑ in nats, of the parameters' joint batch shape: one normaliser for each row, and
        only one for rows made of the same constants, such as a group index or covariates.
        Differentiable twice; −inf, with a finite gradient, where every weight is zero.

    Raises
    ------
    ValueError
        If the energy breaks its shape contract, mixes rows of the batch, is NaN or −inf at a
        point, or is +inf at every point, at the parameters' initial values.
    MemoryError
        If the energies of all rows and points do not fit in memory at once.

    References
    ----------
    Eqs. 7, 8 and 12 of "A note on gradient-based parameter estimation for energy-based models";
    C. J. Geyer (1994), J. R. Stat. Soc. B 56, 261–274.

    Examples
    --------
    >>> import pymc_ebm as ebm
    >>> grid = ebm.reference.quadrature(-6, 6, 100)
    >>> log_z = ebm.log_partition(lambda x, a: a * x**4, 1.0, reference=grid)
    >>> round(float(log_z.eval()), 8)
    0.59487534
    """
    check_reference(reference)
    reference.check_follows(len(params))
    variables = [as_parameter(p) for p in params]
    names = [p.name or f"parameter {i}" for i, p in enumerate(variables)]
    energy = as_energy(energy, signature)
    split = energy.split(
        reference.event_shape, reference.points.dtype, variables, reference.n_points
    )
    batched, kind = _distinct(variables, energy.cores(len(variables)))
    op, inputs = estimator(reference, split, batched, split.outer)
    check_log_weights(op, inputs, names)
    log_z = op(*inputs, return_list=True)[0]
    return log_z if kind is None else log_z[kind]


@singledispatch
def estimator(
    reference: Reference, split: SplitEnergy, params: Sequence, captured: Sequence
) -> tuple[LogPartition, list[Variable]]:
    """The Op for an energy at a reference, and its inputs for parameters of one batch shape."""
    if not reference.moves:
        statistics = _statistics(split, reference)
        arrays = [pt.constant(a) for a in (reference.log_weights, *statistics)]
        log_base = pt.dvector("log_base_weights")
        placeholders, log_weights = [log_base, *split.slots], log_base - split.value
    else:
        # Points that move with θ leave nothing to evaluate beforehand.
        arrays = [pt.constant(reference.points)]
        base = arrays[0].type("base_points")
        points, log_base = reference.at(split.params, base)
        _refuse_captured(points, log_base, known=[base, *split.params])
        placeholders, log_weights = [base], log_base - split.at(points)
    inputs = split.params
    if _batch_ndim(params, split):
        inputs = [p.type() for p in params]
        log_weights = vectorize_graph(log_weights, dict(zip(split.params, inputs, strict=True)))
    op = LogPartition(
        [*inputs, *split.captured, *placeholders],
        log_weights.astype("float64"),
        split=split,
        reference=reference,
    )
    return op, [*params, *captured, *arrays]


def _distinct(variables, cores) -> tuple[list[TensorVariable], np.ndarray | None]:
    """Parameters of the joint batch shape; equal rows once, with the kind of every row."""
    ranks = {p.ndim - n for p, n in zip(variables, cores, strict=True)}
    same = None
    if ranks in ({1}, {0, 1}):
        rows = [p for p, n in zip(variables, cores, strict=True) if p.ndim > n]
        same = distinct_rows(rows)
    if same is None:
        return _broadcast_batches(variables, cores), None
    first, kind = same
    variables = [
        p[first] if p.ndim > n and not p.type.broadcastable[0] else p
        for p, n in zip(variables, cores, strict=True)
    ]
    return _broadcast_batches(variables, cores), kind


def _statistics(split: SplitEnergy, reference: Reference) -> list[np.ndarray]:
    """Statistics at the points of a reference, in memory once for all graphs that use them."""
    held = _HELD.setdefault(reference, {})
    found = [alive() for alive in held.get(split.fingerprint, [])]
    arrays = [a for a in found if a is not None]
    if not arrays or len(arrays) < len(found):
        shapes = [s.type.shape[1:] for s in split.statistics]
        check_memory(
            reference.n_points,
            2 * sum(math.prod(n or 1 for n in shape) for shape in shapes),
            "These are the statistics that the energy takes of each: use fewer draws, or an "
            "energy that sums over the event.",
        )
        arrays = [_points_last_in_memory(a) for a in split.statistics_at(reference.points)]
        held[split.fingerprint] = [weakref.ref(a) for a in arrays]
    return arrays


def _points_last_in_memory(array: np.ndarray) -> np.ndarray:
    """The same array, of which a number of all points is in one piece, as the kernels read it."""
    if array.ndim == 1:
        return array
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(array, 0, -1)), -1, 0)


def _refuse_captured(*graphs, known) -> None:
    """The map of q(y|θ) is called with the parameters of the energy and nothing else."""
    names = {
        v.name or str(v)
        for v in graph_inputs(graphs, blockers=known)
        if not isinstance(v, Constant) and v not in known
    }
    if names:
        raise ValueError(
            f"The function for q(y|θ) uses {', '.join(sorted(names))} besides its arguments. Make "
            "it a parameter of the energy and of that function."
        )


def _broadcast_batches(variables: Sequence, cores: Sequence[int]) -> list[TensorVariable]:
    """Give every parameter the joint batch shape, so that each row has its own derivative."""
    if all(p.ndim == n for p, n in zip(variables, cores, strict=True)):
        return list(variables)
    heads = [p[(..., *[0] * n)] if n else p for p, n in zip(variables, cores, strict=True)]
    # The values of the heads are not read, only their joint shape.
    joint = pt.broadcast_arrays(*heads)[0]
    shape = [joint.shape[i] for i in range(joint.ndim)]
    return [
        pt.broadcast_to(p, (*shape, *[p.shape[p.ndim - n + i] for i in range(n)]))
        for p, n in zip(variables, cores, strict=True)
    ]


def _batch_ndim(params, split):
    """Number of dimensions that parameters carry beyond their core shapes."""
    return max((b.ndim - p.ndim for b, p in zip(params, split.params, strict=False)), default=0)
