"""Reversible steps of events: what chains and searches propose in a space."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.space.coordinates import Coordinates

if TYPE_CHECKING:
    from pymc_ebm.space.sites import Sites

__all__ = ["Move", "RandomWalk", "SiteChange", "StateJump", "UnitSteps"]


class Move(Protocol):
    """A step by which a Metropolis chain stays in a space."""

    def propose(
        self, rng: np.random.Generator, x: NDArray, width: NDArray | float
    ) -> tuple[NDArray, NDArray]:
        """Propose a new event for each of some.

        Parameters
        ----------
        rng : numpy.random.Generator
        x : ndarray, shape ``(B, *event)``
        width : ndarray or float
            How far to go, in the units of the step.

        Returns
        -------
        proposals : ndarray, shape ``(B, *event)``
        log_ratio : ndarray, shape ``(B,)``
            Log density of the way back minus that of the way there, in nats.
        """


@dataclass(frozen=True, eq=False)
class RandomWalk:
    """Gaussian steps of coordinates on the whole line; `width` is in their units."""

    coordinates: Coordinates

    def propose(self, rng, x, width):
        """See `Move`."""
        z = self.coordinates.forward(x.reshape(len(x), -1))
        moved = z + width * rng.normal(size=z.shape)
        # The density by coordinates is that of events times dx/dz.
        with np.errstate(invalid="ignore"):
            change = self.coordinates.log_volume(moved)[0] - self.coordinates.log_volume(z)[0]
        return self.coordinates.inverse(moved).reshape(x.shape), change


@dataclass(frozen=True, eq=False)
class UnitSteps:
    """One coordinate of whole numbers goes up or down by 1 + a geometric number of mean `width`."""

    lower: NDArray
    upper: NDArray

    def propose(self, rng, x, width):
        """See `Move`; what would leave the bounds stays, which keeps the step symmetric."""
        rows = x.reshape(len(x), -1).copy()
        one = rng.integers(rows.shape[1], size=len(rows))
        size = rng.geometric(1 / (1 + width), size=len(rows))
        chosen = np.arange(len(rows)), one
        moved = rows[chosen] + size * rng.choice([-1, 1], size=len(rows))
        within = (moved >= self.lower[one]) & (moved <= self.upper[one])
        rows[chosen] = np.where(within, moved, rows[chosen])
        return rows.reshape(x.shape), np.zeros(len(x))


@dataclass(frozen=True, eq=False)
class SiteChange:
    """One site takes another of its values."""

    of: Sites

    def propose(self, rng, x, width=1.0):
        """See `Move`; `width` plays no part."""
        return self.of.points(self.of_codes(rng, self.of.codes(x))), np.zeros(len(x))

    def of_codes(self, rng: np.random.Generator, codes: NDArray) -> NDArray:
        """The same of codes ``(B, D)``."""
        one = rng.integers(codes.shape[1], size=len(codes))
        n_values = self.of.n_values[one]
        chosen = np.arange(len(codes)), one
        change = 1 + rng.integers(np.maximum(n_values - 1, 1))
        moved = codes.copy()
        moved[chosen] = (codes[chosen] + change) % n_values
        return moved


@dataclass(frozen=True, eq=False)
class StateJump:
    """Any of the listed states, all alike."""

    states: NDArray

    def propose(self, rng, x, width=1.0):
        """See `Move`; `width` plays no part."""
        return self.states[rng.integers(len(self.states), size=len(x))], np.zeros(len(x))
