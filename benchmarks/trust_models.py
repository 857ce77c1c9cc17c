"""Models that `trust.py` judges, with the log posterior of their parameter on a grid."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from scipy import special, stats

import pymc_ebm as ebm
from pymc_ebm.energy.split import VECTORISED


@dataclass(frozen=True)
class Setup:
    """One posterior to judge; `reaches` where the reference covers the model by construction.

    The data are independent, and all have the one parameter.
    """

    name: str
    energy: Callable
    log_z: Callable
    data: np.ndarray
    reference: Callable
    grid: np.ndarray
    reaches: bool

    def log_posterior(self, reference=None, every=1) -> np.ndarray:
        """On each k-th value of the grid; exact without a reference."""
        grid, n = self.grid[::every], len(self.data)
        energy = at_theta(self.energy, np.asarray(self.data))
        of_data = np.array([energy(t).sum() for t in grid])
        return -of_data - n * normaliser(self.energy, self.log_z, reference, grid)

    def observe(self, t, reference):
        """Put the data into the model of the context, with parameter t."""
        ebm.EBM("x", t, energy=self.energy, reference=reference, observed=self.data)


@dataclass(frozen=True)
class Mixture(Setup):
    """Half of the data have the energy, the others are normal about `centre` with sd 1.

    The latter are `pm.Normal`, or an EBM with a reference of its own where there is a `twin`. The
    references are a tuple of one or two.
    """

    centre: float = 0.0
    twin: Callable | None = None

    def log_posterior(self, reference=None, every=1) -> np.ndarray:
        """On each k-th value of the grid; exact without a reference."""
        grid, x = self.grid[::every], np.asarray(self.data)
        energy = at_theta(self.energy, x)
        log_z = normaliser(self.energy, self.log_z, reference and reference[0], grid)
        other = stats.norm(self.centre, 1).logpdf(x)
        if reference is not None and self.twin is not None:
            points = at_theta(unit, reference[1].points)(self.centre)
            other = -((x - self.centre) ** 2) / 2
            other -= special.logsumexp(reference[1].log_weights - points)
        return np.array(
            [np.logaddexp(-energy(t) - z, other).sum() for t, z in zip(grid, log_z, strict=True)]
        )

    def observe(self, t, reference):
        """Put the data into the model of the context, with parameter t."""
        other = pm.Normal.dist(self.centre, 1)
        if self.twin is not None:
            other = ebm.EBM.dist(self.centre, energy=unit, reference=reference[1])
        first = ebm.EBM.dist(t, energy=self.energy, reference=reference[0])
        pm.Mixture("x", [0.5, 0.5], [first, other], observed=self.data)


@dataclass(frozen=True)
class Regression(Setup):
    """The parameter of datum n is exp(t z_n)."""

    z: np.ndarray | None = None

    def log_posterior(self, reference=None, every=1) -> np.ndarray:
        """On each k-th value of the grid; exact without a reference."""
        grid, x = self.grid[::every], np.asarray(self.data)
        log_p = np.zeros(len(grid))
        for z in np.unique(self.z):
            of_level = Setup(
                "", self.energy, self.log_z, x[self.z == z], None, np.exp(grid * z), True
            )
            log_p += of_level.log_posterior(reference)
        return log_p

    def observe(self, t, reference):
        """Put the data into the model of the context, with coefficient t."""
        scale = pt.exp(t * self.z)
        ebm.EBM("x", scale, energy=self.energy, reference=reference, observed=self.data)


def normaliser(energy, log_z, reference, grid):
    """log Z at values of the parameter, exact without a reference; +inf where none has weight."""
    if reference is None:
        return log_z(grid)
    energy = at_theta(energy, reference.points)
    found = np.array([special.logsumexp(reference.log_weights - energy(t)) for t in grid])
    return np.where(np.isneginf(found), np.inf, found)


def at_theta(energy, x):
    """E(x | θ) as a function of θ, in NumPy."""
    x = np.asarray(x)
    return partial(compiled(energy, x.dtype.name, x.ndim), x)


@cache
def compiled(energy, dtype, ndim):
    """E(x | θ) as a function of both."""
    x, theta = pt.tensor(dtype=dtype, shape=(None,) * ndim), pt.dscalar()
    return pytensor.function([x, theta], energy(x, theta), mode=VECTORISED)


def unit(x, c):
    """Standard deviation 1 about c."""
    return (x - c) ** 2 / 2
