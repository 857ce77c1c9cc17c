"""Unit vectors: directions in d dimensions."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.logprob.transforms import Transform
from scipy.special import gammaln, ndtri

from pymc_ebm.space.base import Space

__all__ = ["Sphere", "log_area", "sphere"]


def sphere(d: int | None = None, *, tolerance: float = 1e-6) -> Sphere:
    r"""Unit vectors of R^d, with the surface measure of the sphere S^{d−1}.

    .. math:: Z = \int_{|x| = 1} e^{−E(x)} \, dσ(x), \qquad
              \int dσ = \frac{2 π^{d/2}}{Γ(d/2)}

    log Z at E = 0 is the log of the area: log 2π at d = 2, log 4π at d = 3. An `EBM` integrates by
    a product rule at d = 2 and 3 (Clenshaw–Curtis in x_3 times the trapezoid rule), and anneals
    geodesic random walks from the uniform law above, and where the rule does not resolve the model.

    Parameters
    ----------
    d : int, optional
        Length of the vectors; that of the data by default.
    tolerance : float
        How far a norm may be from 1.

    Raises
    ------
    ValueError
        d below 2.

    References
    ----------
    K. V. Mardia, P. E. Jupp (2000), Directional Statistics.

    Examples
    --------
    >>> import pymc_ebm as ebm
    >>> space = sphere(3)
    >>> space.contains([[0.0, 0.6, 0.8], [0.0, 0.6, 1.0]]).tolist()
    [True, False]

    Von Mises and Fisher's law, log Z = log(4π sinh κ / κ):

    >>> q = ebm.reference.rule(space, 32)
    >>> energy = lambda x, kappa: -kappa * x[..., 2]
    >>> ebm.log_partition(energy, 1.0, reference=q).eval().round(6).item()
    2.692464
    """
    space = Sphere(tolerance=tolerance)
    return space if d is None else space.of_events((int(d),))


@dataclass(frozen=True, eq=False, repr=False)
class Sphere(Space):
    """See `sphere`."""

    event_shape: tuple[int, ...] | None = None
    tolerance: float = 1e-6

    measure = "an integral over the surface of the sphere"
    noun = "directions"
    discrete = False

    def contains(self, x, event_ndim=None):
        """See `Space`."""
        x = np.asarray(x, dtype=float)
        with np.errstate(invalid="ignore"):
            return np.abs(np.sqrt((x**2).sum(axis=-1)) - 1) <= self.tolerance

    def inside(self, x):
        """See `Space`."""
        return pt.le(pt.abs(pt.sqrt((x**2).sum(axis=-1)) - 1), self.tolerance)

    def fault(self, event):
        """See `Space`."""
        norm = np.linalg.norm(event)
        return f"its norm is {norm:.6g}", "Divide each by its norm."

    def of_events(self, event_shape):
        """See `Space`."""
        if len(event_shape) != 1 or event_shape[0] < 2 or self.event_shape not in (
            None, event_shape,
        ):  # fmt: skip
            wanted = "(d,) with d at least 2" if self.event_shape is None else self.event_shape
            raise ValueError(
                f"An event of the sphere has shape {wanted}, and here it has {event_shape}. Give "
                'unit vectors; for angles say support="circle".'
            )
        return replace(self, event_shape=tuple(event_shape))

    def bounds_of(self, n_dim):
        """See `Space`."""
        return np.full(n_dim, -1.0), np.full(n_dim, 1.0)

    def base_law(self, data, rng):
        """All directions alike, whatever the data."""
        return EvenDirections(data.shape[1])

    def even_law(self):
        """See `Space`."""
        assert self.event_shape is not None
        return EvenDirections(self.event_shape[0])

    @property
    def moves(self):
        """See `Space`."""
        return (GeodesicStep(),)

    @property
    def coordinates(self):
        """See `Space`."""
        assert self.event_shape is not None
        return FromTheCentre(self.event_shape[0])

    @property
    def bounded(self):
        """The numbers of a unit vector are not free."""
        return True

    @property
    def transform(self):
        """See `Space`."""
        return ToUnitVector()

    def rule(self, order):
        """See `Space`: in two and three dimensions."""
        if self.event_shape is None:
            raise ValueError(
                "The sphere does not know how many numbers a direction has. Say it, "
                "pymc_ebm.space.sphere(3)."
            )
        [d] = self.event_shape
        if d > 3:
            return None
        n_around = order if d == 2 else 2 * order
        angles = 2 * np.pi * np.arange(n_around) / n_around
        around = np.stack([np.cos(angles), np.sin(angles)], axis=1)
        fine = np.full(n_around, np.log(2 * np.pi / n_around))
        coarse = np.where(np.arange(n_around) % 2, -np.inf, fine + np.log(2))
        if d == 2:
            return around, fine, coarse
        t, log_t, coarse_t = clenshaw_curtis(order)
        ring = np.sqrt(1 - t**2)[:, None, None] * around
        height = np.broadcast_to(t[:, None, None], (*ring.shape[:2], 1))
        points = np.concatenate([ring, height], axis=-1).reshape(-1, 3)
        return (
            points,
            (log_t[:, None] + fine).ravel(),
            (coarse_t[:, None] + coarse).ravel(),
        )

    @classmethod
    def looks_like(cls, data):
        """See `Space`: vectors of norm 1 but for rounding, that no other equation holds."""
        if data.ndim != 2 or data.shape[1] < 2 or len(data) < 2:
            return None
        sums = data.sum(axis=1)
        near = np.abs(np.linalg.norm(data, axis=1) - 1) < 0.02
        return cls(data.shape[1:]) if near.all() and np.ptp(sums) > 1e-3 else None

    @property
    def key(self):
        """See `Space`."""
        return f"sphere {self.event_shape} {self.tolerance}".encode()

    def __str__(self):
        d = "d" if self.event_shape is None else self.event_shape[0]
        return f"the unit vectors of {d} numbers"


def log_area(d: int) -> float:
    """Log of the area of the unit sphere in R^d.

    Examples
    --------
    >>> round(float(log_area(3) - np.log(4 * np.pi)), 12)
    0.0
    """
    return float(np.log(2) + d / 2 * np.log(np.pi) - gammaln(d / 2))


def clenshaw_curtis(order: int) -> tuple[NDArray, NDArray, NDArray]:
    """Nodes on [−1, 1], log weights, and those of the rule of half the order on every second node.

    Parameters
    ----------
    order : int
        Even; there are order + 1 nodes.

    References
    ----------
    C. W. Clenshaw, A. R. Curtis (1960), Numerische Mathematik 2, 197–205.

    Examples
    --------
    >>> t, log_weights, _ = clenshaw_curtis(8)
    >>> round(float(np.exp(log_weights) @ t**6), 12) == round(2 / 7, 12)
    True
    """
    log_weights = np.log(_weights(order))
    coarse = np.full(order + 1, -np.inf)
    coarse[::2] = np.log(_weights(order // 2))
    return np.cos(np.pi * np.arange(order + 1) / order), log_weights, coarse


def _weights(order: int) -> NDArray:
    k, j = np.arange(order + 1), np.arange(1, order // 2 + 1)
    b = np.where(2 * j == order, 1.0, 2.0) / (4 * j**2 - 1)
    weights = 1 - np.cos(2 * np.pi * np.outer(k, j) / order) @ b
    weights *= 2.0 / order
    weights[[0, -1]] /= 2
    return weights


@dataclass(frozen=True)
class EvenDirections:
    """The uniform law on the sphere in R^d."""

    d: int

    @property
    def n_uniforms(self) -> int:
        """See `BaseLaw`."""
        return self.d

    def points(self, u):
        """See `BaseLaw`."""
        z = ndtri(u)
        norm = np.linalg.norm(z, axis=1)
        usable = np.isfinite(norm) & (norm > 0)
        z[~usable] = np.eye(self.d)[0]
        return z / np.where(usable, norm, 1.0)[:, None], usable

    def log_density(self, x):
        """See `BaseLaw`."""
        return np.where(Sphere().contains(x), -log_area(self.d), -np.inf)


@dataclass(frozen=True, eq=False)
class GeodesicStep:
    """Along a great circle in any direction, by a normal angle with sd `width`."""

    def propose(self, rng, x, width):
        """See `Move`."""
        tangent = rng.normal(size=x.shape)
        tangent -= (tangent * x).sum(axis=1, keepdims=True) * x
        tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
        angle = width * rng.normal(size=(len(x), 1))
        moved = np.cos(angle) * x + np.sin(angle) * tangent
        return moved / np.linalg.norm(moved, axis=1, keepdims=True), np.zeros(len(x))


@dataclass(frozen=True, eq=False)
class FromTheCentre:
    r"""x = z / \|z\| of z in R^d, whose length has the law of a normal vector's.

    One number is too many; a normal law of z makes it known: v(z) is the density of N(0, 1) times
    the area.
    """

    d: int

    def forward(self, x):
        """See `Coordinates`; the lengths are spread evenly as their law is."""
        from scipy import stats

        golden = np.modf((np.arange(len(x)) + 0.5) * (np.sqrt(5) - 1) / 2)[0]
        return x * stats.chi(self.d).ppf(golden)[:, None]

    def inverse(self, z):
        """See `Coordinates`."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return z / np.linalg.norm(z, axis=1, keepdims=True)

    def log_volume(self, z):
        """See `Coordinates`."""
        constant = log_area(self.d) - self.d / 2 * np.log(2 * np.pi)
        return constant - (z**2).sum(axis=1) / 2, -z

    def pull(self, z, slope):
        """See `Coordinates`."""
        x = self.inverse(z)
        along = (slope * x).sum(axis=1, keepdims=True)
        return (slope - along * x) / np.linalg.norm(z, axis=1, keepdims=True)


class ToUnitVector(Transform):
    """A free vector whose direction is the event, and whose length has a normal vector's law."""

    name = "direction"
    ndim_supp = 1

    def backward(self, value, *inputs):
        """See PyMC's `Transform`."""
        return value / pt.sqrt((value**2).sum(axis=-1, keepdims=True))

    def forward(self, value, *inputs):
        """See PyMC's `Transform`."""
        return pt.as_tensor(value)

    def log_jac_det(self, value, *inputs):
        """See PyMC's `Transform`."""
        d = value.shape[-1].astype("float64")
        area = pt.log(2.0) + d / 2 * pt.log(np.pi) - pt.gammaln(d / 2)
        return area - d / 2 * pt.log(2 * np.pi) - (value**2).sum(axis=-1) / 2
