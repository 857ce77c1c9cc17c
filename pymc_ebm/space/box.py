"""Boxes in real numbers: the space of continuous events."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytensor.tensor as pt

from pymc_ebm.space.base import Space
from pymc_ebm.space.base_laws.box_law import BoxLaw
from pymc_ebm.space.box_map import BoxMap
from pymc_ebm.space.moves import RandomWalk
from pymc_ebm.space.transforms import ToBox


@dataclass(frozen=True, eq=False, repr=False)
class Support(Space):
    """A box with closed bounds: the points x with lower <= x <= upper in each coordinate.

    Parameters
    ----------
    lower, upper : float or ndarray
        Bounds in the units of x, of a shape that broadcasts to an event.
    event_shape : tuple of int, optional
        Shape of an event, where it is known.

    Examples
    --------
    >>> print(Support(0.0, 1.0))
    [0, 1]
    """

    lower: float | np.ndarray = -np.inf
    upper: float | np.ndarray = np.inf
    event_shape: tuple[int, ...] | None = None

    measure = "an integral over the volume"
    noun = "data"
    discrete = False

    def contains(self, x, event_ndim=None):
        """See `Space`."""
        x = np.asarray(x)
        return self.over_event((x >= self.lower) & (x <= self.upper), event_ndim)

    def inside(self, x):
        """See `Space`."""
        if not self.bounded:
            return pt.constant(True)
        return self.over_event(pt.and_(pt.ge(x, self.lower), pt.le(x, self.upper)), None)

    def of_events(self, event_shape):
        """See `Space`."""
        for bound in (self.lower, self.upper):
            if not fits(np.shape(bound), event_shape):
                raise ValueError(
                    f"A bound of the support has shape {np.shape(bound)}, and an event "
                    f"{event_shape}. Give bounds of an event, the same for every observation."
                )
        return replace(self, event_shape=event_shape)

    def intersection(self, other):
        """See `Space`."""
        if not isinstance(other, Support) or (type(self) is Support and type(other) is not Support):
            return other.intersection(self)
        lower = np.maximum(self.lower, other.lower)
        upper = np.minimum(self.upper, other.upper)
        kind = type(self) if self.discrete else Support
        return kind(*checked_bounds(lower, upper), self.event_shape or other.event_shape)

    def base_law(self, data, rng):
        """A heavy-tailed mixture on the line, wider than the data, mapped into the box."""
        rows = data.reshape(len(data), -1)
        return BoxLaw(rows, *self.bounds_of(rows.shape[1]), integer=False, rng=rng)

    def interior(self, x):
        """See `Space`."""
        return self.over_event((x > self.lower) & (x < self.upper), None)

    @property
    def moves(self):
        """See `Space`."""
        return (RandomWalk(self.coordinates),)

    @property
    def coordinates(self):
        """See `Space`."""
        return BoxMap(*self.bounds_of(self.n_dim))

    @property
    def bounded(self):
        """Whether there is any finite bound."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    @property
    def transform(self):
        """See `Space`; None on the whole line."""
        if not self.bounded:
            return None
        low, high = np.asarray(self.lower), np.asarray(self.upper)
        rank = len(self.event_shape or ())
        return ToBox(lambda *_: (low, high), np.isfinite(low), np.isfinite(high), rank)

    @property
    def n_dim(self) -> int:
        """Numbers in an event."""
        shapes = np.shape(self.lower), np.shape(self.upper), self.event_shape or ()
        return math.prod(np.broadcast_shapes(*shapes))

    def bounds_of(self, n_dim: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Space`."""
        shape = self.event_shape or (n_dim,)
        lower, upper = (
            np.broadcast_to(np.asarray(bound, dtype=float), shape).flatten()
            for bound in (self.lower, self.upper)
        )
        return lower, upper

    def over_event(self, conditions, event_ndim: int | None):
        """Whether conditions hold at all coordinates of an event, for arrays and graphs."""
        rank = len(self.event_shape or ()) if event_ndim is None else event_ndim
        return conditions.all(axis=tuple(range(-rank, 0))) if rank else conditions

    @property
    def key(self):
        """See `Space`."""
        lower, upper = (np.asarray(bound, dtype=float) for bound in (self.lower, self.upper))
        return type(self).__name__.encode() + lower.tobytes() + upper.tobytes()

    @classmethod
    def looks_like(cls, data):
        """See `Space`: real numbers."""
        return cls(event_shape=data.shape[1:]) if data.dtype.kind == "f" else None

    def __str__(self):
        if np.all(np.isneginf(self.lower)) and np.all(np.isposinf(self.upper)):
            return "the whole line"
        left = "(" if np.all(np.isneginf(self.lower)) else "["
        right = ")" if np.all(np.isposinf(self.upper)) else "]"
        return f"{left}{spell(self.lower)}, {spell(self.upper)}{right}"


def checked_bounds(lower, upper) -> tuple[float | np.ndarray, float | np.ndarray]:
    """Bounds as read-only numbers.

    Raises
    ------
    ValueError
        A lower bound that is not below the upper one.
    """
    if not np.all(np.less(lower, upper)):  # also refuses NaN
        raise ValueError(
            f"The support has lower bound {spell(lower)} and upper bound {spell(upper)}. "
            "Every lower bound must be below its upper bound."
        )
    return _bound(lower), _bound(upper)


def fits(shape, event_shape) -> bool:
    """Whether numbers of a shape are broadcast to that of an event."""
    try:
        return np.broadcast_shapes(shape, event_shape) == event_shape
    except ValueError:
        return False


def _bound(value) -> float | np.ndarray:
    array = np.array(value, dtype=float)
    if array.ndim == 0:
        return float(array)
    array.flags.writeable = False
    return array


def spell(bound) -> str:
    """A bound in words."""
    if np.ndim(bound) == 0:
        return f"{bound:g}"
    return np.array2string(np.asarray(bound), threshold=6)
