"""Coordinates: all of R^K as a map of a space, by which integrals over it are done."""

from __future__ import annotations

from typing import Protocol

from numpy.typing import NDArray

__all__ = ["Coordinates"]


class Coordinates(Protocol):
    """A smooth map z → x of R^K onto a space, with a measure on R^K that it takes to the space's.

    Events are rows ``(M, D)``, coordinates ``(M, K)``. ∫ f(x) dx over the space is
    ∫ f(x(z)) v(z) dz over R^K; v is the slope of the map where that has an inverse.
    """

    def forward(self, x: NDArray) -> NDArray:
        """Coordinates of events; infinite at a bound."""

    def inverse(self, z: NDArray) -> NDArray:
        """Events of coordinates; may round to a bound or overflow."""

    def log_volume(self, z: NDArray) -> tuple[NDArray, NDArray]:
        """Log v, ``(M,)``, and its slope by z, ``(M, K)``."""

    def pull(self, z: NDArray, slope: NDArray) -> NDArray:
        """The slope by z, ``(M, K)``, of what has the slope ``(M, D)`` by x."""
