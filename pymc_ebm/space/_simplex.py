"""Shares of a whole: compositions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytensor.tensor as pt
from pymc.distributions.transforms import simplex as _to_shares
from scipy.special import gammaln

from pymc_ebm.space.base import Space
from pymc_ebm.space.base_laws.kernel_mixture import KernelMixture
from pymc_ebm.space.moves import RandomWalk

__all__ = ["Simplex", "simplex"]


def simplex(d: int | None = None, *, tolerance: float = 1e-6) -> Simplex:
    r"""Compositions: d shares that are not negative and sum to 1.

    .. math:: Z = \int e^{−E(x)} \, dx_1 \cdots dx_{d−1}

    The measure is that of the first d − 1 shares, as of `pymc.Dirichlet`: log Z at E = 0 is
    −log (d − 1)!. That of the surface in R^d is √d times as large.

    Parameters
    ----------
    d : int, optional
        Number of shares; that of the data by default.
    tolerance : float
        How far a sum may be from 1, and a share below 0.

    Raises
    ------
    ValueError
        d below 2.

    References
    ----------
    J. Aitchison (1986), The Statistical Analysis of Compositional Data.

    Examples
    --------
    >>> space = simplex(3)
    >>> space.contains([[0.2, 0.3, 0.5], [0.2, 0.3, 0.6]]).tolist()
    [True, False]
    """
    space = Simplex(tolerance=tolerance)
    return space if d is None else space.of_events((int(d),))


@dataclass(frozen=True, eq=False, repr=False)
class Simplex(Space):
    """See `simplex`."""

    event_shape: tuple[int, ...] | None = None
    tolerance: float = 1e-6

    measure = "an integral over all shares but the last"
    noun = "compositions"
    discrete = False

    def contains(self, x, event_ndim=None):
        """See `Space`."""
        x = np.asarray(x, dtype=float)
        whole = np.abs(x.sum(axis=-1) - 1) <= self.tolerance
        return whole & (x >= -self.tolerance).all(axis=-1)

    def inside(self, x):
        """See `Space`."""
        whole = pt.le(pt.abs(x.sum(axis=-1) - 1), self.tolerance)
        return pt.and_(whole, pt.ge(x, -self.tolerance).all(axis=-1))

    def fault(self, event):
        """See `Space`."""
        if np.min(event) < -self.tolerance:
            return f"its smallest share is {np.min(event):.6g}", "Shares are not negative."
        return f"its sum is {np.sum(event):.6g}", "Divide each by its sum."

    def of_events(self, event_shape):
        """See `Space`."""
        if len(event_shape) != 1 or event_shape[0] < 2 or self.event_shape not in (
            None, event_shape,
        ):  # fmt: skip
            wanted = "(d,) with d at least 2" if self.event_shape is None else self.event_shape
            raise ValueError(
                f"An event of the simplex has shape {wanted}, and here it has {event_shape}. Give "
                'all shares, the last one too; for one share alone say support="unit".'
            )
        return replace(self, event_shape=tuple(event_shape))

    def bounds_of(self, n_dim):
        """See `Space`."""
        return np.zeros(n_dim), np.ones(n_dim)

    def base_law(self, data, rng):
        """A heavy-tailed mixture of log ratios, wider than the data's."""
        return LogRatioLaw(data, rng)

    def even_law(self):
        """See `Space`: Dirichlet's with parameters 1."""
        assert self.event_shape is not None
        return EvenShares(self.event_shape[0])

    @property
    def moves(self):
        """See `Space`."""
        return (RandomWalk(self.coordinates),)

    @property
    def coordinates(self):
        """See `Space`."""
        return LogRatios()

    @property
    def bounded(self):
        """Shares end at 0."""
        return True

    @property
    def transform(self):
        """See `Space`."""
        return _to_shares

    def interior(self, x):
        """See `Space`."""
        return self.contains(x) & (np.asarray(x) > 0).all(axis=-1)

    @classmethod
    def looks_like(cls, data):
        """See `Space`: fractions that are not negative and sum to 1 but for rounding."""
        if data.ndim != 2 or data.shape[1] < 2 or len(data) < 2 or (data < 0).any():
            return None
        sums, norms = data.sum(axis=1), np.linalg.norm(data, axis=1)
        near = np.abs(sums - 1) < 0.02
        return cls(data.shape[1:]) if near.all() and np.ptp(norms) > 1e-3 else None

    @property
    def key(self):
        """See `Space`."""
        return f"simplex {self.event_shape} {self.tolerance}".encode()

    def __str__(self):
        d = "d" if self.event_shape is None else self.event_shape[0]
        return f"the shares of {d} parts"


class LogRatios:
    """z_i = log(x_i / x_d), i < d; dx/dz is the product of all shares."""

    def forward(self, x):
        """See `Coordinates`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = np.log(x)
            return logs[:, :-1] - logs[:, -1:]

    def inverse(self, z):
        """See `Coordinates`."""
        return np.exp(self._log_shares(z))

    def log_volume(self, z):
        """See `Coordinates`."""
        logs = self._log_shares(z)
        return logs.sum(axis=1), 1 - logs.shape[1] * np.exp(logs[:, :-1])

    def pull(self, z, slope):
        """See `Coordinates`."""
        x = self.inverse(z)
        return x[:, :-1] * (slope[:, :-1] - (slope * x).sum(axis=1, keepdims=True))

    def _log_shares(self, z):
        z = np.concatenate([z, np.zeros((len(z), 1))], axis=1)
        with np.errstate(invalid="ignore"):
            z = z - z.max(axis=1, keepdims=True)
            return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class EvenShares:
    """Dirichlet's law with d parameters 1: exponential numbers over their sum."""

    d: int

    @property
    def n_uniforms(self) -> int:
        """See `BaseLaw`."""
        return self.d

    def points(self, u):
        """See `BaseLaw`."""
        x = -np.log(u)
        return x / x.sum(axis=1, keepdims=True), np.ones(len(u), dtype=bool)

    def log_density(self, x):
        """See `BaseLaw`."""
        return np.where(Simplex().contains(x), gammaln(self.d), -np.inf)


class LogRatioLaw:
    """A `KernelMixture` of log ratios.

    Parameters
    ----------
    rows : ndarray, shape (N, d)
        Data. Where a share is 0 it is taken for half of the smallest one.
    rng : numpy.random.Generator
    """

    def __init__(self, rows, rng):
        self.n_uniforms = rows.shape[1] + 1
        if self.n_uniforms == 3:
            self.n_uniforms = 1
        least = np.where(rows > 0, rows, np.inf).min(axis=0)
        self._coordinates = LogRatios()
        positive = np.where(rows > 0, rows, np.where(np.isfinite(least), least, 1.0) / 2)
        self._mixture = KernelMixture(self._coordinates.forward(positive), rng)

    def points(self, u):
        """See `BaseLaw`."""
        z = self._mixture.quantile(u) if self.n_uniforms == 1 else self._mixture.draw(u)
        x = self._coordinates.inverse(z)
        usable = np.isfinite(x).all(axis=1) & (x > 0).all(axis=1)
        x[~usable] = 1 / x.shape[1]
        return x, usable

    def log_density(self, x):
        """See `BaseLaw`; −inf at shares of 0, where it falls to nothing."""
        x = np.asarray(x, dtype=float)
        inside = Simplex().contains(x) & (x > 0).all(axis=1)
        log_q = np.full(len(x), -np.inf)
        z = self._coordinates.forward(x[inside])
        log_q[inside] = self._mixture.log_density(z) - self._coordinates.log_volume(z)[0]
        return log_q
