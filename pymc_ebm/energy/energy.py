"""The noun `Energy`: a user's function E(x | θ), and all that is found out about it, once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import numpy as np
import pytensor.tensor as pt
from numpy.typing import DTypeLike
from pytensor.graph.replace import graph_replace, vectorize_graph
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.calling import call, returned
from pymc_ebm.energy.compiled import graph_key
from pymc_ebm.energy.linearity import is_linear
from pymc_ebm.energy.parameters import name_of
from pymc_ebm.energy.point_energies import PointEnergies
from pymc_ebm.energy.products import in_products
from pymc_ebm.energy.split import RUN_ONCE, SplitEnergy, split_value
from pymc_ebm.energy.takes_parameters import TakesParameters

__all__ = ["Energy", "EnergyFunction", "as_energy"]

#: ``energy(x, *params)``, ``(*batch, *event) -> (*batch,)`` in nats.
EnergyFunction = Callable[..., TensorVariable]

# What E is as a function of placeholders: the event's shape and dtype, and the parameters' types.
_Key = tuple[tuple[int, ...], str, tuple[pt.TensorType, ...]]


class Energy(TakesParameters):
    """E(x | θ): how to call it, what its parameters are, and its parts that depend on x alone.

    The function is called once for each shape and dtype of an event and types of parameters, and
    the graphs that come of it are kept. Two energies are equal where function and signature are.

    Parameters
    ----------
    function : callable
        ``energy(x, *params)`` of PyTensor variables, with x of shape ``(*batch, *event)`` and the
        result of shape ``(*batch,)``, in nats.
    signature : str, optional
        Core dimensions of the parameters as ``pm.CustomDist`` takes them, ``"(k),()"``. Scalars by
        default.

    Examples
    --------
    >>> import pytensor.tensor as pt
    >>> quartic = Energy(lambda x, a: a * x**4)
    >>> quartic.cores(1), quartic.takes_any_number((), "float64", [1.0])
    ((0,), True)
    >>> len(quartic.split((), "float64", [1.0]).statistics)
    1
    """

    def __init__(self, function: EnergyFunction, signature: str | None = None):
        self.function = function
        self.signature = signature
        self._splits: dict[tuple[_Key, int | None], SplitEnergy | None] = {}
        self._compiled: dict[SplitEnergy, PointEnergies] = {}
        self._graphs: dict[_Key, Hashable] = {}

    def __eq__(self, other):
        return (
            isinstance(other, Energy)
            and self.function == other.function
            and self.signature == other.signature
        )

    def __hash__(self):
        return hash((self.function, self.signature))

    def __getstate__(self):
        # Graphs and compiled functions are made again where they are needed.
        return {**self.__dict__, "_splits": {}, "_compiled": {}, "_graphs": {}}

    def __call__(self, x, *params) -> TensorVariable:
        """What the user's function gives."""
        return returned(self.function, x, params)

    # E as graphs and as compiled functions

    def split(
        self,
        event_shape: Sequence[int],
        dtype: DTypeLike,
        params: Sequence,
        n_points: int | None = None,
    ) -> SplitEnergy:
        """E in the statistics that depend on x alone, made once for each kind of arguments.

        Parameters
        ----------
        event_shape : sequence of int
        dtype : dtype
            Of the points or data.
        params : sequence of tensor_like
            For their types and names; batch dimensions play no part.
        n_points : int, optional
            The number of points or data, for energies that need to know it, such as those of
            PyTensor's ``wrap_jax``. They are called with it when they cannot be called without.

        Returns
        -------
        SplitEnergy

        Raises
        ------
        ValueError
            If the energy of a ``(B, *event)`` batch is not of shape ``(B,)``.
        """
        key = self._key(event_shape, dtype, params)
        names = [name_of(p, i) for i, p in enumerate(params)]
        if (key, None) not in self._splits:
            try:
                self._splits[key, None] = self._split(key, None, names)
            except ValueError:
                if n_points is None:
                    raise
                self._splits[key, None] = None
        found = self._splits[key, None] or self._splits.get((key, n_points))
        if found is None:
            found = self._splits[key, n_points] = self._split(key, n_points, names)
        return found

    def takes_any_number(
        self,
        event_shape: Sequence[int],
        dtype: DTypeLike,
        params: Sequence,
        n_points: int | None = None,
    ) -> bool:
        """Whether E can be called without knowing the number of points."""
        return self.split(event_shape, dtype, params, n_points).x.type.shape[0] is None

    def of_data(self, x: TensorVariable, params: Sequence, event_shape: Sequence[int]):
        """E(x | θ) of data, one parameter row for each observation or for all.

        Parameters
        ----------
        x : TensorVariable
            ``(*batch, *event)``.
        params : sequence of TensorVariable
        event_shape : sequence of int

        Returns
        -------
        TensorVariable
            ``(*batch,)``, in nats.
        """
        event_shape = tuple(event_shape)
        batch_ndim = x.ndim - len(event_shape)
        batch = x.type.shape[:batch_ndim]
        if x.type.shape[batch_ndim:] != event_shape:
            x = pt.specify_shape(x, (*batch, *event_shape))
        if not any(self.batched(params)):
            flat = x if batch_ndim == 1 else x.reshape((-1, *event_shape))
            split = self.split(event_shape, x.dtype, params, flat.type.shape[0])
            placeholders = [*split.params, *split.captured]
            given = dict(zip(placeholders, [*params, *split.outer], strict=True))
            energies = graph_replace(split.at(flat), given, strict=False)
            return energies if batch_ndim == 1 else energies.reshape(x.shape[:batch_ndim])
        split = self.split(event_shape, x.dtype, params, 1)
        one = pt.tensor("observation", dtype=x.dtype, shape=event_shape)
        outer = dict(zip(split.captured, split.outer, strict=True))
        of_one = graph_replace(split.at(one[None])[0], outer, strict=False)
        return vectorize_graph(of_one, {one: x, **dict(zip(split.params, params, strict=True))})

    def of_points(
        self,
        event_shape: Sequence[int],
        dtype: DTypeLike,
        params: Sequence,
        n_points: int | None = None,
    ) -> PointEnergies:
        """E(y | θ) of points at one row of parameters, compiled once; arguments as of `split`."""
        split = self.split(event_shape, dtype, params, n_points)
        if split not in self._compiled:
            self._compiled[split] = PointEnergies(split)
        return self._compiled[split]

    def of_points_once(
        self, event_shape: Sequence[int], dtype: DTypeLike, params: Sequence
    ) -> PointEnergies:
        """`of_points` for a few calls: as it is compiled already, or not at all."""
        split = self.split(event_shape, dtype, params)
        return self._compiled.get(split) or PointEnergies(split, RUN_ONCE)

    def graph(
        self, event_shape: Sequence[int], dtype: DTypeLike, params: Sequence, n_points: int
    ) -> Hashable:
        """What energies share that compute the same now; arguments as of `split`.

        A function may do something else when what it uses has changed, and an `Energy` does what
        its function did first.
        """
        key = self._key(event_shape, dtype, params)
        if key not in self._graphs:
            split = self.split(event_shape, dtype, params, n_points)
            inputs = [split.x, *split.params, *split.captured]
            self._graphs[key] = graph_key(inputs, [split.at(split.x)]) or object()
        return self._graphs[key]

    def _key(self, event_shape: Sequence[int], dtype: DTypeLike, params: Sequence) -> _Key:
        return tuple(event_shape), np.dtype(dtype).name, self.core_types(params)

    def _split(self, key: _Key, n_points: int | None, names: Sequence[str]) -> SplitEnergy:
        event_shape, dtype, types = key
        x = pt.tensor("x", dtype=dtype, shape=(n_points, *event_shape))
        params = [t(f"param_{i}") for i, t in enumerate(types)]
        split = split_value(call(self.function, x, params, names), x, params)
        return split if is_linear(split) else in_products(split) or split


def as_energy(energy: Energy | EnergyFunction, signature: str | None = None) -> Energy:
    """The energy itself, or that of a user's function.

    Parameters
    ----------
    energy : Energy or callable
    signature : str, optional
        Of a function. An `Energy` has its own.

    Returns
    -------
    Energy

    Raises
    ------
    TypeError, ValueError
        No function; an `Energy` of another signature.
    """
    if not callable(energy):
        raise TypeError(
            f"energy is a {type(energy).__name__}, not a function. Use lambda x, s: s * x**2, say."
        )
    if not isinstance(energy, Energy):
        return Energy(energy, signature)
    if signature not in (None, energy.signature):
        raise ValueError(
            f"The energy has the signature {energy.signature!r}, and signature={signature!r} says "
            "otherwise. Leave signature= out."
        )
    return energy
