"""Gibbs sampling of sites by what an energy says that a new value of one changes."""

import numba
import numpy as np

from pymc_ebm.space.clusters import draw_code

__all__ = ["sweep_by_changes"]


# Not cached on disk: each `local_change` is a type of its own.
@numba.njit
def sweep_by_changes(codes, u, values, n_values, base, shares, local_change, at_start, at_end):
    """Draw every site of every particle given the others, under a mixture of three energies.

    Parameters
    ----------
    codes : ndarray of int
        ``(B, D)``, changed in place.
    u : ndarray
        Uniforms of their shape.
    values, n_values : ndarray
        Of `Sites`.
    base : ndarray
        Energies of the base law by site and code, ``(D, K)``.
    shares : ndarray
        Of the base law, and of the energy at two rows of parameters.
    local_change : callable
        Compiled ``(x, site, value, *params)``.
    at_start, at_end : tuple
        The two rows.
    """
    n_particles, n_sites = codes.shape
    weight, point = np.empty(values.shape[1]), np.empty(n_sites, dtype=values.dtype)
    for b in range(n_particles):
        s = codes[b]
        for i in range(n_sites):
            point[i] = values[i, s[i]]
        for i in range(n_sites):
            n = n_values[i]
            for v in range(n):
                change = 0.0
                if v != s[i]:
                    if shares[0] > 0:
                        change += shares[0] * (base[i, v] - base[i, s[i]])
                    if shares[1] > 0:
                        change += shares[1] * local_change(point, i, values[i, v], *at_start)
                    if shares[2] > 0:
                        change += shares[2] * local_change(point, i, values[i, v], *at_end)
                weight[v] = np.inf if np.isnan(change) else change
            s[i] = draw_code(weight[:n], u[b, i])
            point[i] = values[i, s[i]]
