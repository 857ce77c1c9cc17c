"""The Op `LogPartition`: log Ẑ and its gradient as one node of a graph."""

from collections.abc import Sequence
from typing import NamedTuple

from pytensor.compile.builders import OpFromGraph
from pytensor.gradient import DisconnectedType, disconnected_grad, disconnected_type, grad
from pytensor.graph.basic import Variable
from pytensor.graph.replace import graph_replace, vectorize_graph
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.split import SplitEnergy
from pymc_ebm.partition.log_sum_exp import value_and_gradient
from pymc_ebm.reference.base import Reference

__all__ = ["LogPartition", "NodeInputs", "batch_ndim"]


class NodeInputs(NamedTuple):
    """Inputs of a `LogPartition` node, by what they are.

    Attributes
    ----------
    params : list of Variable
        The parameters with their batch dimensions.
    captured : list of Variable
        Other variables of the model that the energy uses.
    arrays : list of Variable
        Of the reference: log base weights and statistics, or base points that move with θ.
    """

    params: list
    captured: list
    arrays: list

    @property
    def varying(self) -> list:
        """All that is no array of the reference."""
        return [*self.params, *self.captured]


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
        varying = self.split_inputs(inputs).varying
        # Without parameters, rows of points are a batch all the same.
        self.batch_ndim = max(batch_ndim(inputs, split), log_weights.ndim - 1)
        self.energy_fingerprint = split.fingerprint
        # Integers have no gradient; reference arrays are constants.
        self.differentiable = [
            i for i, variable in enumerate(varying) if variable.type.dtype.startswith("float")
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
        if not self.reference.follows_parameters:
            return self.log_weights(*inputs)
        given, params = self.split_inputs(inputs), self.split.params
        [base] = given.arrays
        points, log_base = vectorize_graph(
            list(self.reference.at(params, base)), dict(zip(params, given.params, strict=True))
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

    def split_inputs(self, inputs: Sequence[Variable]) -> NodeInputs:
        """Inputs of a node of this Op, by what they are."""
        left = iter(inputs)
        params = [next(left) for _ in self.split.params]
        captured = [next(left) for _ in self.split.captured]
        return NodeInputs(params, captured, list(left))

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


def batch_ndim(params, split):
    """Number of dimensions that parameters carry beyond their core shapes."""
    return max((b.ndim - p.ndim for b, p in zip(params, split.params, strict=False)), default=0)
