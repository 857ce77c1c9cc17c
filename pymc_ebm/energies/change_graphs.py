"""Change statistics: what a tie adds to a statistic of a network, for all dyads at once.

Δ_ij(x) = T(x with the tie ij) − T(x without it), whether or not ij is tied in x. Toggling ij adds
(1 − 2 x_ij) Δ_ij to T, and the log odds of the tie given all others are Σ_k θ_k Δ_k,ij.
"""

from __future__ import annotations

import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energies.dyads import adjacency, dyads_of
from pymc_ebm.energies.undirected_statistics import check_star, choose, geometric_sum, shared_ratio

__all__ = ["edge_changes", "gwesp_changes", "star_changes", "triangle_changes"]


def edge_changes(x) -> TensorVariable:
    """Change statistics of `edges`: Δ_ij = 1.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, as `to_dyads` makes them.

    Returns
    -------
    TensorVariable
        ``(*batch, n(n − 1)/2)``.

    Examples
    --------
    >>> edge_changes([1, 0, 1]).eval().tolist()
    [1.0, 1.0, 1.0]
    """
    return pt.ones_like(pt.as_tensor(x), dtype="float64")


def triangle_changes(x) -> TensorVariable:
    """Change statistics of `triangles`: Δ_ij = Σ_h x_ih x_jh, the shared partners.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, as `to_dyads` makes them.

    Returns
    -------
    TensorVariable
        ``(*batch, n(n − 1)/2)``.

    Examples
    --------
    >>> triangle_changes([1, 0, 1]).eval().tolist()
    [0.0, 1.0, 0.0]
    """
    x = pt.as_tensor(x)
    a = adjacency(x)
    return dyads_of(a @ a, x)


def star_changes(x, *, k: int = 2) -> TensorVariable:
    r"""Change statistics of `stars`, with d_i the ties of node i other than ij.

    .. math:: Δ_{ij} = \binom{d_i}{k − 1} + \binom{d_j}{k − 1}

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, as `to_dyads` makes them.
    k : int
        Ties of a star, 1 or more.

    Returns
    -------
    TensorVariable
        ``(*batch, n(n − 1)/2)``.

    Raises
    ------
    ValueError
        k below 1.

    Examples
    --------
    >>> star_changes([1, 0, 1]).eval().tolist()
    [1.0, 2.0, 1.0]
    """
    check_star(k)
    x = pt.as_tensor(x)
    a = adjacency(x)
    # [i, j]: ties of i other than ij
    others = choose(a.sum(-1, keepdims=True) - a, k - 1)
    return dyads_of(others + others.swapaxes(-1, -2), x)


def gwesp_changes(x, *, decay: float) -> TensorVariable:
    r"""Change statistics of `gwesp`: the tie's own weight, and what it adds to its partners' ties.

    With r = 1 − exp(−α) and p the numbers of shared partners,

    .. math:: Δ_{ij} = e^α (1 − r^{p_{ij}})
              + \sum_h x_{ih} x_{jh} \bigl(r^{p_{ih} − x_{ij}} + r^{p_{jh} − x_{ij}}\bigr)

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, as `to_dyads` makes them.
    decay : float
        α ≥ 0.

    Returns
    -------
    TensorVariable
        ``(*batch, n(n − 1)/2)``.

    Raises
    ------
    ValueError
        A negative decay.

    References
    ----------
    Hunter and Handcock (2006), doi:10.1198/106186006X133069.

    Examples
    --------
    >>> gwesp_changes([1, 0, 1], decay=0.5).eval().tolist()
    [0.0, 3.0, 0.0]
    """
    ratio = shared_ratio(decay)
    x = pt.as_tensor(x)
    a = adjacency(x)
    partners = a @ a
    # Without ij, the ties ih and jh of a shared partner h have one partner less where ij is tied;
    # p ≥ 1 there, and what the maximum replaces is multiplied by 0.
    untied = (a * ratio**partners) @ a
    tied = (a * ratio ** pt.maximum(partners - 1, 0)) @ a
    added = pt.switch(a > 0, tied, untied)
    return dyads_of(geometric_sum(partners, ratio) + added + added.swapaxes(-1, -2), x)
