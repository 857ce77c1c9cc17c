"""The questions of a model: its normalisers at posterior draws, as plain arrays and callables."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numba.core.dispatcher import Dispatcher
from numpy.typing import NDArray
from pytensor.gradient import NullTypeGradError
from pytensor.graph.basic import Apply
from pytensor.graph.replace import vectorize_graph

from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.second_estimate.question import CannotTell, Question
from pymc_ebm.distribution.energy_rv import EnergyRV
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.energy.tiered import tiered
from pymc_ebm.reference.base import Reference

__all__ = ["Integral", "Integrals"]

# Points of the first estimate that serve as places to look at.
_MOST_STARTS = 4096
# Rows of parameters whose points these are where they follow them.
_ROWS_OF_STARTS = 3


@dataclass(frozen=True, eq=False)
class Integral:
    """What one node of a model integrates.

    Attributes
    ----------
    names : list of str
        Of the normalisers that the node computes: one, or those of a mixture's components.
    nodes : list of Apply
        It and others that compute the same.
    reference : Reference
    energy : Energy, optional
        As the user wrote it, where the node is that of an `EBM`.
    """

    names: list[str]
    nodes: list[Apply]
    reference: Reference
    energy: Energy | None = None

    @property
    def node(self) -> Apply:
        """The first of the nodes."""
        return self.nodes[0]

    @property
    def n_dim(self) -> int:
        """Numbers of one event."""
        return math.prod(self.reference.event_shape)

    @property
    def n_inputs(self) -> int:
        """How many inputs of the node the energy depends on."""
        return len(self.node.op.split.params) + len(self.node.op.split.captured)


class Integrals:
    """The normalisers of a model as integrals to be done anew.

    Parameters
    ----------
    normalisers : Normalisers
    names : sequence of str
        Of those to be done.
    """

    def __init__(self, normalisers: Normalisers, names: Sequence[str]):
        by_node: dict[Apply, Integral] = {}
        for normaliser in normalisers:
            if normaliser.name in names:
                node = normaliser.nodes[0]
                known = by_node.get(node)
                nodes = [*(known.nodes if known else []), *normaliser.nodes]
                known_names = [*(known.names if known else []), normaliser.name]
                variable = normalisers.valued[normaliser.variable].owner
                of_ebm = variable is not None and isinstance(variable.op, EnergyRV)
                energy = variable.op.spec.energy if of_ebm else None
                by_node[node] = Integral(known_names, nodes, normaliser.reference, energy)
        self.each = list(by_node.values())
        self._data = normalisers.data
        outs = [v for i in self.each for v in i.node.op.split_inputs(i.node.inputs).varying]
        self._inputs = normalisers.compile(outs, mode=VECTORISED)

    def inputs(self, draws: list[dict[str, NDArray]]) -> list[list[list[NDArray]]]:
        """What each energy depends on at each draw, by integral, draw and input."""
        found: list[list[list[NDArray]]] = [[] for _ in self.each]
        for draw in draws:
            values = [np.asarray(v) for v in self._inputs(draw)]
            for of_integral, integral in zip(found, self.each, strict=True):
                of_integral.append(values[: integral.n_inputs])
                values = values[integral.n_inputs :]
        return found

    def n_rows(self, draw: dict[str, NDArray]) -> list[int]:
        """Rows of parameters of each integral."""
        found = []
        for integral, [values] in zip(self.each, self.inputs([draw]), strict=True):
            op = integral.node.op
            batch = _batch(values, [p.ndim for p in op.split.params], op.batch_ndim)
            found.append(math.prod(batch))
        return found

    def question(self, integral: Integral, inputs: list[list[NDArray]]) -> tuple[Question, NDArray]:
        """The question of one integral at several draws, and the row of each draw and batch row.

        Returns
        -------
        question : Question
        index : ndarray of int
            ``(S, *batch)``, which row of the question belongs to each.
        """
        op, reference = integral.node.op, integral.reference
        if op.split.x.type.shape[0] is not None:
            raise CannotTell(
                f"The energy of {integral.names[0]} takes {op.split.x.type.shape[0]} points only, "
                "so that it has no value anywhere else. Make it by ebm.energies.from_jax."
            )
        cores = [p.ndim for p in op.split.params]
        batch = _batch(inputs[0], cores, op.batch_ndim)
        rows = [_rows(values, cores, batch) for values in inputs]
        stacked = [np.stack([row[i] for row in rows]) for i in range(integral.n_inputs)]
        n_draws, n_rows = stacked[0].shape[:2] if stacked else (len(inputs), 1)
        flat = [v.reshape(n_draws * n_rows, *v.shape[2:]) for v in stacked]
        table = np.concatenate(
            [np.empty((n_draws * n_rows, 0)), *(v.reshape(len(v), -1) for v in flat)], axis=1
        )
        _, first, kind = np.unique(table, axis=0, return_index=True, return_inverse=True)
        event = reference.event_shape
        size = int(np.prod(event))
        data = [self._data[n].values for n in integral.names if n in self._data]
        flattened = np.concatenate([np.empty((0, size)), *(d.reshape(-1, size) for d in data[:1])])
        step = max(reference.n_points // _MOST_STARTS, 1)
        points = reference.points[::step]
        if reference.follows_parameters:
            number = min(_ROWS_OF_STARTS, len(first))
            some = first[np.linspace(0, len(first) - 1, number, dtype=int)]
            which = slice(None, None, step * number)
            params = [[v[row] for v in flat[: len(cores)]] for row in some]
            points = np.concatenate([reference.points_at(values, which) for values in params])
        lower, upper = _bounds(reference, flattened)
        energies = _Energies(op.split, [v[first] for v in flat], event)
        question = Question(
            energies.energy,
            table[first],
            lower,
            upper,
            flattened,
            points.reshape(-1, size).astype(float),
            energies.slope if not reference.discrete else None,
            space=reference.space,
            local_change=energies.local_change(integral.energy),
        )
        return question, kind.reshape(n_draws, *batch)


def _batch(values: list[NDArray], cores: list[int], batch_ndim: int) -> tuple[int, ...]:
    shapes = [np.shape(v)[: np.ndim(v) - c] for v, c in zip(values, cores, strict=False)]
    return np.broadcast_shapes(*shapes) if batch_ndim else ()


def _rows(values: list[NDArray], cores: list[int], batch: tuple[int, ...]) -> list[NDArray]:
    """Inputs of a node with one leading axis for all batch rows; captured ones are shared."""
    n, size = len(cores), int(np.prod(batch))
    found = []
    for i, value in enumerate(values):
        core = value.shape[value.ndim - cores[i] :] if i < n else value.shape
        head = batch if i < n else (1,) * len(batch)
        wide = np.broadcast_to(value, (*head, *core)) if i < n else value
        found.append(np.broadcast_to(wide.reshape(-1, *core), (size, *core)))
    return found


def _bounds(reference: Reference, data: NDArray) -> tuple[NDArray, NDArray]:
    """The stated space, ``(D,)`` twice: a truncated rule that does not say complete is not it."""
    event = reference.event_shape
    lower, upper = reference.support.of_events(event).bounds_of(int(np.prod(event)))
    if reference.exact and not reference.complete:
        both = np.isfinite(lower) & np.isfinite(upper)
        if not reference.discrete:
            lower[both], upper[both] = -np.inf, np.inf
    if reference.discrete:
        # Counts begin at 0, unless something is negative: where the points begin, another estimate
        # would repeat what the first has missed.
        smallest = reference.points.reshape(reference.n_points, -1).min(axis=0)
        smallest = np.minimum(smallest, data.min(axis=0, initial=np.inf))
        lower = np.where(smallest >= 0, np.maximum(lower, 0), lower)
    return lower, upper


class _Energies:
    """E(x | θ) of flattened events at numbered rows, what depends on x alone once."""

    def __init__(self, split, values: list[NDArray], event: tuple[int, ...]):
        self._split, self._values, self._event = split, values, event
        self._statistics = tiered([split.x], split.statistics)
        placeholders = [*split.params, *split.captured]
        batched = [pt.tensor(dtype=p.dtype, shape=(None, *p.type.shape)) for p in placeholders]
        value = split.value
        if batched:
            value = vectorize_graph(value, dict(zip(placeholders, batched, strict=True)))
        self._function = tiered([*split.slots, *batched], value)
        self._slope_function: Any = None
        self._seen: tuple[NDArray, list[NDArray]] | None = None

    def energy(self, x: NDArray, rows: NDArray) -> NDArray:
        """Energies ``(k, B)`` of events ``(B, D)``."""
        statistics = self._at(x)
        values = [v[rows] for v in self._values]
        energies = np.asarray(self._function(*statistics, *values), dtype=float)
        return np.broadcast_to(energies, (len(rows), len(x)))

    def slope(self, x: NDArray, rows: NDArray) -> NDArray:
        """Gradients in x of event b under row b, ``(B, D)``; raises CannotTell without one."""
        split = self._split
        if self._slope_function is None:
            placeholders = [*split.params, *split.captured]
            batched = [pt.tensor(dtype=p.dtype, shape=(None, *p.type.shape)) for p in placeholders]
            one = pt.tensor(dtype=split.x.dtype, shape=split.x.type.shape[1:])
            many = pt.tensor(dtype=split.x.dtype, shape=split.x.type.shape)
            energy = split.at(one[None])[0]
            paired = vectorize_graph(
                energy, {one: many, **dict(zip(placeholders, batched, strict=True))}
            )
            try:
                gradient = pt.grad(paired.sum(), many)
            except (NotImplementedError, NullTypeGradError) as error:
                raise CannotTell("The energy has no gradient in x.") from error
            self._slope_function = tiered([many, *batched], gradient)
        values = [v[rows] for v in self._values]
        return np.asarray(self._slope_function(self._events(x), *values)).reshape(x.shape)

    def local_change(self, energy: Energy | None):
        """The energy's own, by row; None where it has none that is compiled."""
        function = getattr(getattr(energy, "function", None), "local_change", None)
        if not isinstance(function, Dispatcher):
            return None
        values = self._values[: len(self._split.params)]
        return lambda row: (function, tuple(v[row][()] for v in values))

    def _at(self, x: NDArray) -> list[NDArray]:
        if self._seen is None or not np.array_equal(self._seen[0], x):
            self._seen = (x, self._statistics(self._events(x)))
        return self._seen[1]

    def _events(self, x: NDArray) -> NDArray:
        return x.reshape(len(x), *self._event).astype(self._split.x.dtype)
