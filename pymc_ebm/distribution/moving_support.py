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
from pytensor.graph.basic import Variable
from pytensor.graph.replace import graph_replace, vectorize_graph
from pytensor.graph.traversal import ancestors
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.captured import varies
from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.initial_values import initial_values
from pymc_ebm.energy.split import RUN_ONCE, evaluate
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.box import Support, fits

__all__ = ["MovingSupport"]


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
        return not any(v.owner is not None and varies(v) for v in ancestors(ends))

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
        return compiled([v, *self.params], x, RUN_ONCE)

    def numbers(self, data: NDArray, params: Sequence[TensorVariable]) -> NDArray | None:
        """What v the data have where a model starts, ``(*batch, *event)``; None without a start.

        Bounds that exclude data there are moved to them.

        Raises
        ------
        ValueError
            Whole numbers, and bounds of neither an event nor each observation.
        """
        if data.dtype.kind in "iub":
            raise ValueError(
                "bounds of each observation, or that move, are of real numbers, and the data are "
                f"of dtype {data.dtype}. List all states, reference=ebm.reference.enumeration("
                "range(most + 1), complete=True), and make the bound a parameter n of the energy, "
                "lambda x, theta, n: pt.switch(x > n, np.inf, ...)."
            )
        values = initial_values(params)
        if values is None:
            return None
        ends = [end for end in self.at(list(map(pt.constant, values)))[:2] if end is not None]
        found = iter(evaluate(ends))
        lower = -np.inf if self.lower is None else next(found)
        upper = np.inf if self.upper is None else next(found)
        for bound in (lower, upper):
            if not fits(np.shape(bound), data.shape):
                raise ValueError(
                    f"the bounds have shape {np.shape(bound)}, and the data {data.shape}. Give "
                    f"bounds of an event, of shape {self.event_shape}, or one for each observation."
                )
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
            return reference if reference.edge is None else _without_edge(reference)
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
        coarse = reference.coarse_log_weights
        return replace(
            _without_edge(reference),
            points=points,
            log_weights=reference.log_weights - log_volume,
            coarse_log_weights=None if coarse is None else coarse - log_volume,
            support=self.space,
            proposal=None,
            remake=None,
        )


def _without_edge(reference: Reference) -> Reference:
    """With the ends of a rule as walls of v, beyond which there is nothing."""
    return replace(reference, edge=None, complete=True)
