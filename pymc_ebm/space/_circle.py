"""Angles: numbers whose two ends are one place."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pymc_ebm.space._sphere import Sphere
from pymc_ebm.space.base import Space
from pymc_ebm.space.box import Support, checked_bounds, spell
from pymc_ebm.space.transforms import ToPeriod

__all__ = ["Circle", "circle"]


def circle(
    lower: float | None = None, upper: float | None = None, *, n: int | None = None
) -> Circle:
    """Angles, or other numbers with a period: hours, days of a week, directions in a plane.

    Z = ∫ exp(−E(x)) dx over one period, in the units of x, so log Z at E = 0 is log(upper − lower).
    The energy must have that period. An event is an angle, or a vector of them with a circle each
    (a torus). An `EBM` integrates by the trapezoid rule, whose error falls faster than any power of
    the number of nodes, for one and two angles.

    Parameters
    ----------
    lower, upper : float or array_like, optional
        Ends of the period that numbers lie in, of each angle where they differ. By default it is
        that of radians: from −π to π, or from 0 to 2π where data are all of that kind.
    n : int, optional
        Number of angles of an event; that of the data, or one, by default.

    Raises
    ------
    ValueError
        One end alone, or a lower one that is not below the upper one.

    Examples
    --------
    >>> import pymc_ebm as ebm
    >>> print(circle(0, 24))
    one period from 0 to 24
    >>> import pytensor.tensor as pt
    >>> q = ebm.reference.rule(circle().of_events(()), 32)
    >>> von_mises = lambda x, kappa: -kappa * pt.cos(x)
    >>> log_z = ebm.log_partition(von_mises, 1.0, reference=q).eval()
    >>> bool(abs(log_z - np.log(2 * np.pi * np.i0(1.0))) < 1e-12)
    True
    """
    bounds = (-np.pi, np.pi) if lower is None and upper is None else checked_bounds(lower, upper)
    own = np.broadcast_shapes(*map(np.shape, bounds)) or None
    return Circle(*bounds, event_shape=own if n is None else (int(n),))


@dataclass(frozen=True, eq=False, repr=False)
class Circle(Support):
    """See `circle`."""

    lower: float | np.ndarray = -np.pi
    upper: float | np.ndarray = np.pi

    measure = "an integral over one period"
    noun = "angles"

    def of_data(self, data):
        """See `Space`: unit vectors of two numbers are a circle as well."""
        if data.ndim == 2 and data.shape[1] == 2 and Sphere.looks_like(data) is not None:
            return Sphere((2,))
        space = self.of_events(data.shape[1:])
        if (
            self._has(-np.pi, np.pi)
            and data.min(initial=0) >= 0
            and np.pi < data.max(initial=0) <= 2 * np.pi
        ):
            return replace(space, lower=0.0, upper=2 * np.pi)
        return space

    def fault(self, event):
        """See `Space`."""
        what, _ = super().fault(event)
        radians = (np.min(event) >= 0) and (np.max(event) <= 2 * np.pi)
        period = "circle(0, 2 * np.pi)" if radians else "circle(0, 360)"
        return what, f"Say which period they lie in, such as support=pymc_ebm.space.{period}."

    def intersection(self, other):
        """See `Space`; one period is as good as another, so it is the other's."""
        if isinstance(other, Circle) and np.all(self._period == other._period):
            return replace(other, event_shape=other.event_shape or self.event_shape)
        return Space.intersection(self, other)

    def written_in(self, other, events):
        """See `Space`."""
        if not isinstance(other, Circle):
            return events
        return other.lower + np.mod(events - other.lower, other._period)

    def base_law(self, data, rng):
        """All angles alike, whatever the data."""
        return self.even_law()

    def even_law(self):
        """See `Space`."""
        return EvenAngles(*self.bounds_of(self.n_dim))

    @property
    def moves(self):
        """See `Space`."""
        return (Rotation(*self.bounds_of(self.n_dim)),)

    @property
    def transform(self):
        """See `Space`."""
        return ToPeriod(self.lower, self.upper, len(self.event_shape or ()))

    def interior(self, x):
        """See `Space`."""
        return self.contains(x)

    def rule(self, order):
        """See `Space`: of one and two angles."""
        if not 1 <= self.n_dim <= 2:
            return None
        lower, upper = self.bounds_of(self.n_dim)
        steps = np.stack(np.meshgrid(*[np.arange(order)] * self.n_dim, indexing="ij"), axis=-1)
        steps = steps.reshape(-1, self.n_dim)
        fine = np.full(len(steps), np.log((upper - lower) / order).sum())
        on_coarse = (steps % 2 == 0).all(axis=1)
        coarse = np.where(on_coarse, fine + self.n_dim * np.log(2), -np.inf)
        points = lower + steps * ((upper - lower) / order)
        return points.reshape(-1, *(self.event_shape or ())), fine, coarse

    @property
    def _period(self):
        return np.subtract(self.upper, self.lower)

    def _has(self, lower, upper) -> bool:
        return bool(np.all(self.lower == lower) and np.all(self.upper == upper))

    @classmethod
    def looks_like(cls, data):
        """None: angles look like other numbers."""
        return None

    def __str__(self):
        if self._has(-np.pi, np.pi):
            return "the angles from -pi to pi"
        if self._has(0, 2 * np.pi):
            return "the angles from 0 to 2 pi"
        return f"one period from {spell(self.lower)} to {spell(self.upper)}"


@dataclass(frozen=True, eq=False)
class EvenAngles:
    """The uniform law of angles."""

    lower: np.ndarray
    upper: np.ndarray

    @property
    def n_uniforms(self) -> int:
        """See `BaseLaw`."""
        return len(self.lower)

    def points(self, u):
        """See `BaseLaw`."""
        return self.lower + (self.upper - self.lower) * u, np.ones(len(u), dtype=bool)

    def log_density(self, x):
        """See `BaseLaw`."""
        within = ((x >= self.lower) & (x <= self.upper)).all(axis=1)
        return np.where(within, -np.log(self.upper - self.lower).sum(), -np.inf)


@dataclass(frozen=True, eq=False)
class Rotation:
    """Every angle turns by a normal one with sd `width` times a sixth of the period."""

    lower: np.ndarray
    upper: np.ndarray

    def propose(self, rng, x, width):
        """See `Move`."""
        period = self.upper - self.lower
        rows = x.reshape(len(x), -1)
        moved = rows + width * period / 6 * rng.normal(size=rows.shape)
        moved = self.lower + np.mod(moved - self.lower, period)
        return moved.reshape(x.shape), np.zeros(len(x))
