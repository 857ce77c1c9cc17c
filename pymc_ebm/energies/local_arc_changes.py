"""What one tie changes in a statistic of a directed network, compiled.

Each ``change(x, site, value, *options)`` is T(x with x[site] = value) − T(x) for the dyads x of
one network. It is (value − x[site]) Δ_site(x), Δ the change statistic of the tie from i to j.
"""

from __future__ import annotations

import numba
import numpy as np

from pymc_ebm.energies.local_tie_changes import binomial, powers_sum

__all__ = [
    "ctriple_change",
    "dgwesp_change",
    "istar_change",
    "m2star_change",
    "mutual_change",
    "ostar_change",
    "ttriple_change",
]


@numba.njit(cache=True)
def mutual_change(x, site, value):
    """Δ_ij = x_ji."""
    i, j, n = _ends(x, site)
    return (1.0 * value - 1.0 * x[site]) * _tied(x, j, i, n)


@numba.njit(cache=True)
def istar_change(x, site, value, k):
    """Δ_ij = C(d, k − 1), d the ties to j other than ij."""
    i, j, n = _ends(x, site)
    return (1.0 * value - 1.0 * x[site]) * binomial(_received(x, j, i, n), k - 1)


@numba.njit(cache=True)
def ostar_change(x, site, value, k):
    """Δ_ij = C(d, k − 1), d the ties from i other than ij."""
    i, j, n = _ends(x, site)
    return (1.0 * value - 1.0 * x[site]) * binomial(_sent(x, i, j, n), k - 1)


@numba.njit(cache=True)
def m2star_change(x, site, value):
    """Δ_ij = the ties from j that do not end at i, and those to i that do not begin at j."""
    i, j, n = _ends(x, site)
    return (1.0 * value - 1.0 * x[site]) * (_sent(x, j, i, n) + _received(x, i, j, n))


@numba.njit(cache=True)
def ttriple_change(x, site, value):
    """Δ_ij = Σ_h x_ih x_hj + x_ih x_jh + x_hi x_hj: ij as the shortcut, and as either step."""
    i, j, n = _ends(x, site)
    added = 0
    for h in range(n):
        if h != i and h != j:
            from_i, to_j = _tied(x, i, h, n), _tied(x, h, j, n)
            added += from_i and to_j
            added += from_i and _tied(x, j, h, n)
            added += to_j and _tied(x, h, i, n)
    return (1.0 * value - 1.0 * x[site]) * added


@numba.njit(cache=True)
def ctriple_change(x, site, value):
    """Δ_ij = Σ_h x_jh x_hi."""
    i, j, n = _ends(x, site)
    added = 0
    for h in range(n):
        if h != i and h != j:
            added += _tied(x, j, h, n) and _tied(x, h, i, n)
    return (1.0 * value - 1.0 * x[site]) * added


@numba.njit(cache=True)
def dgwesp_change(x, site, value, ratio):
    """Δ_ij = Σ_{s<p_ij} r^s + Σ_h x_ih x_jh r^p_ih + x_hi x_hj r^p_hj, p counted without ij."""
    i, j, n = _ends(x, site)
    partners, added = 0, 0.0
    for h in range(n):
        if h != i and h != j:
            from_i, to_j = _tied(x, i, h, n), _tied(x, h, j, n)
            partners += from_i and to_j
            if from_i and _tied(x, j, h, n):
                added += ratio ** _between(x, i, h, j, n)
            if to_j and _tied(x, h, i, n):
                added += ratio ** _between(x, h, j, i, n)
    return (1.0 * value - 1.0 * x[site]) * (powers_sum(ratio, partners) + added)


@numba.njit(cache=True)
def _ends(x, site):
    """Nodes i and j of the ordered pair ij, and the number of nodes."""
    n = int(1.0 + np.sqrt(1.0 + 4.0 * len(x)) / 2.0)
    i, j = site // (n - 1), site % (n - 1)
    return i, j + (j >= i), n


@numba.njit(cache=True)
def _tied(x, i, j, n):
    """Whether a tie goes from i to j."""
    return x[i * (n - 1) + j - (j > i)] != 0


@numba.njit(cache=True)
def _sent(x, i, without, n):
    """Ties from i, one end left out."""
    ties = 0
    for h in range(n):
        if h != i and h != without:
            ties += _tied(x, i, h, n)
    return ties


@numba.njit(cache=True)
def _received(x, j, without, n):
    """Ties to j, one beginning left out."""
    ties = 0
    for h in range(n):
        if h != j and h != without:
            ties += _tied(x, h, j, n)
    return ties


@numba.njit(cache=True)
def _between(x, i, j, without, n):
    """Paths of two ties from i to j, one node between them left out."""
    paths = 0
    for g in range(n):
        if g != i and g != j and g != without:
            paths += _tied(x, i, g, n) and _tied(x, g, j, n)
    return paths
