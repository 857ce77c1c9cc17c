"""Energies of the same points at many parameter values, what depends on the points alone once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pytensor.compile.mode import Mode

from pymc_ebm.energy.of_many import of_many
from pymc_ebm.energy.split import VECTORISED, SplitEnergy

__all__ = ["PointEnergies"]


class PointEnergies:
    """E(y | θ) of points y, compiled once for any number of points and parameters.

    Parameters
    ----------
    split : SplitEnergy
        Without captured variables.
    mode : Mode
        Of PyTensor. `pymc_ebm.energy.split.RUN_ONCE` is for few calls.
    """

    def __init__(self, split: SplitEnergy, mode: Mode = VECTORISED):
        self.split = split
        self._function, self._at_once = of_many(split.params, [split.value], mode, split.slots)

    def statistics(self, points: NDArray) -> list[NDArray]:
        """What the energy needs of points ``(M, *event)``, each ``(M, ...)``."""
        shapes = self.split.statistics_at(points)
        return [np.broadcast_to(s, (len(points), *np.shape(s)[1:])) for s in shapes]

    def __call__(self, statistics: Sequence[NDArray], theta: Sequence) -> NDArray:
        """Energies ``(M,)`` in nats, by `statistics` of the points."""
        return self.of_rows(statistics, [theta])[0]

    def of_rows(self, statistics: Sequence[NDArray], rows: Sequence[Sequence]) -> NDArray:
        """Energies ``(J, M)`` in nats at each of several rows of parameters."""
        columns = [
            np.array([row[i] for row in rows], dtype=p.dtype)
            for i, p in enumerate(self.split.params)
        ]
        n_points = len(statistics[0]) if statistics else 1
        at_once = self.split.x.type.shape[0] or max(n_points, 1)
        width = max((math.prod(s.shape[1:]) for s in statistics), default=1)
        # So many numbers that an array stays in the processor's cache.
        together = max(2**16 // (at_once * max(width, 1)), 1) if self._at_once else 1
        found = np.empty((len(rows), n_points))
        for i in range(0, n_points, at_once):
            some = [s[i : i + at_once] for s in statistics]
            for j in range(0, len(rows), together):
                [found[j : j + together, i : i + at_once]] = self._function(
                    some, [c[j : j + together] for c in columns]
                )
        return found

    def at(self, points: NDArray) -> Callable[[Sequence], NDArray]:
        """E(y | θ) of the same points, ``(M,)``, as a function of θ."""
        at_rows = self.at_rows(points)
        return lambda theta: at_rows([theta])[0]

    def at_rows(self, points: NDArray) -> Callable[[Sequence[Sequence]], NDArray]:
        """E(y | θ) of the same points, ``(J, M)``, as a function of several rows θ."""
        statistics, n_points = self.statistics(points), len(points)
        return lambda rows: np.broadcast_to(self.of_rows(statistics, rows), (len(rows), n_points))
