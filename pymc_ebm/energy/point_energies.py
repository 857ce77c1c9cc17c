"""Energies of the same points at many parameter values, what depends on the points alone once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.energy.parameters import as_parameter, core_ndims
from pymc_ebm.energy.split import VECTORISED, Energy, split_energy

__all__ = ["PointEnergies"]


class PointEnergies:
    """E(y | θ) of points y, compiled once for any number of points and parameters.

    Parameters
    ----------
    energy : callable
    event_shape : tuple of int
    dtype : dtype
        Of the points.
    theta : sequence of array_like
        A row of parameters, for their shapes.
    signature : str or None
    batch : int
        Number of points, for energies that must know it.
    """

    def __init__(
        self,
        energy: Energy,
        event_shape: tuple[int, ...],
        dtype,
        theta: Sequence,
        signature: str | None,
        batch: int,
    ):
        params = [as_parameter(np.asarray(v, dtype=float)) for v in theta]
        cores = core_ndims(signature, len(params))
        wrong = [v.ndim for v, n in zip(params, cores, strict=True) if v.ndim != n]
        if wrong:
            raise ValueError(
                f"A parameter of an anchor has {wrong[0]} dimensions, other than its signature "
                "says. Give each anchor one row of parameters."
            )
        types = [pt.TensorType(v.dtype, v.type.shape) for v in params]
        name = np.dtype(dtype).name
        self.split = split_energy(energy, event_shape, name, types, batch=batch)
        self._function = pytensor.function(
            [*self.split.slots, *self.split.params],
            self.split.value,
            mode=VECTORISED,
            on_unused_input="ignore",
        )

    def statistics(self, points: NDArray) -> list[NDArray]:
        """What the energy needs of points ``(M, *event)``, each ``(M, ...)``."""
        shapes = self.split.statistics_at(points)
        return [np.broadcast_to(s, (len(points), *np.shape(s)[1:])) for s in shapes]

    def __call__(self, statistics: Sequence[NDArray], theta: Sequence) -> NDArray:
        """Energies ``(M,)`` in nats, by `statistics` of the points."""
        row = [np.asarray(v, dtype=float) for v in theta]
        if not statistics:
            return np.asarray(self._function(*row), dtype=float)
        n_points = len(statistics[0])
        at_once = self.split.x.type.shape[0] or n_points
        blocks = []
        for i in range(0, n_points, at_once):
            block = self._function(*(s[i : i + at_once] for s in statistics), *row)
            blocks.append(np.broadcast_to(block, at_once))
        return np.concatenate(blocks).astype(float, copy=False)
