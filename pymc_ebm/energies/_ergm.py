"""Exponential random graph models of undirected networks, and statistics for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energies.dyads import adjacency
from pymc_ebm.energies.local_change import with_local_change
from pymc_ebm.energies.local_tie_changes import (
    combined_change,
    edge_change,
    gwesp_change,
    star_change,
    triangle_change,
)

__all__ = ["edges", "ergm", "gwesp", "stars", "triangles"]


def ergm(statistics: Sequence[Callable]) -> Callable[..., TensorVariable]:
    r"""Make the energy of an exponential random graph model with these statistics.

    .. math:: E(x \mid θ) = −\sum_k θ_k T_k(x)

    The event is the vector of dyads of `to_dyads`. Each function T_k takes dyads
    ``(*batch, n(n − 1)/2)`` to ``(*batch,)``: `edges`, `triangles`, `stars`, `gwesp`, or one's own.
    With edges alone, log Z = n(n − 1)/2 · log(1 + exp θ).

    A statistic may have an attribute ``local_change(x, site, value, *options)``, compiled by
    numba: T_k(x with x[site] = value) − T_k(x) for the dyads x of one network, which it leaves as
    they are. The ready ones have it. If all of them do, so has the energy, and
    `pymc_ebm.sampling.gibbs` counts what a tie changes instead of evaluating the energy.

    Parameters
    ----------
    statistics : sequence of callable
        T_1, …, T_K.

    Returns
    -------
    callable
        ``energy(x, theta)`` with theta ``(K,)``, in nats for each unit of T_k; use it with
        ``signature="(k)"``.

    Raises
    ------
    ValueError
        No statistics; from the energy, a theta of another length than there are statistics.

    References
    ----------
    Frank and Strauss (1986), doi:10.1080/01621459.1986.10478342. Hunter and Handcock (2006),
    doi:10.1198/106186006X133069.

    Examples
    --------
    >>> from functools import partial
    >>> import pymc_ebm as ebm
    >>> graphs = ebm.reference.enumeration([0, 1], shape=6, complete=True)  # 4 nodes
    >>> energy = ergm((edges, triangles))
    >>> log_z = ebm.log_partition(energy, [-1, 0.3], reference=graphs, signature="(k)")
    >>> log_z.eval().round(4).item()
    1.9075
    >>> energy = ergm((edges, partial(gwesp, decay=0.5)))

    Ties between nodes of one kind, with their change:

    >>> import numba, numpy as np
    >>> same = np.array([1.0, 0.0, 0.0, 0.0, 0.0, 1.0])  # the kinds of the nodes are 0, 0, 1, 1
    >>> matches = lambda x: (x * same).sum(-1)
    >>> matches.local_change = numba.njit(lambda x, site, value: same[site] * (value - x[site]))
    >>> energy = ergm((edges, triangles, matches))
    >>> theta = np.array([-1.0, 0.3, 0.5])
    >>> energy.local_change(np.array([1, 1, 0, 0, 0, 0]), 5, 1, theta)
    0.5
    """
    statistics = tuple(statistics)
    if not statistics:
        raise ValueError("The model has 0 statistics. Give at least one, for example (edges,).")

    def energy(x, theta):
        theta = pt.as_tensor(theta)
        if theta.type.shape[-1] not in (None, len(statistics)):
            raise ValueError(
                f"theta has length {theta.type.shape[-1]}, and there are {len(statistics)} "
                "statistics. Give one parameter for each."
            )
        return -pt.dot(pt.stack([statistic(x) for statistic in statistics], axis=-1), theta)

    change = combined_change(statistics)
    return energy if change is None else with_local_change(change)(energy)


@with_local_change(edge_change)
def edges(x) -> TensorVariable:
    """Number of ties, Σ_{i<j} x_ij.

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
    >>> edges([1, 0, 1]).eval().item()
    2.0
    """
    return pt.as_tensor(x).astype("float64").sum(-1)


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
    if k < 1:
        raise ValueError(f"k is {k}, and a star has at least one tie. Give k = 1 or more.")
    return choose(adjacency(x).sum(-1), k).sum(-1)


@with_local_change(gwesp_change)
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
    return (a * partner_weight(a @ a, shared_ratio(decay))).sum((-2, -1)) / 2


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


def partner_weight(partners, ratio: float) -> TensorVariable:
    """Σ_{s=0}^{p−1} ratio^s, the weight of a tie whose ends share p partners."""
    return (1 - ratio**partners) / (1 - ratio)
