"""A question on the whole space: bounds and curvature are mapped away by coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.second_estimate.question import Question

__all__ = ["Unbounded"]


class Unbounded:
    """Log densities with the map's slope, of coordinates z on the whole of R^K.

    Parameters
    ----------
    question : Question

    Attributes
    ----------
    data, starts : ndarray
        Those of the question that the map takes, ``(N, K)`` and ``(M, K)``.
    """

    def __init__(self, question: Question):
        self.question = question
        self._map = question.coordinates
        self.data, self.starts = (self._forward(x) for x in (question.data, question.starts))

    @property
    def n_dim(self) -> int:
        """K."""
        return self.data.shape[1]

    def _forward(self, x: NDArray) -> NDArray:
        z = self._map.forward(x.astype(float))
        return z[np.isfinite(z).all(axis=1)]

    def log_densities(self, z: NDArray, rows: NDArray) -> NDArray:
        """−E + log |dx/dz|, ``(k, B)``."""
        x, inside, log_volume, _ = self._events(z)
        return np.where(inside, self.question.log_densities(x, rows) + log_volume, -np.inf)

    def paired(self, z: NDArray, rows: NDArray) -> tuple[NDArray, NDArray]:
        """Log density of event b under row b, ``(B,)``, and its gradient, ``(B, K)``."""
        question = self.question
        x, inside, log_volume, of_map = self._events(z)
        density = np.full(len(z), -np.inf)
        for row in np.unique(rows):
            of_row = rows == row
            density[of_row] = question.log_densities(x[of_row], np.array([row]))[0]
        assert question.slope is not None
        with np.errstate(all="ignore"):
            slope = -np.nan_to_num(question.slope(x, rows), posinf=0.0, neginf=0.0)
            gradient = self._map.pull(z, slope)
        return np.where(inside, density + log_volume, -np.inf), gradient + of_map

    def _events(self, z: NDArray) -> tuple[NDArray, NDArray, NDArray, NDArray]:
        """Events, which of them are inside for sure, log v and its slope."""
        x = self._map.inverse(z)
        lower, upper = self.question.lower, self.question.upper
        inside = (np.isfinite(x) & (x > lower) & (x < upper)).all(axis=1)
        x = np.where(inside[:, None], x, self._map.inverse(np.ones_like(z[:1])))
        return x, inside, *self._map.log_volume(z)
