"""States given one by one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.space.base import Space
from pymc_ebm.space.moves import StateJump
from pymc_ebm.space.sites import Sites

__all__ = ["States", "state_keys"]


@dataclass(frozen=True, eq=False, repr=False)
class States(Space):
    """Distinct states ``(M, *event)``, such as those of an enumeration.

    Examples
    --------
    >>> orders = States(np.array([[0, 1, 2], [2, 1, 0]]))
    >>> orders.contains([[2, 1, 0], [2, 1, 1]]).tolist()
    [True, False]
    """

    points: NDArray

    measure = "a sum over states"
    noun = "states"
    discrete = True

    @property
    def event_shape(self):  # type: ignore[override]
        """Shape of a state."""
        return self.points.shape[1:]

    @property
    def dtype(self):
        """Type of the states, which may be fractions."""
        return "floatX" if self.points.dtype.kind == "f" else "int64"

    @property
    def n_states(self):
        """See `Space`."""
        return float(len(self.points))

    def all_states(self):
        """See `Space`."""
        return self.points

    def find(self, x: NDArray) -> NDArray:
        """The index of each event ``(B, *event)`` among the states; −1 where it is none."""
        rows, states = x.reshape(len(x), -1), self.points.reshape(len(self.points), -1)
        with np.errstate(invalid="ignore"):  # an infinite value becomes some integer
            typed = rows.astype(states.dtype)
        keys, order = self._sorted_keys
        place = order[np.searchsorted(keys, state_keys(typed)).clip(0, len(keys) - 1)]
        return np.where((states[place] == rows).all(axis=1), place, -1)

    @cached_property
    def _sorted_keys(self):
        keys = state_keys(self.points.reshape(len(self.points), -1))
        order = np.argsort(keys)
        return keys[order], order

    def contains(self, x, event_ndim=None):
        """See `Space`."""
        x = np.asarray(x)
        batch = x.shape[: x.ndim - len(self.event_shape)]
        return (self.find(x.reshape(-1, *self.event_shape)) >= 0).reshape(batch)

    def inside(self, x):
        """See `Space`."""
        rank = len(self.event_shape)
        if self.points.dtype.kind == "f":
            # By the places of its numbers among all that occur.
            known = np.unique(self.points)
            flat = x.reshape((-1,))
            place = pt.clip(pt.searchsorted(pt.constant(known), flat), 0, len(known) - 1)
            codes = pt.switch(pt.eq(pt.constant(known)[place], flat), place, -1)
            return States(np.searchsorted(known, self.points)).inside(codes.reshape(x.shape))
        batch = x.shape[: x.ndim - rank]
        rows = x.reshape((-1, int(np.prod(self.event_shape))))
        keys, order = self._sorted_keys
        states = self.points.reshape(len(self.points), -1)[order]
        # A product of matrices goes by floats, which such numbers do not fit in.
        of_rows = (pt.cast(rows, "int64") * _multipliers(states.shape[1])).sum(axis=1)
        place = pt.clip(pt.searchsorted(pt.constant(keys), of_rows), 0, len(keys) - 1)
        found = pt.eq(pt.constant(states)[place], rows).all(axis=1)
        return found.reshape(batch, ndim=x.ndim - rank)

    def of_events(self, event_shape):
        """See `Space`."""
        if event_shape != self.event_shape:
            raise ValueError(
                f"A state has shape {self.event_shape}, and an event {event_shape}. Give states "
                "of the shape of events."
            )
        return self

    def intersection(self, other):
        """See `Space`."""
        kept = other.contains(self.points, len(self.event_shape))
        return self if kept.all() else States(self.points[kept])

    def base_law(self, data, rng):
        """All states alike, whatever the data."""
        return EqualStates(self)

    @property
    def moves(self):
        """See `Space`."""
        return (StateJump(self.points),)

    def sites(self, points):
        """Values of the sites, where the states are all their combinations.

        Raises
        ------
        TypeError
            Fractions.
        ValueError
            States that are not, so that changing one site may leave the space.
        """
        if self.points.dtype.kind == "f":
            return super().sites(points)
        sites = Sites.among(self.points)
        if sites.n_states != len(self.points):
            raise ValueError(
                f"The reference has {len(self.points)} states, and its sites' values combine to "
                f"{sites.n_states:.0f}, so changing one site may leave the space. Use "
                "importance_resampling."
            )
        return sites

    @cached_property
    def key(self):
        """See `Space`."""
        digest = hashlib.sha256(str((self.points.dtype.str, self.points.shape)).encode())
        digest.update(memoryview(np.ascontiguousarray(self.points).reshape(-1)).cast("B"))
        return b"states" + digest.digest()

    def __str__(self):
        return f"{len(self.points)} given states"


@dataclass(frozen=True, eq=False, repr=False)
class EqualStates:
    """Equal mass on given states."""

    space: States
    n_uniforms = 1

    def points(self, u):
        """See `BaseLaw`."""
        n = len(self.space.points)
        index = np.minimum((u[:, 0] * n).astype(int), n - 1)
        return self.space.points.reshape(n, -1)[index], np.ones(len(u), dtype=bool)

    def log_density(self, x):
        """See `BaseLaw`."""
        found = self.space.find(np.asarray(x).reshape(len(x), *self.space.event_shape)) >= 0
        return np.where(found, -np.log(len(self.space.points)), -np.inf)


def state_keys(rows: NDArray) -> NDArray:
    """A number ``(M,)`` for each state ``(M, D)``, by which to sort and look for it.

    Different states have different numbers but for a chance of about M²/2⁶², so compare the
    states too. Sorting numbers is ten times faster than sorting states.
    """
    numbers = _mixed_bits(rows) if rows.dtype.kind == "f" else rows.astype(np.int64)
    return numbers @ _multipliers(rows.shape[1])


def _mixed_bits(rows: NDArray) -> NDArray:
    """An integer for each float: round ones differ in their first bits alone, which products lose.

    The mixing is that of splitmix (G. L. Steele et al. (2014), OOPSLA 49, 453–472).
    """
    bits = (rows.astype(np.float64) + 0.0).view(np.uint64)  # no −0
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (bits ^ (bits >> np.uint64(31))).view(np.int64)


def _multipliers(n_dim: int) -> NDArray:
    return np.random.default_rng(0).integers(2**62, size=n_dim)
