"""States of each row's own, such as the alternatives of each choice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.space.base import Space

__all__ = ["OwnStates"]


@dataclass(frozen=True, eq=False, repr=False)
class OwnStates(Space):
    """States ``(R, M, *event)`` of R rows, each of which has its own.

    The last batch axis of events is that of the rows.

    Parameters
    ----------
    points : ndarray
    listed : ndarray of bool, shape ``(R, M)``
        Which of them are states, where rows have fewer than M.

    Examples
    --------
    >>> two = OwnStates(np.array([[1, 2], [2, 3]]), np.ones((2, 2), dtype=bool))
    >>> two.contains([3, 3]).tolist()
    [False, True]
    """

    points: NDArray
    listed: NDArray

    measure = "a sum over the states of each row"
    noun = "states"
    discrete = True

    @property
    def event_shape(self):  # type: ignore[override]
        """Shape of a state."""
        return self.points.shape[2:]

    @property
    def dtype(self):
        """Type of the states, which may be fractions."""
        return "floatX" if self.points.dtype.kind == "f" else "int64"

    @property
    def n_states(self):
        """See `Space`: of all rows together."""
        return float(self.listed.sum())

    def contains(self, x, event_ndim=None):
        """See `Space`."""
        x = np.asarray(x)
        batch = x.ndim - len(self.event_shape)
        same = np.expand_dims(x, batch) == self.points
        return (same.all(axis=tuple(range(batch + 1, x.ndim + 1))) & self.listed).any(axis=-1)

    def inside(self, x):
        """See `Space`."""
        batch = x.ndim - len(self.event_shape)
        same = pt.eq(pt.expand_dims(x, batch), pt.constant(self.points))
        if self.event_shape:
            same = same.all(axis=tuple(range(batch + 1, x.ndim + 1)))
        return pt.and_(same, pt.constant(self.listed)).any(axis=-1)

    def of_events(self, event_shape):
        """See `Space`."""
        if event_shape != self.event_shape:
            raise ValueError(
                f"A state of a row has shape {self.event_shape}, and an event {event_shape}. Give "
                "states of the shape of events."
            )
        return self

    def intersection(self, other):
        """See `Space`."""
        flat = self.points.reshape(-1, *self.event_shape)
        kept = other.contains(flat, len(self.event_shape)).reshape(self.listed.shape)
        return OwnStates(self.points, self.listed & kept)

    def base_law(self, data, rng):
        """No law is that of all rows.

        Raises
        ------
        TypeError
        """
        raise TypeError(f"{self} have no law in common. Give reference=.")

    @property
    def moves(self):
        """No move serves all rows.

        Raises
        ------
        TypeError
        """
        raise TypeError(f"{self} have no moves in common. Give the variable its data, observed=.")

    @cached_property
    def key(self):
        """See `Space`."""
        digest = hashlib.sha256(str((self.points.dtype.str, self.points.shape)).encode())
        for array in (self.points, self.listed):
            digest.update(np.ascontiguousarray(array).tobytes())
        return b"own states" + digest.digest()

    def __str__(self):
        return f"the {self.n_states:.0f} states of {len(self.points)} rows"
