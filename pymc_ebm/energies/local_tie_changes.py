"""What one tie changes in a statistic of a network, compiled: the fast path of Gibbs updates.

Each ``change(x, site, value, *options)`` is T(x with x[site] = value) − T(x) for the dyads x of
one network. It is (value − x[site]) Δ_site(x), with Δ the change statistics of `changes`, which
are graphs for all dyads of many networks.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numba
import numpy as np

__all__ = [
    "combined_change",
    "edge_change",
    "gwesp_change",
    "star_change",
    "triangle_change",
]


def combined_change(statistics: Sequence[Callable]) -> Callable | None:
    """Compiled change of −Σ_k θ_k T_k, ``(x, site, value, theta) -> float``.

    The same one for equal statistics, so that models of them share what is compiled.

    Parameters
    ----------
    statistics : sequence of callable
        Functions with an attribute `local_change`, or `functools.partial` of them.

    Returns
    -------
    callable or None
        None where a statistic has no `local_change`.
    """
    parts = [_change_and_options(statistic) for statistic in statistics]
    known = tuple(part for part in parts if part is not None)
    if len(known) < len(parts):
        return None
    try:
        return _combined(known)
    except TypeError:  # an option without a hash, such as an array
        return _combined.__wrapped__(known)


@numba.njit(cache=True)
def edge_change(x, site, value):
    """Δ = 1."""
    return 1.0 * value - 1.0 * x[site]


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
    i, j, n = _ends(x, site)
    ties_i, ties_j = 0, 0
    for h in range(n):
        if h != i and h != j:
            ties_i += x[_dyad(i, h, n)] != 0
            ties_j += x[_dyad(j, h, n)] != 0
    added = _choose(ties_i, k - 1) + _choose(ties_j, k - 1)
    return (1.0 * value - 1.0 * x[site]) * added


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


def _change_and_options(statistic) -> tuple[Callable, tuple] | None:
    """The change of a statistic, and the values of its options in their order."""
    change = getattr(statistic, "local_change", None)
    if change is None and isinstance(statistic, partial):
        change = getattr(statistic.func, "local_change", None)
    if change is None:
        return None
    _, *options = inspect.signature(statistic).parameters.values()
    return change, tuple(option.default for option in options)


@lru_cache
def _combined(parts):
    total = None
    for k, (change, options) in enumerate(parts):
        total = _added(total, k, change, options)
    return total


def _added(before, k, change, options):
    """The change of one more statistic added to those before: numba compiles no loop over them."""
    if before is None:
        return numba.njit(
            lambda x, site, value, theta: -theta[k] * change(x, site, value, *options)
        )
    return numba.njit(
        lambda x, site, value, theta: (
            before(x, site, value, theta) - theta[k] * change(x, site, value, *options)
        )
    )


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


@numba.njit(cache=True)
def _choose(count, k):
    product = 1.0
    for i in range(k):
        product = product * (count - i) / (i + 1)
    return product
