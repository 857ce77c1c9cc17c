"""What one tie changes in a statistic of an undirected network, or in a sum of ties, compiled.

Each change is T(x with x[site] = value) − T(x) for the dyads x of one network, which is
(value − x[site]) Δ_site(x), Δ the change statistic of the tie. Those of undirected networks read
tables that are kept along while ties change: whether any two nodes are tied, and how many partners
they share.
"""

from __future__ import annotations

import numba
import numpy as np

from pymc_ebm.energies.local_change import KeptChange

__all__ = [
    "binomial",
    "degree_change",
    "edge_change",
    "gwdegree_change",
    "gwdsp_change",
    "gwesp_change",
    "powers_sum",
    "star_change",
    "triangle_change",
    "weighted_change",
]


@numba.njit(cache=True)
def edge_change(x, site, value):
    """Δ = 1."""
    return 1.0 * value - 1.0 * x[site]


@numba.njit(cache=True)
def weighted_change(x, site, value, weights):
    """Δ_ij = w_ij, the weights of undirected dyads before those of directed ones."""
    undirected = len(weights) // 3
    place = site if len(x) == undirected else undirected + site
    return (1.0 * value - 1.0 * x[site]) * weights[place]


@numba.njit(cache=True)
def _tables(x):
    """Ties ``(n, n)``, shared partners ``(n, n)`` with degrees on the diagonal, ends ``(D, 2)``."""
    n = int(1.0 + np.sqrt(1.0 + 8.0 * len(x)) / 2.0)
    ties = np.zeros((n, n), dtype=np.uint8)
    partners = np.zeros((n, n), dtype=np.int32)
    ends = np.empty((len(x), 2), dtype=np.int32)
    site = 0
    for i in range(n):
        for j in range(i + 1, n):
            ends[site, 0], ends[site, 1] = i, j
            ties[i, j] = ties[j, i] = x[site] != 0
            site += 1
    for h in range(n):
        for i in range(n):
            if ties[h, i]:
                for j in range(n):
                    partners[i, j] += ties[h, j]
    return ties, partners, ends


@numba.njit(cache=True)
def _update(tables, x, site, value):
    """A tie makes each end a partner of the other's neighbours."""
    ties, partners = tables[0], tables[1]
    i, j = _ends(tables, site)
    more = int(value != 0) - int(ties[i, j])
    if more == 0:
        return
    for one, other in ((i, j), (j, i)):
        partners[one, one] += more
        for h in range(len(ties)):
            if ties[other, h] and h != one:
                partners[one, h] += more
                partners[h, one] += more
    ties[i, j] = ties[j, i] = value != 0


def _by_tables(change):
    """A `local_change` of what is computed from the tables."""
    return KeptChange(_tables, _update, numba.njit(cache=True)(change)).made_anew()


@_by_tables
def triangle_change(x, site, value, tables):
    """Δ_ij = Σ_h x_ih x_jh, the shared partners."""
    i, j = _ends(tables, site)
    return (1.0 * value - 1.0 * x[site]) * tables[1][i, j]


@_by_tables
def star_change(x, site, value, tables, k):
    """Δ_ij = C(d_i, k − 1) + C(d_j, k − 1), d_i the ties of node i other than ij."""
    d_i, d_j = _other_ties(tables, site)
    return (1.0 * value - 1.0 * x[site]) * (binomial(d_i, k - 1) + binomial(d_j, k - 1))


@_by_tables
def degree_change(x, site, value, tables, d):
    """Δ_ij = [d_i = d − 1] − [d_i = d] + the same of j, d_i the ties of node i other than ij."""
    added = 0
    for ties in _other_ties(tables, site):
        added += (ties == d - 1) - (ties == d)
    return (1.0 * value - 1.0 * x[site]) * added


@_by_tables
def gwdegree_change(x, site, value, tables, ratio):
    """Δ_ij = r^d_i + r^d_j with r = 1 − exp(−α), d_i the ties of node i other than ij."""
    d_i, d_j = _other_ties(tables, site)
    return (1.0 * value - 1.0 * x[site]) * (_power(ratio, d_i) + _power(ratio, d_j))


@_by_tables
def gwesp_change(x, site, value, tables, ratio):
    """Δ_ij as in `gwesp_changes`, the ties ih and jh counted without ij; r = 1 − exp(−α)."""
    ties, partners = tables[0], tables[1]
    i, j = _ends(tables, site)
    added, tied = 0.0, int(ties[i, j])
    for h in range(len(ties)):
        if ties[i, h] & ties[j, h]:
            added += _power(ratio, partners[i, h] - tied) + _power(ratio, partners[j, h] - tied)
    return (1.0 * value - 1.0 * x[site]) * (powers_sum(ratio, partners[i, j]) + added)


@_by_tables
def gwdsp_change(x, site, value, tables, ratio):
    """Δ_ij = Σ_h x_jh r^p_ih + Σ_h x_ih r^p_jh, the partners p counted without ij."""
    ties, partners = tables[0], tables[1]
    i, j = _ends(tables, site)
    added, tied = 0.0, int(ties[i, j])
    for h in range(len(ties)):
        if h != i and h != j:
            if ties[j, h]:
                added += _power(ratio, partners[i, h] - tied)
            if ties[i, h]:
                added += _power(ratio, partners[j, h] - tied)
    return (1.0 * value - 1.0 * x[site]) * added


@numba.njit(cache=True)
def binomial(count, k):
    """C(count, k), 0 where count < k."""
    product = 1.0
    for i in range(k):
        product = product * (count - i) / (i + 1)
    return product


@numba.njit(cache=True)
def powers_sum(base, count):
    """Σ_{s=0}^{count−1} base^s, term by term: a base near 1 or equal to it loses no digits."""
    total, term = 0.0, 1.0
    for _ in range(count):
        total += term
        term *= base
    return total


@numba.njit(cache=True)
def _power(base, exponent):
    """By squares: the exponent is a whole number of at least 0, and 0⁰ = 1."""
    product = 1.0
    while exponent > 0:
        if exponent & 1:
            product *= base
        base *= base
        exponent >>= 1
    return product


@numba.njit(cache=True)
def _ends(tables, site):
    return tables[2][site, 0], tables[2][site, 1]


@numba.njit(cache=True)
def _other_ties(tables, site):
    """Ties of both nodes of a dyad, without the dyad itself."""
    i, j = _ends(tables, site)
    tied = int(tables[0][i, j])
    return tables[1][i, i] - tied, tables[1][j, j] - tied
