"""What one tie changes in a statistic of an undirected network, or in a sum of ties, compiled.

Each ``change(x, site, value, *options)`` is T(x with x[site] = value) − T(x) for the dyads x of
one network. It is (value − x[site]) Δ_site(x), Δ the change statistic of the tie.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = [
    "binomial",
    "degree_change",
    "edge_change",
    "gwdegree_change",
    "gwdsp_change",
    "gwesp_change",
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
def triangle_change(x, site, value):
    """Δ_ij = Σ_h x_ih x_jh, the shared partners."""
    i, j, n = _ends(x, site)
    partners = 0
    for h in range(n):
        if h != i and h != j and x[_dyad(i, h, n)] and x[_dyad(j, h, n)]:
            partners += 1
    return (1.0 * value - 1.0 * x[site]) * partners


@numba.njit(cache=True)
def star_change(x, site, value, k):
    """Δ_ij = C(d_i, k − 1) + C(d_j, k − 1), d_i the ties of node i other than ij."""
    d_i, d_j = _other_ties(x, site)
    return (1.0 * value - 1.0 * x[site]) * (binomial(d_i, k - 1) + binomial(d_j, k - 1))


@numba.njit(cache=True)
def degree_change(x, site, value, d):
    """Δ_ij = [d_i = d − 1] − [d_i = d] + the same of j, d_i the ties of node i other than ij."""
    added = 0
    for ties in _other_ties(x, site):
        added += (ties == d - 1) - (ties == d)
    return (1.0 * value - 1.0 * x[site]) * added


@numba.njit(cache=True)
def gwdegree_change(x, site, value, decay):
    """Δ_ij = r^d_i + r^d_j with r = 1 − exp(−α), d_i the ties of node i other than ij."""
    ratio = -np.expm1(-decay)
    d_i, d_j = _other_ties(x, site)
    return (1.0 * value - 1.0 * x[site]) * (ratio**d_i + ratio**d_j)


@numba.njit(cache=True)
def gwesp_change(x, site, value, decay):
    """Δ_ij as in `gwesp_changes`, the ties ih and jh counted without ij."""
    i, j, n = _ends(x, site)
    ratio = -np.expm1(-decay)
    partners, added = 0, 0.0
    for h in range(n):
        if h != i and h != j and x[_dyad(i, h, n)] and x[_dyad(j, h, n)]:
            partners += 1
            added += ratio ** _others(x, i, h, j, n) + ratio ** _others(x, j, h, i, n)
    own = np.exp(decay) * (1.0 - ratio**partners)
    return (1.0 * value - 1.0 * x[site]) * (own + added)


@numba.njit(cache=True)
def gwdsp_change(x, site, value, decay):
    """Δ_ij = Σ_h x_jh r^p_ih + Σ_h x_ih r^p_jh, the partners p counted without ij."""
    i, j, n = _ends(x, site)
    ratio, added = -np.expm1(-decay), 0.0
    for h in range(n):
        if h != i and h != j:
            if x[_dyad(j, h, n)]:
                added += ratio ** _others(x, i, h, j, n)
            if x[_dyad(i, h, n)]:
                added += ratio ** _others(x, j, h, i, n)
    return (1.0 * value - 1.0 * x[site]) * added


@numba.njit(cache=True)
def binomial(count, k):
    """C(count, k), 0 where count < k."""
    product = 1.0
    for i in range(k):
        product = product * (count - i) / (i + 1)
    return product


@numba.njit(cache=True)
def _other_ties(x, site):
    """Ties of both nodes of a dyad, without the dyad itself."""
    i, j, n = _ends(x, site)
    ties_i, ties_j = 0, 0
    for h in range(n):
        if h != i and h != j:
            ties_i += x[_dyad(i, h, n)] != 0
            ties_j += x[_dyad(j, h, n)] != 0
    return ties_i, ties_j


@numba.njit(cache=True)
def _ends(x, site):
    """Nodes i < j of a dyad, and the number of nodes."""
    n = int(1.0 + np.sqrt(1.0 + 8.0 * len(x)) / 2.0)
    i, j = 0, site + 1
    while j >= n:
        i += 1
        j += i + 1 - n
    return i, j, n


@numba.njit(cache=True)
def _dyad(i, j, n):
    low, high = min(i, j), max(i, j)
    return low * n - low * (low + 1) // 2 + high - low - 1


@numba.njit(cache=True)
def _others(x, i, h, without, n):
    """Partners that nodes i and h share, one node left out."""
    partners = 0
    for g in range(n):
        if g != i and g != h and g != without and x[_dyad(i, g, n)] and x[_dyad(h, g, n)]:
            partners += 1
    return partners
