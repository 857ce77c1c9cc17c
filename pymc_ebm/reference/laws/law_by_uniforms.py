"""A space's own law as a law of events: independent uniforms through its map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.space.base import BaseLaw

__all__ = ["LawByUniforms"]


class LawByUniforms:
    """Fresh independent draws of a law that turns uniforms into rows, shaped like events.

    Parameters
    ----------
    law : BaseLaw
    event_shape : tuple of int
    """

    def __init__(self, law: BaseLaw, event_shape: tuple[int, ...]):
        self.law = law
        self.event_shape = event_shape

    def draw(self, rng: np.random.Generator, draws: int, *params) -> NDArray:
        """See `Law`."""
        x, usable = self.law.points(self._uniforms(rng, draws))
        while not usable.all():  # too far out for the number format: less than one in a million
            again = np.flatnonzero(~usable)
            x[again], usable[again] = self.law.points(self._uniforms(rng, len(again)))
        return x.reshape(draws, *self.event_shape)

    def _uniforms(self, rng, draws):
        return np.clip(rng.random((draws, self.law.n_uniforms)), 2.0**-53, 1 - 2.0**-53)

    def log_density(self, points, *params) -> NDArray:
        """See `Law`."""
        points = np.asarray(points)
        return self.law.log_density(points.reshape(len(points), -1))
