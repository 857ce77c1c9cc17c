"""Events of any space, moved by the space's own steps: whole numbers, and what has no other way."""

from __future__ import annotations

import math
from copy import copy
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.reference.annealing.population import Population
from pymc_ebm.space.base import Space


class Width(NamedTuple):
    """How far a step goes, in its own units."""

    size: float

    def of(self, states: NDArray) -> Width:
        """Itself: the size is learnt from what is accepted alone."""
        return self


class ByMoves:
    """Events as rows ``(B, D)``; the base law and the steps are those of the space.

    Parameters
    ----------
    energy : Energy
    anchors : sequence of sequences of ndarray
    data : ndarray, shape ``(N, *event)``
    space : Space
    rng : numpy.random.Generator
    """

    def __init__(self, energy, anchors, data, space: Space, rng):
        self.event_shape = data.shape[1:]
        self.n_dim = math.prod(self.event_shape)
        self._dtype, self._space, self._anchors = data.dtype, space, anchors
        self._law = space.base_law(data, rng)
        self._energies = energy.of_points(self.event_shape, data.dtype, anchors[0], 2)
        # As many steps as there are coordinates, if each changes one.
        self.fewest_moves, self.most_moves = self.n_dim, 32 * self.n_dim

    def draw(self, rng: np.random.Generator, draws: int) -> NDArray:
        """Rows ``(draws, D)`` from the base law."""
        rows = np.empty((draws, self.n_dim), dtype=self._dtype)
        missing = np.arange(draws)
        while len(missing):  # too far out for the number format: less than one in a million
            u = np.clip(rng.random((len(missing), self._law.n_uniforms)), 2.0**-53, 1 - 2.0**-53)
            points, usable = self._law.points(u)
            rows[missing[usable]] = points[usable]
            missing = missing[~usable]
        return rows

    def potential(self, number: int, rows: NDArray) -> tuple[NDArray, None]:
        """U ``(B,)`` and no slope; +inf where the energy is none."""
        if number == 0:
            return -self._law.log_density(rows), None
        statistics = self._energies.statistics(self.points(rows))
        value = self._energies(statistics, self._anchors[number - 1])
        value = np.broadcast_to(value, len(rows))
        return np.where(np.isfinite(value), value, np.inf), None

    def points(self, rows: NDArray) -> NDArray:
        """Events ``(B, *event)``."""
        return rows.reshape(-1, *self.event_shape)

    def log_measure(self, rows: NDArray) -> NDArray:
        """Zeros: rows are the events themselves."""
        return np.zeros(len(rows))

    def anchored(self, anchors) -> ByMoves:
        """The same events and base law with other anchors."""
        other = copy(self)
        other._anchors = anchors
        return other

    def first_scale(self) -> Width:
        """How far to go at first."""
        return Width(1.0)

    def scale_after(self, scale: Width, acceptance: float, moves: int) -> Width:
        """Learn from a step of the pilot how far to go."""
        rate = min(2.0 * self.n_dim / moves, 1.0)
        return Width(scale.size * np.exp(rate * (acceptance - 0.3)))  # to accept

    def move(
        self, population: Population, beta: float, scale: Width, rng
    ) -> tuple[Population, float]:
        """One step of every particle, by one of the space's kinds; the share accepted."""
        kinds = self._space.moves
        kind = kinds[rng.integers(len(kinds))]
        events = self.points(population.states)
        proposals, log_ratio = kind.propose(rng, events, scale.size)
        new = population.at(proposals.reshape(population.states.shape))
        with np.errstate(invalid="ignore"):
            gain = population.value(beta) - new.value(beta) + log_ratio
            accepted = np.log(rng.random(len(events))) < gain  # NaN is not accepted
        moved = (proposals != events).reshape(len(events), -1).any(axis=1)
        return population.moved(accepted, new), float((accepted & moved).mean())
