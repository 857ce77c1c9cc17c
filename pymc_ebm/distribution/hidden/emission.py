"""What is observed at each site of a hidden field, given the state there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.distribution.missing import CODE

__all__ = ["Emission", "EmissionFunction", "Layout"]

#: ``emission(x, *params)``, states ``(*batch, *event)`` to a distribution of what is seen of them.
EmissionFunction = Callable[..., TensorVariable]

# Log density of what cannot be: finite, as it is multiplied by zero at all other states.
IMPOSSIBLE = -1e10


@dataclass(frozen=True)
class Layout:
    """Which axes of the data ``(*batch, *event, *channels)`` are which.

    Attributes
    ----------
    batch, event, channels : tuple of int
    """

    batch: tuple[int, ...]
    event: tuple[int, ...]
    channels: tuple[int, ...]

    @property
    def n_sites(self) -> int:
        """D."""
        return int(np.prod(self.event))


@dataclass(frozen=True, eq=False)
class Emission:
    """p(y_i | x_i, φ), the same for all sites or with covariates of each.

    Attributes
    ----------
    function : callable
        ``emission(x, *params)`` of PyTensor variables, which returns a PyMC distribution.
    values : ndarray
        States that a site may have, ``(K,)``.
    layout : Layout
    typical : ndarray
        A value that occurs, ``(*channels)``, which stands in for missing ones.
    """

    function: EmissionFunction
    values: NDArray
    layout: Layout
    typical: NDArray

    @property
    def small_dtype(self) -> np.dtype:
        """The smallest type of signed numbers that holds the states of a site."""
        if self.values.dtype.kind == "f":
            return self.values.dtype
        return np.min_scalar_type(-1 - int(np.abs(self.values).max()))

    def of_sites(self, n_sites: int) -> Emission:
        """The same for so many sites of one image, whichever they are."""
        return replace(self, layout=Layout((), (n_sites,), self.layout.channels))

    def distribution(self, x, params: Sequence) -> TensorVariable:
        """What the user's function gives for states ``(*batch, *event)``.

        Raises
        ------
        TypeError
            What is returned is no distribution.
        """
        found = self.function(x, *params)
        op = getattr(getattr(found, "owner", None), "op", None)
        if getattr(op, "ndim_supp", None) is None:
            raise TypeError(
                f"emission= returned {found!r}, which is no distribution. Return one of PyMC, such "
                "as pm.Normal.dist(mu[x], sigma)."
            )
        return found

    def log_densities(self, y, params: Sequence) -> TensorVariable:
        """Graph of log p(y_i | x_i = v, φ), ``(*batch, D, K)`` in nats; zero where y_i is missing.

        Parameters
        ----------
        y : TensorVariable
            ``(*batch, *event, *channels)``, NaN or `CODE` where a value is missing.
        params : sequence of TensorVariable
            φ.
        """
        first = y.ndim - len(self.layout.event) - len(self.layout.channels)
        columns = [
            self.of_state(value, y, params).reshape((*y.shape[:first], self.layout.n_sites))
            for value in self.values
        ]
        return pt.stack(columns, axis=-1)

    def of_state(self, value, y, params: Sequence) -> TensorVariable:
        """Graph of log p(y_i | x_i = value, φ), ``(*batch, *event)``, as `log_densities`."""
        event = self.layout.event
        absent = pt.isnan(y) if y.dtype.startswith("float") else pt.eq(y, CODE)
        seen = pt.switch(absent, self.typical.astype(y.dtype), y)
        first = y.ndim - len(event) - len(self.layout.channels)
        distribution = self.distribution(pt.constant(np.full(event, value)), params)
        log_density = pm.logp(distribution, seen)
        own = tuple(range(-distribution.owner.op.ndim_supp, 0))
        missing = absent.any(axis=own) if own else absent
        log_density = pt.switch(missing, 0.0, pt.maximum(log_density, IMPOSSIBLE))
        channels = tuple(range(first + len(event), log_density.ndim))
        return log_density.sum(axis=channels) if channels else log_density
