"""The change that an energy says a new value of a site makes, checked against the energy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba.core.dispatcher import Dispatcher

from pymc_ebm.energies.local_change import KeptChange, kept_change
from pymc_ebm.sampling.compiled_energies import spell
from pymc_ebm.space.sites import Sites

__all__ = ["LocalChange", "local_change_of"]


@dataclass(frozen=True, eq=False)
class LocalChange:
    """E(x with x[site] = value) − E(x) by a compiled function, at one row of parameters.

    Attributes
    ----------
    function : callable
        ``(x, site, value, *params) -> float``, x of shape ``(D,)``.
    sites : Sites
    params : tuple
        Numbers, and arrays of one or more dimensions.
    """

    function: Callable
    sites: Sites
    params: tuple

    @property
    def kept(self) -> KeptChange:
        """The same by tables that are kept along a chain."""
        return kept_change(self.function)

    @property
    def spelt(self) -> str:
        """The parameters, for a message."""
        return spell([np.asarray(p) for p in self.params])

    def check(self, codes: np.ndarray, energy_of, rng: np.random.Generator) -> None:
        """Compare with differences of the energy, at one changed site of each state.

        Parameters
        ----------
        codes : ndarray of int, shape (B, D)
            States; those whose energy is not finite are passed over.
        energy_of : callable
            Energies of points.
        rng : numpy.random.Generator
            Chooses the sites and their values.

        Raises
        ------
        ValueError
            If they differ.
        """
        rows, values = np.arange(len(codes)), self.sites.values
        site = rng.integers(codes.shape[1], size=len(codes))
        after = codes.copy()
        n = self.sites.n_values[site]
        after[rows, site] = (after[rows, site] + rng.integers(1, np.maximum(n, 2))) % n
        energies = energy_of(self.sites.points(np.concatenate([codes, after])))
        before_e, after_e = energies.reshape(2, -1)
        points = self.sites.points(codes).reshape(codes.shape)
        for k in np.flatnonzero(np.isfinite(before_e)):
            i, value = int(site[k]), values[site[k], after[k, site[k]]]
            found = self.function(points[k], i, value, *self.params)
            truth = after_e[k] - before_e[k]
            scale = 1 + abs(before_e[k])
            # Both may be +inf, where the new state is impossible.
            if not (found == truth or abs(found - truth) <= 1e-8 * scale):
                raise ValueError(
                    f"The local_change of the energy is {found} where site {i} goes from "
                    f"{points[k, i]} to {value}, and the energy changes by {truth}, at parameters "
                    f"{self.spelt}. Correct local_change, or "
                    "delete the attribute."
                )


def local_change_of(energy, sites: Sites, row: Sequence[np.ndarray]) -> LocalChange | None:
    """The energy's own `local_change` at one row of parameters, if it has one.

    Parameters
    ----------
    energy : Energy
    sites : Sites
    row : sequence of ndarray
        Parameter values.

    Returns
    -------
    LocalChange or None

    Raises
    ------
    TypeError
        A `local_change` that numba has not compiled.
    """
    function = getattr(energy.function, "local_change", None)
    if function is None:
        return None
    if not isinstance(function, Dispatcher):
        raise TypeError(
            f"The local_change of the energy is a {type(function).__name__}, and Gibbs sampling "
            "calls it from compiled code. Decorate it with numba.njit."
        )
    return LocalChange(function, sites, tuple(v[()] for v in row))
