"""The noun `Energy`: a user's function E(x | θ), and all that is found out about it, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import DTypeLike
from pytensor import config
from pytensor.graph.replace import graph_replace, vectorize_graph
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.calling import call, returned
from pymc_ebm.energy.fingerprint import function_identity
from pymc_ebm.energy.linearity import is_linear
from pymc_ebm.energy.parameters import as_parameter, core_ndims
from pymc_ebm.energy.point_energies import PointEnergies
from pymc_ebm.energy.products import in_products
from pymc_ebm.energy.rows import ParameterRows
from pymc_ebm.energy.split import RUN_ONCE, SplitEnergy, split_value

__all__ = ["Energy", "EnergyFunction", "as_energy"]

#: ``energy(x, *params)``, ``(*batch, *event) -> (*batch,)`` in nats.
EnergyFunction = Callable[..., TensorVariable]

# What E is as a function of placeholders: the event's shape and dtype, and the parameters' types.
_Key = tuple[tuple[int, ...], str, tuple[pt.TensorType, ...]]


class Energy:
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
        return {**self.__dict__, "_splits": {}, "_compiled": {}}

    def __call__(self, x, *params) -> TensorVariable:
        """What the user's function gives."""
        return returned(self.function, x, params)

    @cached_property
    def identity(self) -> str:
        """Text that two energies share only if their functions do the same."""
        return function_identity(self.function)

    # Parameters

    def cores(self, n_params: int) -> tuple[int, ...]:
        """Number of core dimensions of each of so many parameters."""
        return core_ndims(self.signature, n_params)

    def core_types(self, params: Sequence) -> tuple[pt.TensorType, ...]:
        """Types of the parameters without their batch dimensions.

        Raises
        ------
        ValueError
            A parameter with fewer dimensions than its core.
        """
        variables = [as_parameter(p) for p in params]
        cores = self.cores(len(variables))
        for i, (p, n) in enumerate(zip(variables, cores, strict=True)):
            if p.ndim < n:
                raise ValueError(
                    f"{_name(p, i)} has {p.ndim} dimensions, but the signature "
                    f"{self.signature!r} gives it {n}. Change the signature or the parameter."
                )
        return tuple(
            pt.TensorType(p.dtype, p.type.shape[p.ndim - n :])
            for p, n in zip(variables, cores, strict=True)
        )

    def row(self, params: Sequence) -> list[np.ndarray]:
        """One row of parameter values, each of its core shape.

        Raises
        ------
        ValueError
            A parameter with more or fewer dimensions than its core, or a value of NaN.

        Examples
        --------
        >>> Energy(lambda x, a, b: a * x + b.sum(), "(),(k)").row([1.5, [0, 1]])
        [array(1.5), array([0., 1.])]
        """
        row = []
        for i, (value, ndim) in enumerate(zip(params, self.cores(len(params)), strict=True)):
            # Arrays keep their type, since an energy may use an integer as an index.
            typed = hasattr(value, "dtype")
            number = np.asarray(value) if typed else np.asarray(value, dtype=float)
            number = number if number.dtype.kind in "iub" else number.astype(config.floatX)
            if number.ndim != ndim:
                raise ValueError(
                    f"Parameter {i} has shape {number.shape}, and a row of parameters has {ndim} "
                    "dimensions there. Give one row of parameters at a time; for a vector "
                    "parameter write its signature, for example '(k)'."
                )
            if not np.isfinite(number).all():
                raise ValueError(
                    f"Parameter {i} is {np.array2string(number, threshold=6)}. Give finite "
                    "parameter values."
                )
            row.append(number)
        return row

    def alike(self, rows: Sequence[Sequence]) -> list[list[np.ndarray]]:
        """Each `row`, with every parameter of one type: 2 is 2.0 where another row has 2.5."""
        found = [self.row(params) for params in rows]
        types = [np.result_type(*values) for values in zip(*found, strict=True)]
        return [[v.astype(t) for v, t in zip(row, types, strict=True)] for row in found]

    def core_shapes(self, values: Sequence) -> list[tuple[int, ...]]:
        """Shapes of the parameters' values without their batch dimensions."""
        cores = self.cores(len(values))
        return [np.shape(v)[np.ndim(v) - n :] for v, n in zip(values, cores, strict=True)]

    def batch_shapes(self, values: Sequence) -> list[tuple[int, ...]]:
        """Batch dimensions of the parameters' values."""
        cores = self.cores(len(values))
        return [np.shape(v)[: np.ndim(v) - n] for v, n in zip(values, cores, strict=True)]

    def batched(self, params: Sequence[TensorVariable]) -> list[bool]:
        """Whether each parameter has batch dimensions."""
        return [p.ndim > n for p, n in zip(params, self.cores(len(params)), strict=True)]

    def rows(self, params: Sequence[TensorVariable], n_rows: int | None = None) -> ParameterRows:
        """The distinct rows of parameters' graphs, and how to go back to all of them.

        Parameters
        ----------
        params : sequence of TensorVariable
        n_rows : int, optional
            The last batch axis, of rows that differ in more than their parameters.
        """
        return ParameterRows.of_graphs(params, self.cores(len(params)), n_rows)

    def rows_of(self, values: Sequence, batch: tuple[int, ...] = ()) -> ParameterRows:
        """The distinct rows of parameters' values, for data of the batch shape `batch`."""
        return ParameterRows.of_values(values, self.cores(len(values)), batch)

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
        types = self.core_types(params)
        key = tuple(event_shape), np.dtype(dtype).name, types
        names = [_name(p, i) for i, p in enumerate(params)]
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


def _name(param: Any, i: int) -> str:
    return getattr(param, "name", None) or f"parameter {i}"
