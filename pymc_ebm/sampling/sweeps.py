"""Sweeps over all sites of discrete states, through what an energy says of them."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from pymc_ebm.sampling.compiled_energies import energy_function, spell
from pymc_ebm.sampling.local_change import LocalChange
from pymc_ebm.space.clusters import draw_code
from pymc_ebm.space.pairwise_sweeps import Sweeps
from pymc_ebm.space.sites import Sites

__all__ = ["candidate_sweeps", "change_sweeps"]


def change_sweeps(given: LocalChange) -> Sweeps:
    """Sweeps under an energy that says what a new value of a site changes."""
    kernel: Any = _given_changes
    settings = (given.sites.values, given.sites.n_values, *given.kept, given.params)

    def sweeps(*run):
        if not kernel(*run, *settings):
            raise ValueError(
                "The local_change of the energy is NaN or −inf at a state that Gibbs sampling "
                f"reached, at parameters {given.spelt}. Correct local_change."
            )

    return sweeps


def candidate_sweeps(energy, reference, sites: Sites, row) -> Sweeps:
    """Sweeps that evaluate the energy at every value of a site, for all chains at once."""
    # Called once for each site of each sweep, so worth a compilation by the default back end.
    energy_of = energy_function(energy, reference, row, mode=None)

    def sweeps(state, u, first, thin, x, changes):
        chains, n_sites = state.shape
        for t, sweep in enumerate(range(first, first + len(u))):
            before = state.copy()
            points = sites.values[np.arange(n_sites), state]
            for i in np.flatnonzero(sites.n_values > 1):
                n = sites.n_values[i]
                candidates = np.repeat(points[:, None], n, axis=1)
                candidates[:, :, i] = sites.values[i, :n]
                energies = energy_of(candidates.reshape(-1, *sites.event_shape))
                code = _choose(energies.reshape(chains, n), u[t, :, i], state[:, i], row)
                state[:, i], points[:, i] = code, sites.values[i, code]
            if sweep >= 0:
                changes += (state != before).sum(axis=1)
                if (sweep + 1) % thin == 0:
                    x[:, (sweep + 1) // thin - 1] = points

    return sweeps


def _choose(energies, u, now, row):
    """A code for each chain by its energies ``(chains, K)``."""
    if np.isnan(energies).any() or np.isneginf(energies).any():
        raise ValueError(
            f"The energy is NaN or −inf at a state that Gibbs sampling reached, at parameters "
            f"{spell(row)}. Correct the energy."
        )
    lowest = energies.min(axis=1, keepdims=True)
    stuck = np.isposinf(lowest[:, 0])  # no value is possible: stay
    cumulative = np.cumsum(np.exp(np.where(stuck[:, None], 0.0, lowest) - energies), axis=1)
    code = (u[:, None] * cumulative[:, -1:] >= cumulative).sum(axis=1)
    return np.where(stuck, now, np.minimum(code, energies.shape[1] - 1))


# Not cached on disk: each `local_change` is a type of its own.
@numba.njit
def _given_changes(
    state, u, first, thin, x, changes, values, n_values, make, update, change, params
):
    """Whether all changes were fine: not NaN and not −inf."""
    n_sweeps, chains, n_sites = u.shape
    weight = np.empty(values.shape[1])
    point = np.empty(n_sites, dtype=values.dtype)
    for c in range(chains):
        s = state[c]
        for i in range(n_sites):
            point[i] = values[i, s[i]]
        tables = make(point)
        for t in range(n_sweeps):
            sweep = first + t
            changed = 0
            for i in range(n_sites):
                n = n_values[i]
                for v in range(n):
                    weight[v] = 0.0
                    if v != s[i]:
                        weight[v] = change(point, i, values[i, v], tables, *params)
                        if not weight[v] > -np.inf:
                            return False
                new = draw_code(weight, n, u[t, c, i])
                if new != s[i]:
                    changed += 1
                    update(tables, point, i, values[i, new])
                    s[i] = new
                    point[i] = values[i, new]
            if sweep >= 0:
                changes[c] += changed
                if (sweep + 1) % thin == 0:
                    # Number by number: the check of two arrays' shapes takes seconds to compile.
                    for i in range(n_sites):
                        x[c, (sweep + 1) // thin - 1, i] = point[i]
    return True
