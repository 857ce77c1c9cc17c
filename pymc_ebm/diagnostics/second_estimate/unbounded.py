"""A question on the whole space: bounds are mapped away, one coordinate at a time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from pymc_ebm.diagnostics.second_estimate.question import Question
from pymc_ebm.space.box_map import BoxMap

__all__ = ["Unbounded"]


class Unbounded:
    """Log densities with the map's slope, of events z on the whole of R^D.

    Parameters
    ----------
    question : Question

    Attributes
    ----------
    data, starts : ndarray
        Those of the question that the map takes, ``(N, D)`` and ``(M, D)``.
    """

    def __init__(self, question: Question):
        self.question = question
        self._map = BoxMap(question.lower, question.upper)
        self.data, self.starts = (self._forward(x) for x in (question.data, question.starts))

    def _forward(self, x: NDArray) -> NDArray:
        z = self._map.forward(x.astype(float))
        return z[np.isfinite(z).all(axis=1)]

    def log_densities(self, z: NDArray, rows: NDArray) -> NDArray:
        """−E + log |dx/dz|, ``(k, B)``."""
        x, inside, log_slope = self._events(z)
        return np.where(inside, self.question.log_densities(x, rows) + log_slope, -np.inf)

    def paired(self, z: NDArray, rows: NDArray) -> tuple[NDArray, NDArray]:
        """Log density of event b under row b, ``(B,)``, and its gradient, ``(B, D)``."""
        question = self.question
        x, inside, log_slope = self._events(z)
        density = np.full(len(z), -np.inf)
        for row in np.unique(rows):
            of_row = rows == row
            density[of_row] = question.log_densities(x[of_row], np.array([row]))[0]
        assert question.slope is not None
        with np.errstate(all="ignore"):
            slope = -np.nan_to_num(question.slope(x, rows), posinf=0.0, neginf=0.0)
            gradient = slope * np.exp(-self._map.log_slope(x))
        low, high = np.isfinite(question.lower), np.isfinite(question.upper)
        of_map = np.where(low & high, 1 - 2 * expit(z), np.where(low, 1.0, np.where(high, -1.0, 0)))
        return np.where(inside, density + log_slope, -np.inf), gradient + of_map

    def _events(self, z: NDArray) -> tuple[NDArray, NDArray, NDArray]:
        x = self._map.inverse(z)
        lower, upper = self.question.lower, self.question.upper
        inside = (np.isfinite(x) & (x > lower) & (x < upper)).all(axis=1)
        x = np.where(inside[:, None], x, self._map.inverse(np.zeros((1, x.shape[1]))))
        return x, inside, -self._map.log_slope(x).sum(axis=1)
