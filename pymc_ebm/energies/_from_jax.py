"""Energies written in JAX, of any number of points."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor import config
from pytensor.gradient import DisconnectedType
from pytensor.graph.replace import _vectorize_node
from pytensor.link.jax.ops import JAXOp
from pytensor.tensor.extra_ops import broadcast_shape
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.in_python import run_in_python

__all__ = ["from_jax"]


def from_jax(function: Callable, *, event_ndim: int = 1) -> Callable[..., TensorVariable]:
    r"""Make an energy of a function of JAX arrays, a neural network for example.

    Unlike PyTensor's ``wrap_jax`` it takes any number of points, as panels, annealing and the
    second estimate ask, and it computes in double precision whether or not JAX's 64-bit switch is
    on. Derivatives are JAX's. A function of PyTensor's own operations needs none of this.

    Parameters
    ----------
    function : callable
        E(x, \*params) in nats: arrays of JAX of shapes ``(B, *event)`` and of the parameters' core
        shapes to ``(B,)``. It must be one that ``jax.jit`` takes.
    event_ndim : int
        Rank of one event: 0 for numbers, 1 for vectors, 2 for images.

    Returns
    -------
    callable
        ``energy(x, *params)`` for `EBM` and all else that takes an energy. Name the parameters'
        core dimensions by ``signature=``, ``"(d,h),(h)"``.

    Raises
    ------
    ValueError
        Where it is called: x of fewer dimensions than an event; where it is evaluated: a function
        that does not give one energy for each event.
    RuntimeError
        Where it is evaluated: a process forked after JAX has begun, in which JAX would hang.

    Examples
    --------
    >>> import jax.numpy as jnp, numpy as np, pymc_ebm as ebm
    >>> energy = from_jax(lambda x, w: (x**2).sum(-1) / 2 - jnp.tanh(x @ w))
    >>> plane = ebm.reference.quadrature([-np.inf] * 2, [np.inf] * 2, order=64)
    >>> log_z = ebm.log_partition(energy, [0.0, 0.0], reference=plane, signature="(d)")
    >>> print(f"{log_z.eval():.6f} {np.log(2 * np.pi):.6f}")
    1.837877 1.837877
    """
    run_in_python(JAXOfPoints)

    @functools.wraps(function)
    def energy(x, *params):
        variables = [pt.as_tensor(v) for v in (x, *params)]
        x, n_batch = variables[0], variables[0].ndim - event_ndim
        if n_batch < 0:
            raise ValueError(
                f"x has {x.ndim} dimensions and an event {event_ndim}. Give from_jax the "
                "event_ndim= of an event."
            )
        op = JAXOfPoints(
            [v.type for v in variables],
            [pt.TensorType(config.floatX, x.type.shape[:n_batch])],
            _checked(function, event_ndim, config.floatX),
            getattr(function, "__name__", None),
            n_leading=[n_batch] + [0] * len(params),
            like=[0],
            n_values=len(variables),
        )
        return op(*variables)

    return energy


def _checked(function, event_ndim, dtype):
    def one_for_each_event(x, *params):
        import jax.numpy as jnp

        value = jnp.asarray(function(x, *params))
        batch = x.shape[: x.ndim - event_ndim]
        if value.shape != batch:
            raise ValueError(
                f"The JAX energy of x of shape {x.shape} has shape {value.shape}, not {batch}. Sum "
                f"over the event, or give from_jax another event_ndim= than {event_ndim}."
            )
        return (value.astype(dtype),)

    return one_for_each_event


class JAXOfPoints(JAXOp):
    """A JAX function whose arrays have leading axes of any length.

    JAX compiles anew for each length, so that these are filled up to one of few lengths, eight for
    each factor of two; what fills them is cut off from the results.

    Parameters
    ----------
    input_types, output_types, jax_function, name
        As of `JAXOp`.
    n_leading : sequence of int
        Leading axes of each input that are filled up.
    like : sequence of int
        For each output the input whose leading axes it has.
    n_values : int
        Inputs that are values; those behind them are cotangents, and zeros fill these up.
    """

    __props__ = (*JAXOp.__props__, "n_leading", "like", "n_values")

    def __init__(
        self, input_types, output_types, jax_function, name=None, *,
        n_leading: Sequence[int], like: Sequence[int], n_values: int,
    ):  # fmt: skip
        super().__init__(input_types, output_types, jax_function, name)
        self.n_leading, self.like, self.n_values = tuple(n_leading), tuple(like), n_values

    def perform(self, node, inputs, outputs):
        """See `Op`."""
        import jax

        _check_process()
        filled = [
            _filled(value, n, i < self.n_values)
            for i, (value, n) in enumerate(zip(inputs, self.n_leading, strict=True))
        ]
        with jax.enable_x64(True):
            results = self.jitted_func(*filled)
        for storage, result, i, of_type in zip(
            outputs, results, self.like, self.output_types, strict=True
        ):
            own = tuple(slice(n) for n in np.shape(inputs[i])[: self.n_leading[i]])
            storage[0] = np.array(np.asarray(result)[own], dtype=of_type.dtype)

    def pullback(self, inputs, outputs, output_gradients):
        """See `JAXOp`."""
        found = super().pullback(inputs, outputs, output_gradients)
        node = next((g.owner for g in found if g.owner is not None), None)
        if node is None:
            return found
        wanted = [i for i, g in enumerate(found) if g.owner is not None]
        cotangents = [
            i
            for i, g in zip(self.like, output_gradients, strict=True)
            if not isinstance(g.type, DisconnectedType)
        ]
        op = JAXOfPoints(
            node.op.input_types,
            node.op.output_types,
            node.op.jax_func,
            node.op.name,
            n_leading=[*self.n_leading, *(self.n_leading[i] for i in cotangents)],
            like=wanted,
            n_values=self.n_values,
        )
        for i, gradient in zip(wanted, op(*node.inputs, return_list=True), strict=True):
            found[i] = gradient
        return found

    def __getstate__(self):
        return {k: v for k, v in self.__dict__.items() if k != "jitted_func"}

    def __setstate__(self, state):
        import jax

        self.__dict__.update(state)
        self.jitted_func = jax.jit(self.jax_func)


@_vectorize_node.register(JAXOfPoints)
def _over_rows(op, node, *batched):
    """The same for a batch of its inputs, in one call."""
    import jax

    n_batch = [b.ndim - v.ndim for b, v in zip(batched, node.inputs, strict=True)]
    n, function = max(n_batch), op.jax_func
    shapes = [tuple(b.shape) for b in batched]
    batches = [shape[:m] for shape, m in zip(shapes, n_batch, strict=True)]
    batch = broadcast_shape(*batches, arrays_are_shapes=True)
    wide = [
        pt.broadcast_to(b, (*batch, *shape[m:]))
        for b, shape, m in zip(batched, shapes, n_batch, strict=True)
    ]
    for _ in range(n):
        function = jax.vmap(function)
    return JAXOfPoints(
        [v.type for v in wide],
        [pt.TensorType(t.dtype, (None,) * n + t.shape) for t in op.output_types],
        function,
        op.name,
        n_leading=[m + n for m in op.n_leading],
        like=op.like,
        n_values=op.n_values,
    ).make_node(*wide)


def _filled(value, n_leading: int, is_value: bool) -> NDArray:
    """An array whose leading axes are filled up: by what is there, or by zeros."""
    shape = np.shape(value)
    width = [(0, _length(n) - n) for n in shape[:n_leading]]
    if not any(more for _, more in width):
        return value
    width += [(0, 0)] * (len(shape) - n_leading)
    return np.pad(value, width, mode="edge" if is_value else "constant")


def _length(n: int) -> int:
    """The next of the numbers that have four binary digits before the zeros."""
    unit = 2 ** max(n.bit_length() - 4, 0)
    return -(-n // unit) * unit


# The process in which JAX has begun, once it has.
_PROCESS: list[int] = []


def _check_process() -> None:
    """Refuse to hang: the threads of JAX do not come along where a process forks."""
    if not _PROCESS:
        _PROCESS.append(os.getpid())
    if os.getpid() != _PROCESS[0]:
        raise RuntimeError(
            "JAX has begun in the process from which this one was forked, and would hang here. "
            'Sample with mp_ctx="forkserver", with cores=1 or with nuts_sampler="numpyro".'
        )
