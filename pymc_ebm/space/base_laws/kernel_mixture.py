"""Heavy-tailed mixtures shaped like data: half broad, half kernels at the data."""

from __future__ import annotations

import numpy as np
import scipy
from scipy.special import expit, gammaln, logit, ndtri, stdtrit

from pymc_ebm.space.box_map import BoxMap

NU = 5.0  # degrees of freedom: heavier than a Gaussian, with a finite variance
LARGEST_INTEGER = 2.0**50  # floats tell neighbours apart up to here
# Quantiles of a component at which the inverse of the distribution function is tabulated, to the
# least tail that its closed form resolves.
_LEAST_TAIL = 1e-11
_T_STEPS = stdtrit(NU, expit(np.linspace(logit(_LEAST_TAIL), 0, 51)))
_T_STEPS = np.concatenate([_T_STEPS, -_T_STEPS[:-1]])
_T_PEAK = 8 / (3 * np.pi * np.sqrt(NU))


class KernelMixture:
    """Half a broad Student t, half kernels at up to 64 centres, on the whole line.

    The broad half has mean and (2 sd)² covariance of the data. The kernels have 1.5 times
    Silverman's bandwidth for the number of centres, and keep the modes.

    Parameters
    ----------
    z : ndarray, shape (N, D)
        Data on the whole line.
    rng : numpy.random.Generator
    correlated : bool
        Whether to follow the data's correlations, or keep coordinates independent.
    """

    def __init__(self, z, rng, correlated: bool = True):
        most_centres = 64
        n, n_dim = z.shape
        self.mean = z.mean(axis=0)
        sd = z.std(axis=0)
        # Constant data say nothing of their scale; their size is the only one there is.
        fallback = np.where(self.mean != 0, np.abs(self.mean), 1.0)
        sd = np.where(sd > 1e-12 * fallback, sd, fallback)
        self.scale = np.diag(sd)
        if correlated and n_dim > 1:
            w = (z - self.mean) / sd
            shrink = n_dim / (n + n_dim)  # keeps it positive definite for few data
            correlation = (1 - shrink) * (w.T @ w) / n + shrink * np.eye(n_dim)
            self.scale = sd[:, None] * np.linalg.cholesky(correlation)
        if n_dim == 1:
            k = min(n, most_centres)
            self.centres = np.quantile(z, (np.arange(k) + 0.5) / k, axis=0)
        else:
            self.centres = z[rng.choice(n, min(n, most_centres), replace=False)]
        k = len(self.centres)
        self.bandwidth = 1.5 * (4 / (k * (n_dim + 2))) ** (1 / (n_dim + 4))
        self.broad = 2 * np.sqrt((NU - 2) / NU)

    @property
    def components(self):
        """Log weight, location and scale factor of each component."""
        yield np.log(0.5), self.mean, self.broad
        for centre in self.centres:
            yield np.log(0.5 / len(self.centres)), centre, self.bandwidth

    def _component(self, u):
        k = len(self.centres)
        kernel = np.minimum(((2 * u - 1) * k).astype(int), k - 1)
        broad = u < 0.5
        location = np.where(broad[:, None], self.mean, self.centres[np.maximum(kernel, 0)])
        return location, np.where(broad, self.broad, self.bandwidth)[:, None]

    def draw(self, u):
        """Points ``(M, D)`` from uniforms ``(M, D + 2)``: component, coordinates, radius."""
        location, factor = self._component(u[:, 0])
        t = ndtri(u[:, 1:-1]) / np.sqrt(scipy.stats.chi2.ppf(u[:, -1:], NU) / NU)
        return location + factor * (t @ self.scale.T)

    def quantile(self, u):
        """Points ``(M, 1)`` on one axis from uniforms ``(M, 1)``, in their order.

        One uniform makes a point, so that Sobol points keep their balance, which a choice of
        components spoils. Newton steps on the log odds stay within two entries of a table.
        """
        wanted = logit(np.clip(u[:, 0], _LEAST_TAIL, 1 - _LEAST_TAIL))
        table = np.unique(
            np.concatenate([c + f * self.scale[0, 0] * _T_STEPS for _, c, f in self.components])
        )
        odds, _ = self._log_odds(table)
        z = np.interp(wanted, odds, table)
        above = np.clip(np.searchsorted(table, z), 1, len(table) - 1)
        for _ in range(3):
            odds, slope = self._log_odds(z)
            z = np.clip(z - (odds - wanted) / slope, table[above - 1], table[above])
        return z[:, None]

    def _log_odds(self, z):
        """Log odds ``(M,)`` of lying below z ``(M,)``, and their slope."""
        below, above, density = np.zeros((3, len(z)))
        for log_weight, location, factor in self.components:
            sd, weight = factor * self.scale[0, 0], np.exp(log_weight)
            t = (z - location[0]) / sd
            # The distribution function of 5 degrees of freedom in closed form; each tail by
            # itself, as a difference from 1 has no digits far out.
            sine2 = NU / (NU + t**2)
            sine, cosine = np.sqrt(sine2), np.sqrt(1 - sine2)
            tail = weight / np.pi * (np.arcsin(sine) - sine * cosine * (1 + 2 / 3 * sine2))
            below += np.where(t < 0, tail, weight - tail)
            above += np.where(t < 0, weight - tail, tail)
            density += weight / sd * _T_PEAK * sine2**3
        return np.log(below) - np.log(above), density * (1 / below + 1 / above)

    def log_density(self, z):
        """Log density ``(M,)`` at z ``(M, D)``, one component at a time to save memory."""
        n_dim = z.shape[1]
        white = lambda x: np.linalg.solve(self.scale, np.atleast_2d(x).T).T
        log_det = np.log(np.diag(self.scale)).sum()
        constant = gammaln((NU + n_dim) / 2) - gammaln(NU / 2) - n_dim / 2 * np.log(NU * np.pi)
        w, total = white(z), np.full(len(z), -np.inf)
        for log_weight, location, factor in self.components:
            square = (((w - white(location)) / factor) ** 2).sum(axis=1)
            log_t = constant - (NU + n_dim) / 2 * np.log1p(square / NU)
            total = np.logaddexp(total, log_weight + log_t - log_det - n_dim * np.log(factor))
        return total

    def draw_product(self, u):
        """Points ``(M, D)`` with independent coordinates, from uniforms ``(M, D + 1)``."""
        location, factor = self._component(u[:, 0])
        return location + factor * np.diag(self.scale) * scipy.stats.t.ppf(u[:, 1:], NU)

    def log_mass(self, k, line: BoxMap):
        """Log mass ``(M,)`` of the cells [k, k+1) of integers k ``(M, D)``, by CDF differences."""
        total = np.full(len(k), -np.inf)
        edges = [(*_cells(k, line, j), np.diag(self.scale)[j]) for j in range(k.shape[1])]
        for log_weight, location, factor in self.components:
            log_mass = np.full(len(k), log_weight)
            for j, (low, middle, high, width, inverse, sd) in enumerate(edges):
                cell = _log_difference(low, middle, high, width, location[j], factor * sd)
                log_mass += cell[inverse]
            total = np.logaddexp(total, log_mass)
        return total


def _cells(k, line, j):
    """Ends, middle and width on the line of each distinct cell of coordinate j."""
    one = BoxMap(line.lower[j : j + 1], line.upper[j : j + 1])
    values, inverse = np.unique(k[:, j], return_inverse=True)
    x = values.astype(float)[:, None]
    low, middle, high = (one.forward(x + shift)[:, 0] for shift in (0.0, 0.5, 1.0))
    width = np.exp(one.log_slope(x + 0.5)[:, 0])
    return low, middle, high, width, inverse.ravel()


def _log_difference(low, middle, high, width, location, scale):
    a, m, b = ((end - location) / scale for end in (low, middle, high))
    upper = m > 0  # subtract the smaller of the two tails
    mass = np.where(
        upper,
        scipy.stats.t.sf(a, NU) - scipy.stats.t.sf(b, NU),
        scipy.stats.t.cdf(b, NU) - scipy.stats.t.cdf(a, NU),
    )
    width = width / scale
    # In a narrow cell a difference loses its digits, and the middle is good to width².
    with np.errstate(divide="ignore"):
        return np.where(width < 1e-5, scipy.stats.t.logpdf(m, NU) + np.log(width), np.log(mass))
