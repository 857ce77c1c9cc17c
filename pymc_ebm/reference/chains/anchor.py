"""A chain at one θ: what it says of the parameters around."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Anchor", "distance", "main_axes", "slopes", "spell", "unravel"]

# Directions of G this much smaller than the largest are those in which the energy does not change.
_SINGULAR = 1e-10


class Anchor:
    """A chain at θ and what it says of the parameters around: G(θ) and the force on θ."""

    def __init__(self, theta, draws, statistics, metric, force, scale):
        self.theta, self.draws, self.statistics = theta, draws, statistics
        self.metric, self.force, self.scale = metric, force, scale
        # Whether the parameters next to it have been looked at.
        self.passed = False

    def stuck(self) -> bool:
        """Whether the force has a direction in which the chain does not vary."""
        _, vectors, still = self._axes()
        along = vectors[:, still].T @ self.force
        return bool((np.abs(along) > 1e-6 * np.sqrt(self.scale)).any())

    def solve(self, shapes) -> NDArray:
        """The scoring step G⁻¹ force."""
        values, vectors, still = self._axes()
        along = vectors.T @ self.force
        if self.stuck():
            raise ValueError(
                f"The chains at {spell(self.theta, shapes)} do not vary, so they do not say where "
                "the data are. Start from parameters at which the model's states vary, with "
                "initval= or start=."
            )
        return vectors[:, ~still] @ (along[~still] / values[~still])

    def shortfall(self, other) -> float:
        """forceᵀ G⁻¹ force: how far the means at another θ are from the data's, in units of G."""
        values, vectors, still = self._axes()
        return float((((vectors.T @ other.force)[~still]) ** 2 / values[~still]).sum())

    def _axes(self):
        values, vectors = np.linalg.eigh(self.metric)
        return values, vectors, values <= _SINGULAR * max(self.scale, values.max())


def main_axes(metric: NDArray) -> list[tuple[float, NDArray]]:
    """Variance and direction of each axis of G along which the energy changes."""
    values, vectors = np.linalg.eigh(metric)
    pairs = zip(values, vectors.T, strict=True)
    return [(v, axis) for v, axis in pairs if v > _SINGULAR * values.max()]


def distance(theta, anchor: Anchor) -> float:
    """Distance of θ from an anchor in units of its G."""
    move = theta - anchor.theta
    return float(np.sqrt(move @ anchor.metric @ move))


def slopes(
    energies: Callable[[Sequence[NDArray]], NDArray], theta: Sequence[NDArray], most: int = 64
) -> NDArray:
    """∂E/∂θ of points by central differences, ``(M, P)``; exact where E is linear.

    Of the first `most` numbers of the parameters.
    """
    shapes = [np.shape(v) for v in theta]
    flat = np.concatenate([np.ravel(v) for v in theta])
    columns = []
    for p in range(min(len(flat), most)):
        h = np.zeros(len(flat))
        h[p] = 1e-5 * max(abs(flat[p]), 0.1)
        difference = energies(unravel(flat + h, shapes)) - energies(unravel(flat - h, shapes))
        columns.append(difference / (2 * h[p]))
    return np.stack(columns, axis=1)


def unravel(theta, shapes) -> list[NDArray]:
    """Parameters of their shapes from a flat row."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [v.reshape(s) for v, s in zip(np.split(theta, ends[:-1]), shapes, strict=True)]


def spell(theta, shapes) -> str:
    """Parameter values for a message."""
    return str([np.round(value, 4).tolist() for value in unravel(theta, shapes)])
