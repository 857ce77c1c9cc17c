"""Swendsen–Wang moves: sites that agree are bound at random, and each cluster moves as one."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from pymc_ebm.space.pairwise import Pairwise
from pymc_ebm.space.sites import Sites

__all__ = ["Clusters", "clusters_of", "draw_code", "move_clusters", "pick"]


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
def move_clusters(s, u, clusters, root, energy):
    """One move of the codes `s`, in place, with the uniforms `u`; `root` and `energy` are room.

    A satisfied pair is bound with its probability. The sites of a cluster then shift their codes
    together, by v with probability ∝ exp(−Σ_i field_i(s_i + v)).
    """
    pairs, bound, alike, field, n_values = clusters
    n_sites = len(s)
    for i in range(n_sites):
        root[i] = i
    for p in range(len(pairs)):
        i, j = pairs[p, 0], pairs[p, 1]
        if (s[i] == s[j]) == alike[p] and u[p] < bound[p]:
            i, j = _find(root, i), _find(root, j)
            if i < j:
                root[j] = i
            else:
                root[i] = j
    energy[:] = 0.0
    for i in range(n_sites):
        root[i] = _find(root, i)
        n = n_values[i]
        for v in range(n):
            energy[root[i], v] += field[i, (s[i] + v) % n]
    shift = root.copy()
    for i in range(n_sites):
        r = root[i]
        n = n_values[i]
        if r == i:
            shift[i] = draw_code(energy[i, :n], u[len(pairs) + i])
        # The root of a cluster is its first site, so its shift is known.
        s[i] = (s[i] + shift[r]) % n


@numba.njit(cache=True)
def draw_code(weight, u):
    """A code with probability ∝ exp(−weight); the weights are overwritten."""
    n = len(weight)
    lowest = weight[0]
    for v in range(1, n):
        lowest = min(lowest, weight[v])
    total = 0.0
    for v in range(n):
        weight[v] = np.exp(lowest - weight[v])
        total += weight[v]
    return pick(weight, u * total)


@numba.njit(cache=True)
def pick(weight, rest):
    """The code at which the running sum of the weights passes `rest`."""
    new = 0
    while new < len(weight) - 1 and rest >= weight[new]:
        rest -= weight[new]
        new += 1
    return new


@numba.njit(cache=True)
def _find(root, i):
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i
