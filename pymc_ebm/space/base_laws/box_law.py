"""A heavy-tailed law of numbers or whole numbers in a box, shaped like data.

It turns uniforms into points and knows its log density anywhere, so that one law makes the Sobol
points of a reference and the fresh draws of its proposal.
"""

from __future__ import annotations

import numpy as np

from pymc_ebm.space.base_laws.kernel_mixture import LARGEST_INTEGER, KernelMixture
from pymc_ebm.space.box_map import BoxMap


class BoxLaw:
    """A `KernelMixture` on the line, mapped into a box; of integers, its floor.

    Parameters
    ----------
    rows : ndarray, shape (N, D)
        Data.
    lower, upper : ndarray, shape (D,)
        The box.
    integer : bool
    rng : numpy.random.Generator
        Chooses the kernels' centres.
    """

    def __init__(self, rows, lower, upper, integer: bool, rng):
        self.lower, self.upper, self.integer = lower, upper, integer
        self.line = BoxMap(lower, upper + integer)  # an integer k is the cell [k, k+1)
        self.mixture = KernelMixture(
            self.line.forward(self.inside(rows + 0.5 * integer)), rng, correlated=not integer
        )
        self.placeholder = self.inside(rows + 0.0)[0]
        n_dim = rows.shape[1]
        # The numbers of points at an integer, made of one uniform each, are nearly those of the
        # other scramblings, which then say nothing of the error.
        self.n_uniforms = 1 if n_dim == 1 and not integer else n_dim + 2 - integer

    def points(self, u):
        """Points ``(M, D)`` from uniforms, and whether each kept its place in rounding."""
        if self.n_uniforms == 1:
            z = self.mixture.quantile(u)
        else:
            z = self.mixture.draw_product(u) if self.integer else self.mixture.draw(u)
        x = self.line.inverse(z)
        if self.integer:
            x = np.floor(x)
        usable = self._usable(x)
        x[~usable] = self.placeholder
        return (np.floor(x).astype(np.int64) if self.integer else x), usable

    def log_density(self, x):
        """Log density ``(M,)`` of rows ``(M, D)``; −inf outside the box.

        On a face the density has no value, and takes that of the nearest number inside.
        """
        x = np.asarray(x)
        within = ((x >= self.lower) & (x <= self.upper) & np.isfinite(x)).all(axis=1)
        if self.integer:
            within &= self._usable(x)
        log_q = np.full(len(x), -np.inf)
        x = x[within]
        if self.integer:
            log_q[within] = self.mixture.log_mass(x.astype(np.int64), self.line)
        else:
            x = np.clip(
                x, np.nextafter(self.lower, self.upper), np.nextafter(self.upper, self.lower)
            )
            slope = self.line.log_slope(x).sum(axis=1)
            log_q[within] = self.mixture.log_density(self.line.forward(x)) + slope
        return log_q

    def _usable(self, x):
        if self.integer:
            inside = (x >= self.lower) & (x <= self.upper) & (np.abs(x) < LARGEST_INTEGER)
            inside &= x == np.floor(x)
        else:
            inside = (x > self.lower) & (x < self.upper) & np.isfinite(x)
        return inside.all(axis=1)

    def inside(self, rows):
        """Data at a bound, where the map is infinite, moved half the way to their neighbours."""
        low, high = rows - self.line.lower, self.line.upper - rows
        gap = np.minimum(
            np.where(low > 0, low, np.inf).min(axis=0), np.where(high > 0, high, np.inf).min(axis=0)
        )
        gap = np.where(np.isfinite(gap), gap, 1.0) / 2
        rows = np.where(low > 0, rows, self.line.lower + gap)
        return np.where(high > 0, rows, self.line.upper - gap)
