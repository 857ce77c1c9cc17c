"""Supports that move: bounds that are functions of the parameters, or one for each observation.

What moves is mapped onto what stays: x = lower(θ) + (upper(θ) − lower(θ)) v, with v in [0, 1], or
x = lower(θ) + v with v ≥ 0 where there is no upper bound. References, panels and second estimates
are of v, and the boundary's part of every derivative is in the energy of v.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.distributions.distribution import SymbolicRandomVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.replace import graph_replace, vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.random.type import RandomGeneratorType
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.initial_values import initial_values
from pymc_ebm.energy.parameters import as_parameter, signature_of
from pymc_ebm.energy.split import RUN_ONCE, evaluate
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.box import Support

__all__ = ["MovingSupport", "moving_support"]


def moving_support(
    support,
    energy: Energy,
    params: Sequence[TensorVariable],
    shape_of_event: Callable[[], tuple[int, ...]],
) -> tuple[MovingSupport, list[TensorVariable]] | None:
    """What `EBM` makes of a support, where it moves; None where it stays.

    Parameters
    ----------
    support
        A function of the parameters that gives (lower, upper), or a pair of which a bound is a
        variable of a model, data or an array with a batch of its own.
    energy : Energy
    params : sequence of TensorVariable
    shape_of_event : callable
        Asked only where the support may move.

    Returns
    -------
    moving : MovingSupport
    params : list of TensorVariable
        These and, behind them, the bounds that are given as variables or arrays.

    Raises
    ------
    ValueError
        What is no pair; a function that uses variables besides its arguments.
    """
    if isinstance(support, MovingSupport):
        return support, list(params)
    if not (callable(support) or _may_move(support)):
        return None
    event_shape = shape_of_event()
    given: list[TensorVariable] = []
    cores = list(energy.cores(len(params)))
    if not callable(support):
        pair = list(support)
        if not any(_moves(bound, event_shape) for bound in pair):
            return None
        places: list[int | None] = []
        for bound in pair:
            places.append(None if _open(bound) else len(given))
            given += [] if _open(bound) else [as_parameter(bound)]
        cores += [_core_ndim(bound, event_shape) for bound in given]

        def of_pair(*all_params):
            bounds = all_params[len(params) :]
            return [end if i is None else bounds[i] for i, end in zip(places, pair, strict=True)]

        support = of_pair
    everything = [*params, *given]
    signature = signature_of(cores)
    types = Energy(energy.function, signature).core_types(everything)
    placeholders = [t(f"param_{i}") for i, t in enumerate(types)]
    ends = _ends(support, placeholders, event_shape)
    moving = MovingSupport(energy, len(params), signature, event_shape, placeholders, *ends)
    return moving, everything


@dataclass(frozen=True, eq=False)
class MovingSupport:
    """Bounds as functions of parameters, and the map from a box that stays.

    Attributes
    ----------
    of_x : Energy
        E(x | θ).
    n_params : int
        Parameters of that energy, before those that are bounds.
    signature : str
        Of all parameters.
    event_shape : tuple of int
    params : list of TensorVariable
        Placeholders for all parameters, each of its core shape.
    lower, upper : TensorVariable or None
        Graphs of these, ``(*event,)``; None where there is no bound.
    """

    of_x: Energy
    n_params: int
    signature: str
    event_shape: tuple[int, ...]
    params: list[TensorVariable]
    lower: TensorVariable | None
    upper: TensorVariable | None

    @property
    def space(self) -> Support:
        """The box of v."""
        return Support(0.0, np.inf if None in (self.lower, self.upper) else 1.0)

    @cached_property
    def energy(self) -> Energy:
        """E of v: that of x less the log of dx/dv."""

        def of_v(v, *params):
            _, _, width = self.at(params)
            volume = 0.0
            if width is not None:
                volume = pt.log(width).sum()
            return self.of_x(self.place(v, params), *params[: self.n_params]) - volume

        return Energy(of_v, self.signature)

    def seen(self, data: NDArray) -> tuple[Energy, NDArray]:
        """Data, and E of x with a steep slope in place of the walls, for searches of a maximum."""
        scale = float(np.ptp(data) or 1.0) / (10 * len(data))

        def sloping(x, *params):
            lower, upper, _ = self.at(params)
            outside = pt.zeros_like(x)
            if lower is not None:
                outside += pt.maximum(lower - x, 0.0)
            if upper is not None:
                outside += pt.maximum(x - upper, 0.0)
            axes = tuple(range(1, x.ndim))
            return self.of_x(x, *params[: self.n_params]) + outside.sum(axis=axes) / scale

        return Energy(sloping, self.signature), data

    def at(self, params: Sequence[Variable]) -> tuple:
        """Lower and upper bound and the width at parameters, ``(*batch, *event)``, or None.

        Where the bounds are in the wrong order, and nothing is inside, the width is 1.
        """
        known = [end for end in (self.lower, self.upper) if end is not None]
        given = dict(zip(self.params, params, strict=True))
        if all(p.ndim == q.ndim for p, q in given.items()):
            found = graph_replace(known, given, strict=False)
        else:
            found = vectorize_graph(known, given)
        found = iter(found)
        lower = None if self.lower is None else next(found)
        upper = None if self.upper is None else next(found)
        if lower is None or upper is None:
            return lower, upper, None
        return lower, upper, pt.switch(upper > lower, upper - lower, 1.0)

    def inside(self, x, params: Sequence[Variable]):
        """Graph of whether events ``(*batch, *event)`` lie within bounds that are in order."""
        lower, upper, _ = self.at(params)
        if lower is None:
            within = pt.le(x, upper)
        elif upper is None:
            within = pt.ge(x, lower)
        else:
            within = pt.and_(pt.and_(pt.ge(x, lower), pt.le(x, upper)), pt.lt(lower, upper))
        rank = len(self.event_shape)
        return within.all(axis=tuple(range(-rank, 0))) if rank else within

    def stays_at(self, params: Sequence[TensorVariable]) -> bool:
        """Whether bounds are the same numbers whatever the model's variables are."""
        ends = [end for end in self.at(params)[:2] if end is not None]
        return not any(v.owner is not None and _varies(v) for v in ancestors(ends))

    def place(self, v, params: Sequence[Variable]):
        """Graph of x at v."""
        lower, upper, width = self.at(params)
        if width is not None:
            return lower + width * v
        return upper - v if lower is None else lower + v

    def in_place(self, v: NDArray, row: Sequence[NDArray]) -> NDArray:
        """Events x ``(B, *event)`` at v and one row of parameters."""
        return np.asarray(self._placed(v, *row))

    @cached_property
    def _placed(self) -> Callable:
        v = pt.tensor("v", dtype=pytensor.config.floatX, shape=(None, *self.event_shape))
        lower, upper, _ = self.at(self.params)
        x = self.place(v, self.params)
        x = x if lower is None else pt.maximum(x, lower)
        x = x if upper is None else pt.minimum(x, upper)
        return pytensor.function([v, *self.params], x, mode=RUN_ONCE, on_unused_input="ignore")

    def numbers(self, data: NDArray, params: Sequence[TensorVariable]) -> NDArray | None:
        """What v the data have where a model starts, ``(*batch, *event)``; None without a start.

        Bounds that exclude data there are moved to them.
        """
        values = initial_values(params)
        if values is None:
            return None
        ends = [end for end in self.at(list(map(pt.constant, values)))[:2] if end is not None]
        found = iter(evaluate(ends))
        lower = -np.inf if self.lower is None else next(found)
        upper = np.inf if self.upper is None else next(found)
        rank = len(self.event_shape)
        first = data if np.ndim(lower) > rank else data.min(axis=tuple(range(data.ndim - rank)))
        last = data if np.ndim(upper) > rank else data.max(axis=tuple(range(data.ndim - rank)))
        lower, upper = np.minimum(lower, first), np.maximum(upper, last)
        if self.lower is None:
            return upper - data
        return data - lower if self.upper is None else (data - lower) / (upper - lower)

    def of_v(self, reference: Reference) -> Reference:
        """A reference on a box of x as one of v; one of v stays what it is.

        Raises
        ------
        ValueError
            A reference without the bounds that move, or whose points follow θ.
        """
        if reference.support == self.space:
            return reference
        size = int(np.prod(self.event_shape))
        lower, upper = reference.support.bounds_of(size)
        given = np.isfinite(lower).all(), np.isfinite(upper).all()
        if reference.follows_parameters or given != (
            self.lower is not None,
            self.upper is not None,
        ):
            raise ValueError(
                f"The support moves with the parameters, and the reference is {reference}, whose "
                "points do not. Give one on the same support at some parameters, support=(low, "
                "high), or leave reference= out."
            )
        low, high = lower.reshape(self.event_shape), upper.reshape(self.event_shape)
        if self.lower is None:
            points, log_volume = high - reference.points, 0.0
        elif self.upper is None:
            points, log_volume = reference.points - low, 0.0
        else:
            points = (reference.points - low) / (high - low)
            log_volume = np.log(high - low).sum()
        return replace(
            reference,
            points=points,
            log_weights=reference.log_weights - log_volume,
            support=self.space,
            proposal=None,
            remake=None,
        )


