"""Gibbs sampling of sites by what an energy says that a new value of one changes."""

import numba
import numpy as np

from pymc_ebm.space.clusters import draw_code

__all__ = ["sweep_by_changes"]


# Not cached on disk: each `local_change` is a type of its own.
@numba.njit
def sweep_by_changes(
    codes, u, values, n_values, base, shares, make, update, change, at_start, at_end
):
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
    make, update, change : callable
        Those of `KeptChange`.
    at_start, at_end : tuple
        The two rows.
    """
    n_particles, n_sites = codes.shape
    weight, point = np.empty(values.shape[1]), np.empty(n_sites, dtype=values.dtype)
    for b in range(n_particles):
        s = codes[b]
        for i in range(n_sites):
            point[i] = values[i, s[i]]
        tables = make(point)
        for i in range(n_sites):
            n = n_values[i]
            for v in range(n):
                of_value = 0.0
                if v != s[i]:
                    if shares[0] > 0:
                        of_value += shares[0] * (base[i, v] - base[i, s[i]])
                    if shares[1] > 0:
                        of_value += shares[1] * change(point, i, values[i, v], tables, *at_start)
                    if shares[2] > 0:
                        of_value += shares[2] * change(point, i, values[i, v], tables, *at_end)
                weight[v] = np.inf if np.isnan(of_value) else of_value
            new = draw_code(weight, n, u[b, i])
            if new != s[i]:
                update(tables, point, i, values[i, new])
                s[i] = new
                point[i] = values[i, new]
