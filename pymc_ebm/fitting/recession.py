"""Directions in which a loss falls for ever, so that it has no minimum."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.fitting.loss import SmoothLoss

__all__ = ["Recession", "recession"]


class Recession(NamedTuple):
    """A direction along which a loss never rises.

    Attributes
    ----------
    direction : ndarray
        In the flat unconstrained parameters, ``(K,)``, the largest of its numbers ±1.
    fall : float
        By how much the loss falls far along it, in nats.
    """

    direction: NDArray
    fall: float

    def among(self, number: int) -> Recession | None:
        """What is left of it where only so many of the first parameters count; None if nothing."""
        direction = self.direction[:number]
        largest = np.abs(direction).max(initial=0.0)
        return self._replace(direction=direction / largest) if largest > 0 else None

    def limits(self, constrained, u: NDArray) -> dict[str, NDArray]:
        """Where parameters go along it: ±inf, the end of their domain, or where they are.

        Parameters
        ----------
        constrained : callable
            Parameters by name from ``(K,)``.
        u : ndarray
            Where it begins, ``(K,)``.
        """
        reach = _reach(u)
        with np.errstate(all="ignore"):
            here, half, far = (constrained(u + t * self.direction) for t in (0, reach / 2, reach))
        found = {}
        for name, end in far.items():
            grows = np.abs(end) > 1.3 * np.maximum(np.abs(half[name]), np.abs(here[name]))
            limit = np.where(grows | np.isinf(end), np.copysign(np.inf, end), end)
            found[name] = np.asarray(limit)
        return found


def recession(
    loss: SmoothLoss,
    start: NDArray,
    u: NDArray,
    hessian: NDArray,
    *,
    tolerance: float = 1e-9,
    rise: float = 1e-3,
    least_part: float = 1e-3,
) -> Recession | None:
    """Look for a direction from u in which the loss never rises and the other way does.

    Tried are the axes in which the loss is flattest at u, and where the search came from. The
    supremum of a likelihood whose data lie on the edge of the hull of the statistics (all ones of a
    binary vector, a network without triangles, complete separation) is at infinity.

    Parameters
    ----------
    loss : SmoothLoss
    start, u : ndarray
        Where a search began and ended, ``(K,)``.
    hessian : ndarray
        At u, ``(K, K)``.
    tolerance : float
        Share of the loss that is rounding.
    rise : float
        Nats by which it rises the other way; where it does not, the parameters are not identified.
    least_part : float
        Of the largest number of a direction, below which others are none of it.

    Returns
    -------
    Recession or None
    """
    value = lambda place: float(loss.value_and_gradient(place)[0])
    candidates = [u - start]
    if np.isfinite(hessian).all():
        sizes, axes = np.linalg.eigh(hessian)
        # A minimum is certain where the loss bends as it does for a few data.
        candidates += [axes[:, i] for i in np.argsort(np.abs(sizes), kind="stable")]
    here, steps = value(u), _reach(u) * 2.0 ** np.arange(-12, 1)
    slack = tolerance * (1 + abs(here))
    with np.errstate(all="ignore"):
        for axis in candidates:
            if not np.abs(axis).max() > 0:
                continue
            axis = axis / np.abs(axis).max()
            axis = np.where(np.abs(axis) < least_part, 0.0, axis)
            for direction in (axis, -axis):
                ahead = np.array([value(u + t * direction) for t in steps])
                if np.isnan(ahead).any() or (np.diff([here, *ahead]) > slack).any():
                    continue
                behind = max(value(u - t * direction) for t in steps)
                if np.isnan(behind) or behind > here + rise:
                    return Recession(direction, here - float(ahead[-1]))
    return None


def _reach(u: NDArray) -> float:
    """How far to look: far beyond where the numbers are."""
    return 64 * (1 + float(np.abs(u).max()))
