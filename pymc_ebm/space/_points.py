"""Point patterns: any number of points in a window, as arrays of one shape."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pytensor.tensor as pt
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, softmax

from pymc_ebm.space.base import Space
from pymc_ebm.space.packing import is_packed

__all__ = ["Points", "points"]


def points(window: ArrayLike, *, most: int | None = None) -> Points:
    r"""Patterns of at most so many points in a window, against the Poisson process of unit rate.

    .. math:: Z = e^{−|W|} \sum_{n=0}^{most} \frac{1}{n!}
              \int_{W^n} e^{−E(\{x_1, …, x_n\})} \, dx_1 … dx_n

    So densities are relative to the Poisson process of one point per unit of area: log Z at E = 0
    is 0, but for the patterns of more than `most` points, and E = −n log β, a Poisson process of
    rate β, has log Z = (β − 1) area(W). Choose `most` so large that no pattern of the model has
    more.

    An event has shape ``(most, d + 1)``: the places of points, and in the last column 1 where there
    is a point and 0 where there is none, as `pack` makes them. Points have no order.

    Parameters
    ----------
    window : array_like, shape (d, 2)
        Smallest and largest place on each axis: ``[(0, 96), (0, 100)]``.
    most : int, optional
        The largest number of points; that of the packed data by default.

    Raises
    ------
    ValueError
        A window that is no box of finite size; `most` below 1.

    References
    ----------
    J. Møller, R. P. Waagepetersen (2004), Statistical Inference and Simulation for Spatial Point
    Processes, chapter 6.

    Examples
    --------
    >>> from pymc_ebm.space import pack
    >>> space = points([(0, 1), (0, 2)])
    >>> space.contains(pack([[[0.5, 1.5]], [[0.5, 2.5], [0.1, 0.1]]])).tolist()
    [True, False]
    >>> space.volume
    2.0
    """
    box = np.array(window, dtype=float)
    if box.ndim != 2 or box.shape[1:] != (2,) or not np.isfinite(box).all():
        raise ValueError(
            f"The window {np.array2string(box, threshold=8)} is no list of pairs of numbers. Give "
            "the smallest and the largest place on each axis, [(0, 96), (0, 100)]."
        )
    if not (box[:, 0] < box[:, 1]).all():
        raise ValueError(
            f"The window {box.tolist()} has no area. Give the smaller place on each axis first."
        )
    space = Points(tuple((float(low), float(high)) for low, high in box))
    return space if most is None else space.of_events((int(most), len(box) + 1))


@dataclass(frozen=True, eq=False, repr=False)
class Points(Space):
    """See `points`."""

    window: tuple[tuple[float, float], ...]
    event_shape: tuple[int, ...] | None = None

    measure = "an integral over the Poisson process of unit rate"
    noun = "point patterns"
    discrete = False

    @cached_property
    def _ends(self) -> NDArray:
        return np.array(self.window).T

    @property
    def volume(self) -> float:
        """Of the window, in the units of places to the power d."""
        return float(np.prod(self._ends[1] - self._ends[0]))

    def contains(self, x, event_ndim=None):
        """See `Space`."""
        x = np.asarray(x, dtype=float)
        places, there = x[..., :-1], x[..., -1]
        within = ((places >= self._ends[0]) & (places <= self._ends[1])).all(axis=-1)
        return ((there == 0) | ((there == 1) & within)).all(axis=-1)

    def inside(self, x):
        """See `Space`."""
        places, there = x[..., :-1], x[..., -1]
        within = (pt.ge(places, self._ends[0]) & pt.le(places, self._ends[1])).all(axis=-1)
        return (pt.eq(there, 0) | (pt.eq(there, 1) & within)).all(axis=-1)

    def fault(self, event):
        """See `Space`."""
        if not np.isin(event[:, -1], (0, 1)).all():
            what = f"its last column has {np.setdiff1d(event[:, -1], (0, 1))[0]:g}"
            return what, "Make events by pymc_ebm.space.pack."
        low, high = self._ends
        places = event[event[:, -1] == 1, :-1]
        first = places[((places < low) | (places > high)).any(axis=1)][0]
        return f"it has a point at {first.tolist()}", "Correct the data or the window."

    def of_events(self, event_shape):
        """See `Space`."""
        columns = len(self.window) + 1
        if (
            len(event_shape) != 2
            or event_shape[0] < 1
            or event_shape[1] != columns
            or self.event_shape not in (None, event_shape)
        ):
            wanted = f"(most, {columns})" if self.event_shape is None else self.event_shape
            raise ValueError(
                f"A pattern in this window has shape {wanted}, and here it has {event_shape}. Make "
                "events by pymc_ebm.space.pack(patterns, most=...)."
            )
        return replace(self, event_shape=tuple(event_shape))

    def bounds_of(self, n_dim):
        """See `Space`; where there is no point all numbers are 0."""
        low = np.append(np.minimum(self._ends[0], 0), 0.0)
        high = np.append(np.maximum(self._ends[1], 0), 1.0)
        return np.resize(low, n_dim), np.resize(high, n_dim)

    def base_law(self, data, rng):
        """Places all alike, and numbers of points as those of data and wider."""
        return EvenPlaces(self.of_events(data.shape[1:]), data[..., -1].sum(axis=1))

    @property
    def moves(self):
        """See `Space`."""
        return BirthOrDeath(self), PointStep(self)

    @property
    def bounded(self):
        """The numbers of a pattern are not free."""
        return True

    @classmethod
    def looks_like(cls, data):
        """See `Space`: packed patterns, whose window they do not tell."""
        if not is_packed(data):
            return None
        places = data[data[..., -1] == 1, :-1]
        return cls(tuple(zip(places.min(axis=0), places.max(axis=0), strict=True)), data.shape[1:])

    @property
    def key(self):
        """See `Space`."""
        return f"points {self.window} {self.event_shape}".encode()

    def __str__(self):
        most = "any number of" if self.event_shape is None else f"at most {self.event_shape[0]}"
        box = " x ".join(f"[{low:g}, {high:g}]" for low, high in self.window)
        return f"the patterns of {most} points in {box}"


class EvenPlaces:
    r"""Points independent and even over the window, their number by a law of its own.

    .. math:: q(n) ∝ 0.9 \operatorname{NB}(n) + 0.1 / (most + 1), \qquad n ≤ most

    with the mean m of the data's numbers and four times the larger of their variance and m + 1.
    """

    def __init__(self, space: Points, numbers: NDArray):
        assert space.event_shape is not None
        self.space, (self.most, columns) = space, space.event_shape
        self.n_uniforms = 1 + self.most * (columns - 1)
        n = np.arange(self.most + 1)
        mean = numbers.mean() + 0.5
        variance = 4 * max(numbers.var(), mean + 0.5)
        size, share = mean**2 / (variance - mean), mean / variance
        log_p = gammaln(n + size) - gammaln(n + 1) + n * np.log1p(-share)
        self._p = 0.9 * softmax(log_p) + 0.1 / len(n)
        of_unit_rate = n * np.log(space.volume) - space.volume - gammaln(n + 1)
        self._log_ratio = np.log(self._p) - of_unit_rate

    @property
    def by_number(self) -> NDArray:
        """Minus the log density of a pattern by its number of points, ``(most + 1,)``."""
        return -self._log_ratio

    def points(self, u):
        """See `BaseLaw`."""
        low, high = self.space._ends
        n = np.searchsorted(self._p.cumsum()[:-1], u[:, 0], side="right")
        there = np.arange(self.most) < n[:, None]
        places = low + (high - low) * u[:, 1:].reshape(len(u), self.most, -1)
        x = np.concatenate([places, np.ones((*there.shape, 1))], axis=2) * there[:, :, None]
        return x.reshape(len(u), -1), np.ones(len(u), dtype=bool)

    def log_density(self, x):
        """See `BaseLaw`."""
        x = x.reshape(len(x), self.most, -1)
        inside = self.space.contains(x)
        n = np.where(inside, x[..., -1].sum(axis=1), 0).astype(int)
        return np.where(inside, self._log_ratio[n], -np.inf)


@dataclass(frozen=True, eq=False)
class BirthOrDeath:
    """A point appears anywhere in the window, or one of those there vanishes."""

    of: Points

    def propose(self, rng, x, width=1.0):
        """See `Move`; `width` plays no part."""
        n, (low, high) = x[..., -1].sum(axis=1), self.of._ends
        birth = rng.random(len(x)) < 0.5
        possible = np.where(birth, n < x.shape[1], n > 0)
        rows, there = np.arange(len(x)), x[..., -1]
        last = x.shape[1] - 1 - there[:, ::-1].argmax(axis=1)
        born = np.column_stack([rng.uniform(low, high, size=(len(x), len(low))), np.ones(len(x))])
        moved = x.copy()
        # The last takes the place of any that vanishes, and the first free one is of the next.
        moved[rows, _any_point(rng, x)] = x[rows, last]
        moved[rows, last] = 0.0
        moved[birth] = x[birth]
        moved[rows[birth], there[birth].argmin(axis=1)] = born[birth]
        log_volume = np.log(self.of.volume)
        with np.errstate(divide="ignore"):
            log_ratio = np.where(birth, log_volume - np.log(n + 1), np.log(n) - log_volume)
        stays = ~possible
        return np.where(stays[:, None, None], x, moved), np.where(stays, 0.0, log_ratio)


@dataclass(frozen=True, eq=False)
class PointStep:
    """One point goes a normal step, `width` in tenths of the window, which is wrapped around."""

    of: Points

    def propose(self, rng, x, width=1.0):
        """See `Move`."""
        rows, one, (low, high) = np.arange(len(x)), _any_point(rng, x), self.of._ends
        # Beyond the whole window a longer step says nothing more.
        step = np.minimum(width / 10, 1.0) * rng.normal(size=(len(x), len(low)))
        moved = x.copy()
        share = ((x[rows, one, :-1] - low) / (high - low) + step) % 1.0
        there = x[rows, one, -1:] == 1
        places = np.minimum(low + (high - low) * share, high)
        moved[rows, one, :-1] = np.where(there, places, 0.0)
        return moved, np.zeros(len(x))


def _any_point(rng, x):
    """Index of one of the points of each event ``(B,)``, all alike; 0 where there is none."""
    return (rng.random(x.shape[:2]) * x[..., -1]).argmax(axis=1)
