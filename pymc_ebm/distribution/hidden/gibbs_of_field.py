"""Gibbs sampling of a field under its energy and what is observed at its sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.energy.energy import Energy
from pymc_ebm.reference._from_draws import from_draws
from pymc_ebm.space.pairwise import random_codes
from pymc_ebm.space.sites import Sites

__all__ = ["GibbsOfField"]


class GibbsOfField:
    """Sweeps over the sites of several fields at a time, each ending with a move of clusters.

    Parameters
    ----------
    energy : Energy
        E(x | θ), a sum over sites and pairs of sites.
    sites : Sites
    """

    def __init__(self, energy: Energy, sites: Sites):
        self.energy, self.sites = energy, sites
        # Says what an event is to what looks at the energy.
        some = sites.points(random_codes(sites.n_values, 32, np.random.default_rng(0)))
        self._states = from_draws(some, np.zeros(len(some)), support=sites)

    def __call__(
        self,
        theta: Sequence,
        log_densities: NDArray | None,
        codes: NDArray,
        rng: np.random.Generator,
        sweeps: int,
        draws: int = 0,
        thin: int = 1,
    ) -> tuple[NDArray, NDArray]:
        """Move fields, and keep some of the states on the way.

        Parameters
        ----------
        theta : sequence of array_like
            One row of parameters.
        log_densities : ndarray, optional
            log p(y_i | x_i = v), ``(D, K)``; of the field alone without.
        codes : ndarray of int, shape ``(C, D)``
            Where the fields are.
        rng : numpy.random.Generator
        sweeps : int
            Before the first state is kept.
        draws, thin : int
            States that are kept, one after each `thin` sweeps.

        Returns
        -------
        codes : ndarray of int, shape ``(C, D)``
            Where the fields are then.
        points : ndarray, shape ``(C, draws, *event)``

        Raises
        ------
        NotImplementedError
            An energy of other terms.
        """
        from pymc_ebm.sampling.compiled_energies import energy_function
        from pymc_ebm.sampling.local_energy import local_energy  # brings numba
        from pymc_ebm.space.clusters import clusters_of
        from pymc_ebm.space.pairwise_sweeps import pairwise_sweeps

        row = self.energy.row(theta)
        energy_of = energy_function(self.energy, self._states, row)
        local = local_energy(self.energy, self._states, self.sites, row, energy_of, ("sites", ()))
        if local is None:
            raise NotImplementedError(
                "the energy is no sum over sites and pairs of sites, and there are too many states "
                "to sum. Give reference= and posterior_reference=."
            )
        if log_densities is not None:
            local = replace(local, single=local.single - log_densities[None])
        clusters = clusters_of(local, self.sites)
        width = codes.shape[1] + (clusters.n_uniforms if clusters else 0)
        moves = pairwise_sweeps(local, self.sites, clusters)
        codes, total = codes.copy(), sweeps + draws * thin
        x = np.empty((len(codes), draws, codes.shape[1]), dtype=self.sites.values.dtype)
        changes = np.zeros(len(codes), dtype=np.int64)
        at_once = max(2**22 // (len(codes) * width), 1)
        for first in range(0, total, at_once):
            u = rng.random((min(at_once, total - first), len(codes), width))
            moves(codes, u, first - sweeps, thin, x, changes)
        return codes, x.reshape(*x.shape[:2], *self.sites.event_shape)
