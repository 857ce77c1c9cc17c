"""Finite states at sites: spins, colours, binary vectors, dyads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.space.base import Space
from pymc_ebm.space.base_laws.sites_law import SitesLaw
from pymc_ebm.space.box import Support
from pymc_ebm.space.moves import SiteChange

__all__ = ["Sites"]

PAIRS = ((0, 1), (-1, 1))


@dataclass(frozen=True, eq=False, repr=False)
class Sites(Space):
    """Every combination of the values of D sites, up to K each, sorted.

    Attributes
    ----------
    values : ndarray, shape (D, K)
        Rows of fewer values repeat the last one.
    n_values : ndarray of int, shape (D,)
    event_shape : tuple of int

    Examples
    --------
    >>> spins = Sites.of([-1, 1], (3, 3))
    >>> print(spins, spins.n_states, spins.contains(np.zeros((1, 3, 3))).item())
    {-1, 1} at 9 sites 512.0 False
    """

    values: NDArray
    n_values: NDArray
    event_shape: tuple[int, ...]

    measure = "a sum over states"
    noun = "states"
    discrete = True

    @classmethod
    def of(cls, values, event_shape: tuple[int, ...]) -> Sites:
        """Sites that take all the same values ``(K,)``, or each its own, D sequences.

        Raises
        ------
        ValueError
            Not one sequence for each site, or one without values.
        """
        n_sites = math.prod(event_shape)
        if len(values) and np.ndim(values[0]) > 0:
            columns = [np.unique(np.asarray(v)) for v in values]
        else:
            columns = [np.unique(np.asarray(values))] * n_sites
        shortest = min((len(c) for c in columns), default=0)
        if len(columns) != n_sites or shortest == 0:
            raise ValueError(
                f"values has {len(columns)} sequences, the shortest of {shortest}, for {n_sites} "
                "sites. Give one sequence of values for all sites, or one for each."
            )
        n_values = np.array([len(c) for c in columns])
        padded = [np.pad(c, (0, n_values.max() - len(c)), mode="edge") for c in columns]
        return cls(np.stack(padded), n_values, tuple(event_shape))

    @classmethod
    def among(cls, points: NDArray) -> Sites:
        """Sites with the values that occur among integer points ``(M, *event)``."""
        event_shape = points.shape[1:]
        rows = points.reshape(len(points), -1)
        low, high = int(rows.min()), int(rows.max())
        if high - low > 1000:
            columns: Sequence[NDArray] = [np.unique(column) for column in rows.T]
        else:  # marking is faster than sorting
            present = np.zeros((rows.shape[1], high - low + 1), dtype=bool)
            present[np.arange(rows.shape[1]), rows.astype(np.int64) - low] = True
            columns = [np.flatnonzero(row) + low for row in present]
        return cls.of([c.astype(points.dtype) for c in columns], event_shape)

    @classmethod
    def looks_like(cls, data):
        """See `Space`: vectors and matrices of exactly 0 and 1, or −1 and 1, numbers or truths."""
        if data.ndim < 2 and data.dtype.kind != "b":
            return None
        if data.dtype.kind == "b":
            return cls.of([0, 1], data.shape[1:])
        for pair in PAIRS:
            # Ones alone may be of either kind; of floats both must be there.
            both = (data == pair[0]).any() and (data.dtype.kind != "f" or (data == pair[1]).any())
            if both and np.isin(data, pair).all():
                return cls.of(list(pair), data.shape[1:])
        return None

    def points(self, codes: NDArray) -> NDArray:
        """Events ``(*batch, *event)`` of codes ``(*batch, D)``."""
        n_sites, most = self.values.shape
        if self.alike:
            points = self.values[0].take(codes)
        else:
            points = self.values.ravel().take(codes + most * np.arange(n_sites))
        return points.reshape(*codes.shape[:-1], *self.event_shape)

    def codes(self, points: NDArray) -> NDArray:
        """Codes ``(B, D)`` of events ``(B, *event)``; −1 where a site has no such value."""
        rows = points.reshape(len(points), -1)
        if self.alike:
            return _codes(self.values[0, : self.n_values[0]], rows)
        codes = np.empty(rows.shape, dtype=np.int64)
        for i, (known, n) in enumerate(zip(self.values, self.n_values, strict=True)):
            codes[:, i] = _codes(known[:n], rows[:, i])
        return codes

    @cached_property
    def alike(self) -> bool:
        """Whether all sites take the same values."""
        return bool((self.values == self.values[0]).all() and np.ptp(self.n_values) == 0)

    @property
    def n_states(self):
        """See `Space`."""
        return math.prod(self.n_values.astype(float).tolist())

    def all_states(self):
        """See `Space`."""
        codes = np.empty((int(self.n_states), len(self.n_values)), dtype=np.int64)
        repeat = len(codes)
        for column, n in enumerate(self.n_values):  # the last runs fastest
            repeat //= n
            codes[:, column] = np.arange(len(codes)) // repeat % n
        return self.points(codes)

    def bounds_of(self, n_dim: int) -> tuple[np.ndarray, np.ndarray]:
        """See `Space`."""
        return self.values[:, 0].astype(float), self.values[:, -1].astype(float)

    def contains(self, x, event_ndim=None):
        """See `Space`."""
        x = np.asarray(x)
        batch = x.shape[: x.ndim - len(self.event_shape)]
        return (self.codes(x.reshape(-1, *self.event_shape)) >= 0).all(axis=1).reshape(batch)

    def inside(self, x):
        """See `Space`."""
        ends = self.values[:, 0], self.values[:, -1]
        low, high = (end.reshape(self.event_shape) for end in ends)
        if (self.values[:, -1] - self.values[:, 0] + 1 == self.n_values).all():  # without gaps
            known = pt.and_(pt.ge(x, low), pt.le(x, high))
            if x.dtype.startswith("float"):
                known = pt.and_(known, pt.eq(x, pt.floor(x)))
        else:
            table = self.values.reshape(*self.event_shape, -1)
            known = pt.eq(x[..., None], table).any(axis=-1)
        axes = tuple(range(-len(self.event_shape), 0))
        return known.all(axis=axes) if axes else known

    def of_events(self, event_shape):
        """See `Space`."""
        if event_shape != self.event_shape:
            raise ValueError(
                f"An event of {self} has shape {self.event_shape}, and here it has {event_shape}. "
                "Give the states of such events."
            )
        return self

    def intersection(self, other):
        """See `Space`."""
        if self == other:
            return self
        mine = [known[:n] for known, n in zip(self.values, self.n_values, strict=True)]
        if isinstance(other, Sites):
            columns = [np.intersect1d(a, b) for a, b in zip(mine, other.values, strict=True)]
        elif isinstance(other, Support):
            low, high = other.bounds_of(len(mine))
            columns = [v[(v >= a) & (v <= b)] for v, a, b in zip(mine, low, high, strict=True)]
        else:
            return other.intersection(self)
        return Sites.of(columns, self.event_shape)

    def base_law(self, data, rng):
        """Independent sites, a quarter of the way from the data's frequencies to equal ones."""
        return SitesLaw(self.codes(data), self.values, self.n_values)

    @property
    def moves(self):
        """See `Space`."""
        return (SiteChange(self),)

    def sites(self, points):
        """Itself."""
        return self

    @property
    def key(self):
        """See `Space`."""
        return b"sites" + str(self.event_shape).encode() + self.values.astype(float).tobytes()

    def __str__(self):
        if not self.alike:
            return f"{self.n_states:.3g} states at {len(self.values)} sites"
        known = [str(v) for v in self.values[0]]
        words = ", ".join(known if len(known) < 6 else [*known[:2], "...", known[-1]])
        where = f" at {len(self.values)} sites" if self.event_shape else ""
        return f"{{{words}}}{where}"


def _codes(known, points):
    code = np.searchsorted(known, points).clip(0, len(known) - 1)
    return np.where(known[code] == points, code, -1)
