"""Energies of the same points at many parameter values, what depends on the points alone once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytensor
from numpy.typing import NDArray
from pytensor.compile.mode import Mode

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
        self._function = pytensor.function(
            [*split.slots, *split.params], split.value, mode=mode, on_unused_input="ignore"
        )

    def statistics(self, points: NDArray) -> list[NDArray]:
        """What the energy needs of points ``(M, *event)``, each ``(M, ...)``."""
        shapes = self.split.statistics_at(points)
        return [np.broadcast_to(s, (len(points), *np.shape(s)[1:])) for s in shapes]

    def __call__(self, statistics: Sequence[NDArray], theta: Sequence) -> NDArray:
        """Energies ``(M,)`` in nats, by `statistics` of the points."""
        row = [np.asarray(v, dtype=p.dtype) for v, p in zip(theta, self.split.params, strict=True)]
        if not statistics:
            return np.asarray(self._function(*row), dtype=float)
        n_points = len(statistics[0])
        at_once = self.split.x.type.shape[0] or n_points
        blocks = []
        for i in range(0, n_points, at_once):
            block = self._function(*(s[i : i + at_once] for s in statistics), *row)
            blocks.append(np.broadcast_to(block, at_once))
        return np.concatenate(blocks).astype(float, copy=False)

    def at(self, points: NDArray) -> Callable[[Sequence], NDArray]:
        """E(y | θ) of the same points, ``(M,)``, as a function of θ."""
        statistics, n_points = self.statistics(points), len(points)
        return lambda theta: np.broadcast_to(self(statistics, theta), n_points)
