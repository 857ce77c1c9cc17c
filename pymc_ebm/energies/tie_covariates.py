"""Statistics that add up ties, each with a weight of its own: covariates of ties and nodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytensor.tensor as pt
from numpy.typing import ArrayLike, NDArray
from pytensor.raise_op import Assert
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energies.local_change import with_local_change
from pymc_ebm.energies.local_tie_changes import edge_change, weighted_change
from pymc_ebm.energies.tie_weights import (
    ends_of_level,
    finite_matrix,
    matches,
    of_receivers,
    of_senders,
    sums,
    table_of,
)

__all__ = ["edgecov", "edges", "nodecov", "nodefactor", "nodeicov", "nodematch", "nodeocov"]

_ONE_WAY = (
    "The weights are not symmetric, and the network is undirected. Give symmetric weights, such as "
    "(w + w.T) / 2, or dyads of a directed network."
)


def _weighted_by(matrix: Callable):
    """Decorator: what a tie changes, where ``matrix(*options)`` has the weights of ties."""
    return with_local_change(weighted_change, options=lambda *given: (table_of(matrix(*given)),))


@with_local_change(edge_change)
def edges(x) -> TensorVariable:
    """Number of ties, Σ x_ij over the dyads.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, or ``(*batch, n(n − 1))`` of directed networks.

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


@_weighted_by(finite_matrix)
def edgecov(x, *, weights: ArrayLike) -> TensorVariable:
    """Sum of a covariate over the ties, Σ w_ij x_ij: a distance, or the ties of an earlier network.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, or ``(*batch, n(n − 1))`` of directed networks.
    weights : array_like
        ``(n, n)``, the diagonal unused; symmetric for undirected networks.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Raises
    ------
    ValueError
        Weights that are no square matrix of finite numbers, not one for each pair of nodes, or not
        symmetric for an undirected network.

    Examples
    --------
    >>> edgecov([1, 0, 1], weights=[[0, 5, 1], [5, 0, 2], [1, 2, 0]]).eval().item()
    7.0
    """
    return _weighted_sum(x, finite_matrix(weights))


@_weighted_by(sums)
def nodecov(x, *, attribute: ArrayLike) -> TensorVariable:
    """Sum of a covariate over both ends of every tie, Σ (v_i + v_j) x_ij.

    A node's value counts as often as the node has ties.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, or ``(*batch, n(n − 1))`` of directed networks.
    attribute : array_like
        One number for each node, ``(n,)``.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Raises
    ------
    ValueError
        An attribute that is no vector of finite numbers, or not one for each node.

    Examples
    --------
    >>> nodecov([1, 0, 1], attribute=[10, 36, 55]).eval().item()
    137.0
    """
    return _weighted_sum(x, sums(attribute))


@_weighted_by(of_senders)
def nodeocov(x, *, attribute: ArrayLike) -> TensorVariable:
    """Sum of a covariate over the senders of the ties of a directed network, Σ v_i x_ij.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, or ``(*batch, n(n − 1))`` of directed networks.
    attribute : array_like
        One number for each node, ``(n,)``.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Raises
    ------
    ValueError
        An attribute that is no vector of finite numbers, or not one for each node.

    Examples
    --------
    >>> nodeocov([1, 1, 0, 0, 0, 1], attribute=[10, 36, 55]).eval().item()
    75.0
    """
    return _weighted_sum(x, of_senders(attribute))


@_weighted_by(of_receivers)
def nodeicov(x, *, attribute: ArrayLike) -> TensorVariable:
    """Sum of a covariate over the receivers of the ties of a directed network, Σ v_j x_ij.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, or ``(*batch, n(n − 1))`` of directed networks.
    attribute : array_like
        One number for each node, ``(n,)``.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Raises
    ------
    ValueError
        An attribute that is no vector of finite numbers, or not one for each node.

    Examples
    --------
    >>> nodeicov([1, 1, 0, 0, 0, 1], attribute=[10, 36, 55]).eval().item()
    127.0
    """
    return _weighted_sum(x, of_receivers(attribute))


@with_local_change(
    weighted_change, options=lambda attribute, level: (table_of(ends_of_level(attribute, level)),)
)
def nodefactor(x, *, attribute: ArrayLike, level) -> TensorVariable:
    """Number of ends of ties that are nodes of one kind; a tie between two of them counts twice.

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, or ``(*batch, n(n − 1))`` of directed networks.
    attribute : array_like
        The kind of each node, ``(n,)``, numbers or names.
    level : object
        The kind. One of them is left out of a model that has `edges`, as the one compared with.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Raises
    ------
    ValueError
        A level that no node has; an attribute that is no vector, or not one for each node.

    Examples
    --------
    >>> nodefactor([1, 0, 1], attribute=["a", "b", "b"], level="b").eval().item()
    3.0
    """
    return _weighted_sum(x, ends_of_level(attribute, level))


@with_local_change(
    weighted_change, options=lambda attribute, level: (table_of(matches(attribute, level)),)
)
def nodematch(x, *, attribute: ArrayLike, level=None) -> TensorVariable:
    """Number of ties between nodes of one kind (homophily).

    Parameters
    ----------
    x : TensorVariable
        Dyads, ``(*batch, n(n − 1)/2)``, or ``(*batch, n(n − 1))`` of directed networks.
    attribute : array_like
        The kind of each node, ``(n,)``, numbers or names.
    level : object, optional
        Only ties between nodes of this kind; by default of any.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Raises
    ------
    ValueError
        A level that no node has; an attribute that is no vector, or not one for each node.

    Examples
    --------
    >>> nodematch([1, 0, 1], attribute=["a", "b", "b"]).eval().item()
    1.0
    """
    return _weighted_sum(x, matches(attribute, level))


def _weighted_sum(x, matrix: NDArray) -> TensorVariable:
    """Σ w_ij x_ij over the dyads of undirected or directed networks, whichever x has."""
    x = pt.as_tensor(x)
    table, n_dyads = table_of(matrix), x.type.shape[-1] if x.type.ndim else 0
    undirected, one_way = len(table) // 3, not np.array_equal(matrix, matrix.T)
    if n_dyads is None:  # known when the graph is evaluated
        start = pt.switch(pt.eq(x.shape[-1], undirected), 0, undirected)
        weights = pt.constant(table)[start : start + x.shape[-1]]
        if one_way:
            weights = Assert(_ONE_WAY)(weights, pt.neq(x.shape[-1], undirected))
    elif n_dyads == undirected:
        if one_way:
            raise ValueError(_ONE_WAY)
        weights = pt.constant(table[:undirected])
    elif n_dyads == 2 * undirected:
        weights = pt.constant(table[undirected:])
    else:
        n = len(matrix)
        raise ValueError(
            f"There are {n_dyads} dyads, and a covariate of {n} nodes, which have {undirected}, or "
            f"{2 * undirected} if the network is directed. Give a covariate of the same nodes."
        )
    return pt.dot(x.astype("float64"), weights)
