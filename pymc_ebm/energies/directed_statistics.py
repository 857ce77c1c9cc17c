"""Statistics of directed networks: mutual ties, stars, triples and shared partners."""

from __future__ import annotations

from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energies.dyads import directed_adjacency
from pymc_ebm.energies.local_arc_changes import (
    ctriple_change,
    dgwesp_change,
    istar_change,
    m2star_change,
    mutual_change,
    ostar_change,
    ttriple_change,
)
from pymc_ebm.energies.local_change import with_local_change
from pymc_ebm.energies.undirected_statistics import check_star, choose, geometric_sum, shared_ratio

__all__ = ["ctriples", "dgwesp", "istars", "m2stars", "mutual", "ostars", "ttriples"]


@with_local_change(mutual_change)
def mutual(x) -> TensorVariable:
    """Number of pairs of nodes tied in both directions, Σ_{i<j} x_ij x_ji.

    Parameters
    ----------
    x : TensorVariable
        Dyads of directed networks, ``(*batch, n(n − 1))``, as `to_dyads` makes them.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Examples
    --------
    >>> mutual([1, 0, 1, 1, 0, 0]).eval().item()
    1.0
    """
    a = directed_adjacency(x)
    return (a * a.swapaxes(-1, -2)).sum((-2, -1)) / 2


@with_local_change(istar_change)
def istars(x, *, k: int = 2) -> TensorVariable:
    r"""Number of k-in-stars, nodes with k of the ties to them: :math:`\sum_i \binom{d_i}{k}`.

    d_i is the number of ties to node i.

    Parameters
    ----------
    x : TensorVariable
        Dyads of directed networks, ``(*batch, n(n − 1))``, as `to_dyads` makes them.
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

    Examples
    --------
    >>> istars([1, 1, 0, 1, 0, 0]).eval().item()
    1.0
    """
    check_star(k)
    return choose(directed_adjacency(x).sum(-2), k).sum(-1)


@with_local_change(ostar_change)
def ostars(x, *, k: int = 2) -> TensorVariable:
    r"""Number of k-out-stars, nodes with k of the ties from them: :math:`\sum_i \binom{d_i}{k}`.

    d_i is the number of ties from node i.

    Parameters
    ----------
    x : TensorVariable
        Dyads of directed networks, ``(*batch, n(n − 1))``, as `to_dyads` makes them.
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

    Examples
    --------
    >>> ostars([1, 1, 0, 1, 0, 0]).eval().item()
    1.0
    """
    check_star(k)
    return choose(directed_adjacency(x).sum(-1), k).sum(-1)


@with_local_change(m2star_change)
def m2stars(x) -> TensorVariable:
    """Number of directed paths of two ties, i to j to k with i ≠ k (mixed 2-stars).

    Parameters
    ----------
    x : TensorVariable
        Dyads of directed networks, ``(*batch, n(n − 1))``, as `to_dyads` makes them.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Examples
    --------
    >>> m2stars([1, 0, 1, 1, 0, 0]).eval().item()
    1.0
    """
    a = directed_adjacency(x)
    there_and_back = (a * a.swapaxes(-1, -2)).sum((-2, -1))
    return (a.sum(-1) * a.sum(-2)).sum(-1) - there_and_back


@with_local_change(ttriple_change)
def ttriples(x) -> TensorVariable:
    """Number of transitive triples, Σ x_ij x_jk x_ik over ordered triples of nodes.

    Parameters
    ----------
    x : TensorVariable
        Dyads of directed networks, ``(*batch, n(n − 1))``, as `to_dyads` makes them.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Examples
    --------
    >>> ttriples([1, 1, 0, 1, 0, 0]).eval().item()
    1.0
    """
    a = directed_adjacency(x)
    return (a * (a @ a)).sum((-2, -1))


@with_local_change(ctriple_change)
def ctriples(x) -> TensorVariable:
    """Number of cyclic triples, Σ x_ij x_jk x_ki / 3 over ordered triples of nodes.

    Parameters
    ----------
    x : TensorVariable
        Dyads of directed networks, ``(*batch, n(n − 1))``, as `to_dyads` makes them.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Examples
    --------
    >>> ctriples([1, 0, 0, 1, 1, 0]).eval().item()
    1.0
    """
    a = directed_adjacency(x)
    return (a.swapaxes(-1, -2) * (a @ a)).sum((-2, -1)) / 3


@with_local_change(dgwesp_change, options=lambda decay: (shared_ratio(decay),))
def dgwesp(x, *, decay: float) -> TensorVariable:
    r"""Geometrically weighted edgewise shared partners on outgoing two-paths, with a fixed decay α.

    .. math:: e^α \sum_{i \ne j} x_{ij} \bigl(1 − (1 − e^{−α})^{p_{ij}}\bigr), \quad
              p_{ij} = \sum_h x_{ih} x_{hj}

    The partners h of the tie from i to j lie on a path i to h to j (type OTP in the R package
    ergm).

    Parameters
    ----------
    x : TensorVariable
        Dyads of directed networks, ``(*batch, n(n − 1))``, as `to_dyads` makes them.
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
    Snijders, Pattison, Robins and Handcock (2006), doi:10.1111/j.1467-9531.2006.00176.x.

    Examples
    --------
    >>> dgwesp([1, 1, 0, 1, 0, 0], decay=0.5).eval().item()
    1.0
    """
    a = directed_adjacency(x)
    return (a * geometric_sum(a @ a, shared_ratio(decay))).sum((-2, -1))
