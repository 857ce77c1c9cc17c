"""What a probability distribution of events answers here: fresh draws, and its log density."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Law"]


@runtime_checkable
class Law(Protocol):
    """A normalised distribution of events, ``(*event,)``; its own log Z is 0.

    One that follows the parameters θ of an energy takes them as `params`; all others ignore them.

    Examples
    --------
    >>> class Coin:
    ...     def draw(self, rng, draws, *params):
    ...         return rng.integers(2, size=draws)
    ...
    ...     def log_density(self, points, *params):
    ...         return np.where(np.isin(points, (0, 1)), -np.log(2), -np.inf)
    >>> isinstance(Coin(), Law)
    True
    """

    def draw(self, rng: np.random.Generator, draws: int, /, *params) -> NDArray:
        """Independent draws, ``(draws, *event)``."""

    def log_density(self, points: NDArray, /, *params) -> NDArray:
        """Log density or mass in nats, ``(N,)``, of ``(N, *event)``; −inf outside its support."""
