"""Statistics of undirected networks: degrees, stars, triangles and shared partners."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energies.dyads import adjacency
from pymc_ebm.energies.local_change import with_local_change
from pymc_ebm.energies.local_tie_changes import (
    degree_change,
    gwdegree_change,
    gwdsp_change,
    gwesp_change,
    star_change,
    triangle_change,
)

__all__ = [
    "degree",
    "gwdegree",
    "gwdsp",
    "gwesp",
    "isolates",
    "stars",
    "triangles",
    "twopaths",
]


@with_local_change(degree_change)
def degree(x, *, d: int) -> TensorVariable:
    """Number of nodes with d ties.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, as `to_dyads` makes them.
    d : int
        Ties of a node, 0 or more.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Raises
    ------
    ValueError
        d below 0.

    Examples
    --------
    >>> degree([1, 0, 1], d=1).eval().item()
    2.0
    """
    if d < 0:
        raise ValueError(f"d is {d}, and a node has no fewer ties than none. Give d = 0 or more.")
    return pt.eq(adjacency(x).sum(-1), d).sum(-1).astype("float64")


@with_local_change(degree_change, options=lambda: (0,))
def isolates(x) -> TensorVariable:
    """Number of nodes without a tie.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, as `to_dyads` makes them.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Examples
    --------
    >>> isolates([0, 0, 1]).eval().item()
    1.0
    """
    return degree(x, d=0)


@with_local_change(star_change)
def stars(x, *, k: int = 2) -> TensorVariable:
    r"""Number of k-stars, nodes with k of their ties: :math:`\sum_i \binom{d_i}{k}`.

    d_i is the number of ties of node i. A 1-star would be a tie, counted from both its ends.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, as `to_dyads` makes them.
    k : int
        Ties of a star, 1 or more.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Raises
    ------
    ValueError
        k below 1.

    References
    ----------
    Frank and Strauss (1986), doi:10.1080/01621459.1986.10478342.

    Examples
    --------
    >>> stars([1, 1, 1]).eval().item()
    3.0
    """
    check_star(k)
    return choose(adjacency(x).sum(-1), k).sum(-1)


@with_local_change(star_change, options=lambda: (2,))
def twopaths(x) -> TensorVariable:
    """Number of paths of two ties, which are the 2-stars; a triangle has three.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, as `to_dyads` makes them.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Examples
    --------
    >>> twopaths([1, 0, 1]).eval().item()
    1.0
    """
    return stars(x, k=2)


@with_local_change(triangle_change)
def triangles(x) -> TensorVariable:
    """Number of triangles, Σ_{i<j<k} x_ij x_jk x_ik = tr(A³) / 6, A the adjacency matrix.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, as `to_dyads` makes them.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Examples
    --------
    >>> triangles([1, 1, 1]).eval().item()
    1.0
    """
    a = adjacency(x)
    return (a * (a @ a)).sum((-2, -1)) / 6


@with_local_change(gwdegree_change, options=lambda decay: (shared_ratio(decay),))
def gwdegree(x, *, decay: float) -> TensorVariable:
    r"""Geometrically weighted degrees, with a fixed decay α.

    .. math:: e^α \sum_i \bigl(1 − (1 − e^{−α})^{d_i}\bigr)

    d_i is the number of ties of node i. Its first tie counts 1 and each further one 1 − exp(−α)
    times the one before. A positive coefficient spreads ties over many nodes.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, as `to_dyads` makes them.
    decay : float
        α ≥ 0.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Raises
    ------
    ValueError
        A negative decay.

    References
    ----------
    Hunter and Handcock (2006), doi:10.1198/106186006X133069.

    Examples
    --------
    >>> gwdegree([1, 0, 1], decay=0.0).eval().item()
    3.0
    """
    return geometric_sum(adjacency(x).sum(-1), shared_ratio(decay)).sum(-1)


@with_local_change(gwesp_change, options=lambda decay: (shared_ratio(decay),))
def gwesp(x, *, decay: float) -> TensorVariable:
    r"""Geometrically weighted edgewise shared partners, with a fixed decay α.

    .. math:: e^α \sum_{i<j} x_{ij} \bigl(1 − (1 − e^{−α})^{p_{ij}}\bigr), \quad
              p_{ij} = \sum_h x_{ih} x_{jh}

    The first partner that two tied nodes share counts 1 and each further one 1 − exp(−α) times
    the one before, so that, unlike `triangles`, it does not run away. At α = 0 it counts the ties
    with a shared partner; as α grows it nears 3 times the triangles.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, as `to_dyads` makes them.
    decay : float
        α ≥ 0.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Raises
    ------
    ValueError
        A negative decay.

    References
    ----------
    Hunter and Handcock (2006), doi:10.1198/106186006X133069. Snijders, Pattison, Robins and
    Handcock (2006), doi:10.1111/j.1467-9531.2006.00176.x.

    Examples
    --------
    >>> gwesp([1, 1, 1], decay=0.5).eval().item()
    3.0
    """
    a = adjacency(x)
    return (a * geometric_sum(a @ a, shared_ratio(decay))).sum((-2, -1)) / 2


@with_local_change(gwdsp_change, options=lambda decay: (shared_ratio(decay),))
def gwdsp(x, *, decay: float) -> TensorVariable:
    r"""Geometrically weighted dyadwise shared partners, with a fixed decay α.

    .. math:: e^α \sum_{i<j} \bigl(1 − (1 − e^{−α})^{p_{ij}}\bigr), \quad
              p_{ij} = \sum_h x_{ih} x_{jh}

    As `gwesp`, over all pairs of nodes, tied or not.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, as `to_dyads` makes them.
    decay : float
        α ≥ 0.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Raises
    ------
    ValueError
        A negative decay.

    References
    ----------
    Hunter and Handcock (2006), doi:10.1198/106186006X133069.

    Examples
    --------
    >>> gwdsp([1, 0, 1], decay=0.5).eval().item()
    1.0
    """
    a = adjacency(x)
    weight = geometric_sum(a @ a, shared_ratio(decay))
    return (weight.sum((-2, -1)) - pt.diagonal(weight, axis1=-2, axis2=-1).sum(-1)) / 2


def check_star(k: int) -> None:
    """Refuse stars without ties.

    Raises
    ------
    ValueError
    """
    if k < 1:
        raise ValueError(f"k is {k}, and a star has at least one tie. Give k = 1 or more.")


def choose(count, k: int) -> TensorVariable:
    """Binomial coefficients of whole `count`, as the product that is 0 where count < k."""
    product = pt.ones_like(count)
    for i in range(k):
        product = product * (count - i) / (i + 1)
    return product


def shared_ratio(decay: float) -> float:
    """1 − exp(−α), what a further shared partner counts relative to the one before."""
    if not decay >= 0:
        raise ValueError(f"The decay is {decay}. Give a number of at least 0.")
    return float(-np.expm1(-decay))


def geometric_sum(count, ratio: float) -> TensorVariable:
    """Σ_{s=0}^{count−1} ratio^s: of shared partners, the weight of a tie that has so many."""
    if ratio == 0:
        return pt.minimum(count, 1)
    if ratio == 1:  # of any decay above 37
        return count
    # 1 − ratio^count would lose its digits where the ratio is near 1.
    return pt.expm1(count * np.log(ratio)) / (ratio - 1)
