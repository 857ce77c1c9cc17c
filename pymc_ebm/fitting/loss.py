"""A scalar graph of flat parameters with its derivatives, and derivatives along a direction."""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.pytensorf import compile
from pytensor import config
from pytensor.gradient import pushforward
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import ancestors
from pytensor.link.jax.ops import JAXOp

__all__ = ["Loss", "SmoothLoss", "SumOfLosses", "columns", "directional", "mode_of"]


class Loss:
    """A scalar graph of the flat parameters u with its compiled derivatives.

    Parameters
    ----------
    graph : TensorVariable
        Scalar, in nats.
    u : TensorVariable
        Flat unconstrained parameters, ``(K,)``.
    """

    def __init__(self, graph, u):
        self.graph, self.u = graph, u

    @cached_property
    def value_and_gradient(self) -> Callable[[NDArray], tuple[NDArray, NDArray]]:
        """Compiled function of u that gives the loss and its gradient, ``(K,)``."""
        # PyMC's compilation makes a parameter outside its domain a loss of inf, not an exception.
        outputs = [self.graph, pt.grad(self.graph, self.u)]
        return compile([self.u], outputs, mode=mode_of(self.graph))

    @cached_property
    def _times_hessian(self):
        v = self.u.type("v")
        gradient = pt.grad(self.graph, self.u)
        product = pt.grad((gradient * v).sum(), self.u, disconnected_inputs="ignore")
        return compile([self.u, v], product, mode=mode_of(self.graph), on_unused_input="ignore")

    def hessian(self, u: NDArray) -> NDArray:
        """Exact second derivatives at u, ``(K, K)``."""
        columns = [self._times_hessian(u, e) for e in np.eye(len(u))]
        return (np.array(columns) + np.array(columns).T) / 2


class SmoothLoss(Protocol):
    """A loss with its derivatives."""

    def value_and_gradient(self, u: NDArray, /) -> tuple[Any, NDArray]:
        """The loss in nats and its gradient, ``(K,)``."""

    def hessian(self, u: NDArray, /) -> NDArray:
        """Second derivatives, ``(K, K)``."""


class SumOfLosses:
    """The sum of several losses of the same parameters."""

    def __init__(self, losses: Sequence[SmoothLoss]):
        self._losses = losses

    def value_and_gradient(self, u: NDArray) -> tuple[float, NDArray]:
        """Its value and gradient, ``(K,)``."""
        values, gradients = zip(*(loss.value_and_gradient(u) for loss in self._losses), strict=True)
        return float(np.sum(values)), np.sum(gradients, axis=0)

    def hessian(self, u: NDArray) -> NDArray:
        """Second derivatives, ``(K, K)``."""
        return np.sum([loss.hessian(u) for loss in self._losses], axis=0)


def mode_of(graph: Variable) -> str | None:
    """How to compile a graph, where PyTensor is not told: what calls JAX is not compiled around it.

    numba would take seconds for what then waits for Python at each call.
    """
    calls_jax = any(isinstance(getattr(v.owner, "op", None), JAXOp) for v in ancestors([graph]))
    return "FAST_COMPILE" if calls_jax and config.mode == "Mode" else None


def directional(graphs: Sequence[Variable], u, v) -> list[Variable]:
    """Derivatives of graphs along v; zero where u does not enter."""
    return list(pushforward(list(graphs), u, v, disconnected_outputs="ignore"))


def columns(along: Callable, u: NDArray) -> NDArray:
    """Jacobian ``(P, K)`` from a function (u, v) that gives the derivative along v, ``(P,)``."""
    return np.stack([along(u, e) for e in np.eye(len(u))], axis=-1)
