"""The axes along which panels are laid: fine where data are, and reaching far beyond them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.space.box_map import BoxMap

# Logarithms of all numbers that the format holds lie within.
_LARGEST_LOG = 745.0


class Placed(NamedTuple):
    """Points of given coordinates."""

    points: NDArray  # (M, D)
    log_slopes: NDArray  # (M,), log |dx/dt|; −inf where rounding left the space


class Axes:
    r"""Coordinates t with x = ℓ(c + A sinh t), ℓ the map of the line onto the box.

    The integrand of a tail x^{−ν−1} falls like e^{−νt}, so a few wide panels hold it, and a
    singularity at a bound is at t = −∞. c is the median and A the root of a robust covariance of
    the data on the line.

    Parameters
    ----------
    data : ndarray, shape (N, D)
    lower, upper : ndarray, shape (D,)
        Bounds of the box; data lie on it or inside.

    Examples
    --------
    >>> data = np.array([[-3.0], [-1.0], [0.0], [1.0], [2.0]])
    >>> axes = Axes(data, np.array([-np.inf]), np.array([np.inf]))
    >>> t = axes.coordinates(data)
    >>> bool(np.allclose(axes.place(t).points, data))
    True
    """

    def __init__(self, data: NDArray, lower: NDArray, upper: NDArray):
        self._line = BoxMap(lower, upper)
        z = self._line.forward(_off_the_bounds(data, lower, upper))
        self._centre = np.median(z, axis=0)
        self._root = _root(z - self._centre)
        self._to_t = np.linalg.inv(self._root)
        free = np.isneginf(lower) & np.isposinf(upper)
        # x up to 10^10 scales in two dimensions and 10^27 in one.
        most = 24.0 if len(lower) > 1 else 64.0
        ends = (_LARGEST_LOG + np.abs(self._centre)) @ np.abs(self._to_t).T
        mapped = 2.0 ** np.ceil(np.log2(np.arcsinh(ends)))
        self.end = np.where(free.all(), most, np.minimum(mapped, most))  # (D,)

    def coordinates(self, x: NDArray) -> NDArray:
        """Coordinates t of points ``(M, D)``; those on a bound are at the end."""
        with np.errstate(invalid="ignore"):
            z = np.nan_to_num(self._line.forward(x), posinf=_LARGEST_LOG, neginf=-_LARGEST_LOG)
        t = np.arcsinh((z - self._centre) @ self._to_t.T)
        return np.clip(t, -self.end, self.end)

    def place(self, t: NDArray) -> Placed:
        """Points of coordinates ``(M, D)``, and log |dx/dt|."""
        x = self._line.inverse(self._centre + np.sinh(t) @ self._root.T)
        inside = (x > self._line.lower) & (x < self._line.upper) & np.isfinite(x)
        inside = inside.all(axis=1)
        x[~inside] = self._line.inverse(self._centre[None])[0]
        slopes = np.log(np.cosh(t)).sum(axis=1) - self._line.log_slope(x).sum(axis=1)
        slopes += np.linalg.slogdet(self._root)[1]
        return Placed(x, np.where(inside, slopes, -np.inf))


def _off_the_bounds(data, lower, upper):
    """Data on a bound, where the map is infinite, moved half the way to their neighbours."""
    low, high = data - lower, upper - data
    gap = np.minimum(
        np.where(low > 0, low, np.inf).min(axis=0), np.where(high > 0, high, np.inf).min(axis=0)
    )
    gap = np.where(np.isfinite(gap), gap, 1.0) / 2
    data = np.where(low > 0, data, lower + gap)
    return np.where(high > 0, data, upper - gap)


def _root(z: NDArray) -> NDArray:
    """Symmetric root of a robust covariance, which leaves uncorrelated coordinates alone."""
    # The interquartile range of a normal distribution has 1.349 sds.
    scale = np.subtract(*np.quantile(z, [0.75, 0.25], axis=0)) / 1.349
    scale = np.where(scale > 0, scale, z.std(axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    if len(scale) == 1 or not z.any():
        return np.diag(scale)
    # Data farther out count as if they were there.
    near = np.clip(z / scale, -3.0, 3.0)
    values, vectors = np.linalg.eigh(near.T @ near / len(near))
    values = np.maximum(values, 1e-8 * values[-1])
    return scale[:, None] * ((vectors * np.sqrt(values)) @ vectors.T)
