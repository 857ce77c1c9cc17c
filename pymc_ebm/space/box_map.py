"""Smooth maps between a box and the whole line, one coordinate at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy


@dataclass(frozen=True, eq=False)
class BoxMap:
    """z = x, log(x − lower), −log(upper − x) or logit, by which bounds are finite.

    Parameters
    ----------
    lower, upper : ndarray, shape (D,)
        Bounds of each coordinate.

    Examples
    --------
    >>> to = BoxMap(np.array([0.0]), np.array([np.inf]))
    >>> to.inverse(to.forward(np.array([[2.0]]))).item()
    2.0
    """

    lower: np.ndarray
    upper: np.ndarray

    def forward(self, x):
        """Give z of x, both ``(M, D)``; infinite at a bound."""
        with np.errstate(divide="ignore", invalid="ignore"):
            low = np.where(np.isfinite(self.lower), np.log(x - self._low), 0.0)
            high = np.where(np.isfinite(self.upper), np.log(self._high - x), 0.0)
        return np.where(self._free, x, low - high)

    def inverse(self, z):
        """Give x of z, both ``(M, D)``; may round to a bound or overflow."""
        if self._free.all():
            return z
        with np.errstate(over="ignore", invalid="ignore"):
            both = self._low + (self._high - self._low) * scipy.special.expit(z)
            half = np.where(np.isfinite(self.lower), self._low + np.exp(z), self._high - np.exp(-z))
        boxed = np.isfinite(self.lower) & np.isfinite(self.upper)
        return np.where(self._free, z, np.where(boxed, both, half))

    def log_slope(self, x):
        """Give log dz/dx in each coordinate, ``(M, D)``."""
        with np.errstate(divide="ignore", invalid="ignore"):
            low = np.where(np.isfinite(self.lower), np.log(x - self._low), 0.0)
            high = np.where(np.isfinite(self.upper), np.log(self._high - x), 0.0)
        boxed = np.isfinite(self.lower) & np.isfinite(self.upper)
        width = np.log(np.where(boxed, self._high - self._low, 1.0))
        return np.where(self._free, 0.0, width - low - high)

    def log_volume(self, z):
        """Give log dx/dz summed over coordinates, ``(M,)``, and its slope by z, ``(M, D)``."""
        if self._free.all():
            return np.zeros(len(z)), np.zeros_like(z)
        low, high = np.isfinite(self.lower), np.isfinite(self.upper)
        with np.errstate(divide="ignore", invalid="ignore"):
            log_span = np.log(self._high - self._low)
        both = log_span + scipy.special.log_expit(z) + scipy.special.log_expit(-z)
        half = np.where(low, z, -z)
        value = np.where(self._free, 0.0, np.where(low & high, both, half))
        bend = np.where(low & high, -np.tanh(z / 2), np.where(low, 1.0, -1.0))
        return value.sum(axis=1), np.where(self._free, 0.0, bend)

    def width(self, z):
        """Give dx/dz in each coordinate, ``(M, D)``, or 1 where it is that of all."""
        if self._free.all():
            return 1.0
        with np.errstate(over="ignore", invalid="ignore"):
            both = (self._high - self._low) * scipy.special.expit(z) * scipy.special.expit(-z)
            half = np.exp(np.where(np.isfinite(self.lower), z, -z))
        boxed = np.isfinite(self.lower) & np.isfinite(self.upper)
        return np.where(self._free, 1.0, np.where(boxed, both, half))

    def pull(self, z, slope):
        """See `Coordinates`."""
        return slope * self.width(z)

    @property
    def _free(self):
        return ~np.isfinite(self.lower) & ~np.isfinite(self.upper)

    # Finite stand-ins keep the branches that are not taken free of inf − inf.
    @property
    def _low(self):
        return np.where(np.isfinite(self.lower), self.lower, 0.0)

    @property
    def _high(self):
        return np.where(np.isfinite(self.upper), self.upper, 0.0)
