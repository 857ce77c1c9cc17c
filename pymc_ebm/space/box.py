"""Boxes in real numbers: the space of continuous events."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.transforms import Interval

from pymc_ebm.space.base import Space
from pymc_ebm.space.base_laws.box_law import BoxLaw
from pymc_ebm.space.box_map import BoxMap
from pymc_ebm.space.moves import RandomWalk

NAMED = {
    "real": (-np.inf, np.inf),
    "positive": (0.0, np.inf),
    "nonnegative": (0.0, np.inf),
    "unit": (0.0, 1.0),
}


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
            if np.broadcast_shapes(np.shape(bound), event_shape) != event_shape:
                raise ValueError(
                    f"A bound of the support has shape {np.shape(bound)}, and an event "
                    f"{event_shape}. Give bounds of an event, the same for every observation."
                )
        return replace(self, event_shape=event_shape)

    def intersection(self, other):
        """See `Space`."""
        if not isinstance(other, Support):
            return other.intersection(self)
        lower = np.maximum(self.lower, other.lower)
        upper = np.minimum(self.upper, other.upper)
        kind = type(self) if self.discrete else type(other)
        return kind(*_checked(lower, upper), self.event_shape or other.event_shape)

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
        return (RandomWalk(BoxMap(*self.bounds_of(self.n_dim))),)

    @property
    def bounded(self):
        """Whether there is any finite bound."""
        return bool(np.isfinite(self.lower).any() or np.isfinite(self.upper).any())

    @property
    def transform(self):
        """PyMC's interval transform; None on the whole line."""
        if not self.bounded:
            return None
        bounds = tuple(
            None if np.isinf(bound).all() else np.asarray(bound)
            for bound in (self.lower, self.upper)
        )
        return Interval(bounds_fn=lambda *_: bounds)

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
        return f"{left}{_spell(self.lower)}, {_spell(self.upper)}{right}"


def normalise_support(support) -> Space:
    """Read a support as users write it.

    Parameters
    ----------
    support : None, str, (lower, upper) or Space
        None and "real" are the whole line; "positive" and "nonnegative" are [0, ∞) (a bound has
        no length, so zero itself makes no difference to an integral); "unit" is [0, 1].

    Returns
    -------
    Space

    Raises
    ------
    ValueError
        An unknown name, not a pair, or a lower bound that is not below the upper one.

    Examples
    --------
    >>> print(normalise_support("positive"))
    [0, inf)
    >>> print(normalise_support((-1, 1)))
    [-1, 1]
    """
    if isinstance(support, Space):
        return support
    if support is None:
        support = "real"
    if isinstance(support, str):
        if support not in NAMED:
            raise ValueError(
                f"The support {support!r} is unknown. "
                f"Use one of {', '.join(map(repr, NAMED))} or a pair (lower, upper)."
            )
        return Support(*NAMED[support])
    try:
        lower, upper = (_bound(bound) for bound in support)
    except (TypeError, ValueError):
        raise ValueError(
            f"The support {support!r} is not a pair of numbers. "
            f"Use one of {', '.join(map(repr, NAMED))} or a pair (lower, upper)."
        ) from None
    return Support(*_checked(lower, upper))


def _checked(lower, upper) -> tuple[float | np.ndarray, float | np.ndarray]:
    if not np.all(np.less(lower, upper)):  # also refuses NaN
        raise ValueError(
            f"The support has lower bound {_spell(lower)} and upper bound {_spell(upper)}. "
            "Every lower bound must be below its upper bound."
        )
    return _bound(lower), _bound(upper)


def _bound(value) -> float | np.ndarray:
    array = np.array(value, dtype=float)
    if array.ndim == 0:
        return float(array)
    array.flags.writeable = False
    return array


def _spell(bound) -> str:
    if np.ndim(bound) == 0:
        return f"{bound:g}"
    return np.array2string(np.asarray(bound), threshold=6)
