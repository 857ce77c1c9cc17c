"""Modes of a continuous energy, their mass by Laplace's method, and whether points carry it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from pymc_ebm.reference.base import Reference

__all__ = ["Mode", "find_modes", "missed_mass"]

# Shares of a mode: of the model's mass below which it does not matter, and of the expected weight
# around it below which the points miss it.
_LEAST_MASS = 1e-3
_MISSED = 0.2
# Effective points that must be expected around a mode before their absence says anything.
_FEWEST_EXPECTED = 7
_STEPS = 60


@dataclass(frozen=True)
class Mode:
    """A minimum of the energy with its curvature.

    Attributes
    ----------
    place : ndarray
        ``(D,)``.
    curvature : ndarray
        Second derivatives of the energy, ``(D, D)``, positive definite.
    log_mass : float
        Log of the integral of exp(−E) of that curvature, in nats.
    """

    place: NDArray
    curvature: NDArray
    log_mass: float

    def distance(self, x) -> NDArray:
        """Mahalanobis distance of points ``(..., D)``."""
        move = x - self.place
        return np.sqrt(np.einsum("...i,ij,...j->...", move, self.curvature, move))


def find_modes(
    energy: Callable[[NDArray], float],
    slope: Callable[[NDArray], NDArray],
    starts: NDArray,
    lower: NDArray,
    upper: NDArray,
    scale: NDArray,
) -> list[Mode]:
    """Minima in which descents end, where the energy around them is like its curvature.

    Parameters
    ----------
    energy, slope : callable
        Of one event, ``(D,)``.
    starts : ndarray
        ``(B, D)``, within the bounds.
    lower, upper : ndarray
        Bounds, ``(D,)``; minima at them do not count.
    scale : ndarray
        Width of the points and data, ``(D,)``.

    Returns
    -------
    list of Mode
    """
    found: list[Mode] = []
    for start in starts:
        with np.errstate(all="ignore"):
            end = optimize.minimize(
                energy, start, jac=slope, method="L-BFGS-B",
                bounds=list(zip(lower, upper, strict=True)), options={"maxiter": _STEPS},
            )  # fmt: skip
        inside = ((end.x - lower > 1e-6 * scale) & (upper - end.x > 1e-6 * scale)).all()
        if not (np.isfinite(end.fun) and inside):
            continue
        if any(mode.distance(end.x) < 0.1 for mode in found):
            continue
        mode = _mode(end.x, energy, slope, scale)
        if mode is not None:
            found.append(mode)
    return found


def missed_mass(
    modes: Sequence[Mode],
    points: NDArray,
    weights: NDArray,
    log_z: float,
    size: float,
    reference: Reference,
) -> tuple[float, NDArray | None, bool]:
    """The largest mode that the points miss.

    The points should carry half of a mode's share within the ellipsoid that holds half of it.

    Parameters
    ----------
    modes : sequence of Mode
    points : ndarray
        ``(M, *event)``.
    weights : ndarray
        Normalised weights, ``(M,)``.
    log_z : float
        log Ẑ by these weights, in nats.
    size : float
        Effective number of points.
    reference : Reference

    Returns
    -------
    share : float
        Of the model's mass; 0 where none is missed for certain.
    place : ndarray or None
    undecided : bool
        Whether one seems to be missed, and the effective points are too few to tell.
    """
    if not modes:
        return 0.0, None, False
    log_masses = np.array([mode.log_mass for mode in modes])
    total = np.logaddexp.reduce(log_masses)
    if reference.absolute:
        total = max(total, log_z)
    shares = np.exp(log_masses - total)
    rows = points.reshape(len(points), -1)
    half = np.sqrt(stats.chi2(rows.shape[1]).median())
    carried = np.array([weights[mode.distance(rows) < half].sum() for mode in modes])
    expected = shares / 2
    empty = (shares >= _LEAST_MASS) & (carried < _MISSED * expected)
    certain = expected * size >= _FEWEST_EXPECTED
    lost = np.where(empty & certain, shares, 0.0)
    worst = int(lost.argmax())
    return float(lost[worst]), modes[worst].place, bool((empty & ~certain).any())


def _mode(x, energy, slope, scale) -> Mode | None:
    """The mode at x; None where the energy around it is not like its curvature."""
    steps = np.diag(1e-4 * scale)
    with np.errstate(all="ignore"):
        rows = [(slope(x + h) - slope(x - h)) / (2 * h.max()) for h in steps]
    curvature = np.array(rows)
    if not np.isfinite(curvature).all():
        return None
    curvature = (curvature + curvature.T) / 2
    widths, axes = np.linalg.eigh(curvature)
    if widths.min() <= 0:
        return None
    lowest = energy(x)
    for width, axis in zip(widths, axes.T, strict=True):
        for sign in (-1, 1):
            rise = energy(x + sign * axis / np.sqrt(width)) - lowest
            if not 0.15 < rise < 1.5:  # 1/2 for a Gaussian
                return None
    log_mass = -lowest + len(x) / 2 * np.log(2 * np.pi) - np.log(widths).sum() / 2
    return Mode(x, curvature, log_mass)
