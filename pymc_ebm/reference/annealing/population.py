"""Particles on the way from one potential to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.weights.resampling import resampled


class NoWay(ValueError):
    """Particles that do not come from one potential to another."""


@dataclass
class Population:
    """States and their two potentials: U_β = (1 − β) U_start + β U_end.

    Attributes
    ----------
    space : object
        Knows the potentials of states, by number.
    start, end : int
        Numbers of the potentials.
    states : ndarray, shape ``(B, D)``
    at_start, at_end : tuple
        Values ``(B,)`` and slopes ``(B, D)``, or None, of the two potentials.
    """

    space: Any
    start: int
    end: int
    states: NDArray
    at_start: tuple[NDArray, NDArray | None]
    at_end: tuple[NDArray, NDArray | None]

    @classmethod
    def of(cls, space, start: int, end: int, states: NDArray) -> Population:
        """Evaluate both potentials."""
        at_end = space.potential(end, states)
        at_start = at_end if start == end else space.potential(start, states)
        return cls(space, start, end, states, at_start, at_end)

    def at(self, states: NDArray) -> Population:
        """Other states on the same way."""
        return Population.of(self.space, self.start, self.end, states)

    @property
    def climb(self) -> NDArray:
        """U_end − U_start, ``(B,)``; +inf where the end allows no state."""
        return self.at_end[0] - self.at_start[0]

    def value(self, beta: float) -> NDArray:
        """U_β, ``(B,)``."""
        return self._mixed(beta, self.at_start[0], self.at_end[0])

    def slope(self, beta: float) -> NDArray:
        """The slope of U_β, ``(B, D)``, where both have one."""
        return self._mixed(beta, self.at_start[1], self.at_end[1])

    def _mixed(self, beta, at_start, at_end):
        # 0 · ∞ is NaN, and the end is all there is.
        return at_end if beta == 1.0 else (1 - beta) * at_start + beta * at_end

    def arrived(self) -> Population:
        """The same particles where both potentials are that of the end."""
        return Population(self.space, self.end, self.end, self.states, self.at_end, self.at_end)

    def chosen(self, index: NDArray) -> Population:
        """Some of the particles, by index."""
        at_start, at_end = (_chosen(pair, index) for pair in (self.at_start, self.at_end))
        return Population(self.space, self.start, self.end, self.states[index], at_start, at_end)

    def moved(self, accepted: NDArray, new: Population) -> Population:
        """Particles of `new` where they are accepted, ``(B,)``."""
        states = np.where(accepted[:, None], new.states, self.states)
        at_end = _moved(accepted, self.at_end, new.at_end)
        at_start = (
            at_end if self.start == self.end else _moved(accepted, self.at_start, new.at_start)
        )
        return Population(self.space, self.start, self.end, states, at_start, at_end)


def _chosen(potential, index):
    value, slope = potential
    return value[index], None if slope is None else slope[index]


def _moved(accepted, old, new):
    value = np.where(accepted, new[0], old[0])
    return value, None if old[1] is None else np.where(accepted[:, None], new[1], old[1])


def chosen_by_weight(log_weights: NDArray, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """`pymc_ebm.weights.resampling.resampled`, where every run has weight.

    Raises
    ------
    NoWay
        A run without weight.
    """
    log_means, index = resampled(log_weights, rng)
    empty = ~np.isfinite(log_means)
    if empty.any():
        raise NoWay(
            f"{empty.sum()} of {len(empty)} runs have no particle of finite energy. "
            "Give data= or starts= where the energy is finite, or more particles."
        )
    return log_means, index