def _may_move(support) -> bool:
    """Whether it is a pair of which a bound is more than a number."""
    pair = isinstance(support, Sequence) and not isinstance(support, str) and len(support) == 2
    return pair and any(isinstance(b, Variable) or np.ndim(b) for b in support)


def _open(bound) -> bool:
    """Whether there is no bound."""
    return not isinstance(bound, Variable) and bool(np.isinf(np.asarray(bound, dtype=float)).all())


def _varies(variable: Variable) -> bool:
    """Whether it is data or a random variable of a model."""
    if variable.owner is None:
        kind = isinstance(variable.type, RandomGeneratorType)
        return not kind and not isinstance(variable, Constant)
    random = isinstance(variable.owner.op, RandomVariable | SymbolicRandomVariable)
    return random and not isinstance(variable.type, RandomGeneratorType)


def _moves(bound, event_shape) -> bool:
    if isinstance(bound, Variable):
        return not isinstance(bound, Constant)
    try:
        return np.broadcast_shapes(np.shape(bound), event_shape) != event_shape
    except ValueError:
        return True


def _core_ndim(bound: TensorVariable, event_shape) -> int:
    """Dimensions of a bound that belong to an event."""
    if bound.ndim > len(event_shape):
        return len(event_shape)
    own = bound.type.shape
    last = event_shape[len(event_shape) - len(own) :]
    return len(own) if all(n in (1, m) for n, m in zip(own, last, strict=True)) else 0


def _ends(support: Callable, placeholders: list[TensorVariable], event_shape) -> list:
    """Graphs of both bounds, ``(*event,)``."""
    pair = support(*placeholders)
    if not isinstance(pair, Sequence) or len(pair) != 2:
        raise ValueError(
            f"support= gave {pair!r}. Return a pair of the parameters, (lower, upper), such as "
            "lambda a, low: (low, np.inf)."
        )
    if all(_open(end) for end in pair):
        raise ValueError('support= gave no finite bound. Say support="real".')
    found: list[TensorVariable | None] = []
    for end in pair:
        if _open(end):
            found.append(None)
            continue
        graph = pt.as_tensor(end).astype(pytensor.config.floatX)
        strange = {
            v.name or str(v)
            for v in ancestors([graph], blockers=placeholders)
            if v not in placeholders and _varies(v)
        }
        if strange:
            raise ValueError(
                f"The bounds use {', '.join(sorted(strange))} besides the parameters. Give "
                "support= the pair itself, (lower, upper), or make it a parameter of the energy."
            )
        found.append(pt.broadcast_to(graph, event_shape) if event_shape else graph)
    return found
