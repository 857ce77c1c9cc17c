"""Swendsen–Wang moves: sites that agree are bound at random, and each cluster moves as one."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from pymc_ebm.space.pairwise import Pairwise
from pymc_ebm.space.sites import Sites

__all__ = ["Clusters", "cluster_room", "clusters_of", "draw_code", "move_clusters", "pick"]


class Clusters(NamedTuple):
    """An energy in the form that clusters need.

    E = Σ_i field_i(s_i) − Σ_p strength_p · 1[the codes of pair p are alike, or unlike].

    Attributes
    ----------
    pairs : ndarray of int, shape (P, 2)
        Sites i < j.
    bound : ndarray, shape (P,)
        1 − exp(−strength), the probability that a satisfied pair is bound.
    alike : ndarray of bool, shape (P,)
        Whether a pair is satisfied by equal codes, or by different ones.
    field : ndarray, shape (D, K)
    n_values : ndarray of int, shape (D,)
    """

    pairs: np.ndarray
    bound: np.ndarray
    alike: np.ndarray
    field: np.ndarray
    n_values: np.ndarray

    @property
    def n_uniforms(self) -> int:
        """Uniform numbers that one move takes: one for each pair and each cluster."""
        return len(self.pairs) + len(self.field)


def clusters_of(local: Pairwise, sites: Sites) -> Clusters | None:
    r"""Write pair terms as fields and couplings, where they have that form.

    With two values any pair term is −J·1[s_i = s_j] + r_i(s_i) + r_j(s_j); J < 0 favours unlike
    neighbours. With more, only J ≥ 0 and equal numbers of values will do, as in the Potts model.

    Parameters
    ----------
    local : Pairwise
        Of one function, the energy in nats.
    sites : Sites

    Returns
    -------
    Clusters or None
        None where no pair is coupled or one has another form.
    """
    n_values, tables = sites.n_values, local.pair[0]
    i, j = local.pairs.T
    n_i, n_j = n_values[i], n_values[j]
    both = np.minimum(n_i, n_j) > 1
    if (both & (n_i != n_j)).any():
        return None
    codes = np.arange(tables.shape[-1])
    known = (codes[:, None] < n_i[:, None, None]) & (codes < n_j[:, None, None])
    strength = np.zeros(len(tables))
    if len(codes) > 1:
        ends = tables[:, 0, 1] + tables[:, 1, 0] - tables[:, 0, 0] - tables[:, 1, 1]
        strength = np.where(both, ends / 2, 0.0)
    rest = np.where(known, tables + strength[:, None, None] * np.eye(len(codes)), 0.0)
    of_i, of_j = rest[:, :, 0], rest[:, 0] - rest[:, 0, :1]
    off = np.where(known, np.abs(rest - of_i[:, :, None] - of_j[:, None]), 0.0)
    size = np.where(known, np.abs(tables), 0.0)
    if (off.max(axis=(1, 2)) > 1e-9 * (1 + size.max(axis=(1, 2)))).any():
        return None
    coupled = strength != 0
    if not coupled.any() or ((strength < 0) & (n_i > 2)).any():
        return None
    field = local.single[0].copy()
    np.add.at(field, i, np.where(codes < n_i[:, None], of_i, 0.0))
    np.add.at(field, j, np.where(codes < n_j[:, None], of_j, 0.0))
    couplings = strength[coupled]
    bound = -np.expm1(-np.abs(couplings))
    return Clusters(local.pairs[coupled], bound, couplings > 0, field, n_values)


@numba.njit(cache=True)
def move_clusters(s, u, clusters, room):
    """One move of the codes `s`, in place, with the uniforms `u` and the room of `cluster_room`.

    A satisfied pair is bound with its probability. The sites of a cluster then shift their codes
    together, by v with probability ∝ exp(−Σ_i field_i(s_i + v)).
    """
    pairs, bound, alike, field, n_values = clusters
    found, root, shift, energy = room
    n_sites = len(s)
    # What happens at random is counted and not jumped over: a processor guesses jumps.
    n_found = 0
    for p in range(len(pairs)):
        found[n_found] = p
        satisfied = (s[pairs[p, 0]] == s[pairs[p, 1]]) == alike[p]
        n_found += satisfied & (u[p] < bound[p])
    for i in range(n_sites):
        root[i] = i
    for p in found[:n_found]:
        # Rem's algorithm: a site leads to a smaller one, the first site of a cluster to itself.
        i, j = root[pairs[p, 0]], root[pairs[p, 1]]
        while i != j:
            i, j = max(i, j), min(i, j)
            before = root[i]
            root[i] = j
            if before == i:
                break
            i = before
    energy[:] = 0.0
    for i in range(n_sites):
        root[i] = root[root[i]]  # smaller sites lead to their first one already
        code, n = s[i], n_values[i]
        for v in range(n):
            energy[root[i], v] += field[i, code]
            code = code + 1 if code + 1 < n else 0
    for i in range(n_sites):
        if root[i] == i:
            shift[i] = draw_code(energy[i], n_values[i], u[len(pairs) + i])
        # The root of a cluster is its first site, so its shift is known.
        code = s[i] + shift[root[i]]
        s[i] = code if code < n_values[i] else code - n_values[i]


@numba.njit(cache=True)
def cluster_room(clusters):
    """Room that `move_clusters` works in: bound pairs, first sites, shifts, energies."""
    n_sites, most = clusters[3].shape
    found = np.empty(len(clusters[0]) + 1, np.int64)
    root, shift = np.empty(n_sites, np.int64), np.zeros(n_sites, np.int64)
    return found, root, shift, np.empty((n_sites, most))


@numba.njit(cache=True)
def draw_code(weight, n, u):
    """A code below `n` with probability ∝ exp(−weight); the weights are overwritten."""
    lowest = weight[0]
    for v in range(1, n):
        lowest = min(lowest, weight[v])
    total = 0.0
    for v in range(n):
        gap = lowest - weight[v]
        weight[v] = 1.0 if gap == 0 else np.exp(gap)
        total += weight[v]
    return pick(weight, n, u * total)


@numba.njit(cache=True)
def pick(weight, n, rest):
    """The code below `n` at which the running sum of the weights passes `rest`."""
    code, passed = 0, True
    for v in range(n - 1):
        passed &= rest >= weight[v]
        rest -= weight[v]
        code += passed
    return code
