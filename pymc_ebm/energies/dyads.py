"""Undirected networks as vectors of dyads, in NumPy and as graphs.

A network of n nodes is the vector of its n(n − 1)/2 dyads, 1 where two nodes are tied: the part of
the adjacency matrix above the diagonal, row by row. Changing one dyad keeps it undirected.
"""

from __future__ import annotations

import math

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

__all__ = ["adjacency", "dyads_of", "to_adjacency", "to_dyads"]


def to_dyads(adjacency) -> np.ndarray:
    """Dyads of adjacency matrices: the entries above the diagonal, row by row.

    Parameters
    ----------
    adjacency : array_like
        ``(*batch, n, n)`` of 0 and 1, symmetric, zero on the diagonal.

    Returns
    -------
    ndarray of int
        ``(*batch, n(n − 1)/2)``, in the order 01, 02, …, 12, 13, ….

    Raises
    ------
    ValueError
        Matrices that are not square or not symmetric, entries other than 0 and 1, or ties of a
        node to itself.

    Examples
    --------
    >>> to_dyads([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    array([1, 0, 1])
    """
    matrix = np.asarray(adjacency)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(
            f"The adjacency matrix has shape {matrix.shape}. Give square matrices, (*batch, n, n)."
        )
    other = ~np.isin(matrix, (0, 1))
    if other.any():
        raise ValueError(
            f"{other.sum()} of {matrix.size} entries are neither 0 nor 1, the first is "
            f"{matrix[other][0]}. Give 1 where two nodes are tied and 0 elsewhere."
        )
    if (one_way := (matrix != np.swapaxes(matrix, -1, -2)).sum() // 2) > 0:
        raise ValueError(
            f"{one_way} pairs of nodes are tied in one direction only. Give symmetric matrices, "
            "such as np.maximum(a, a.T)."
        )
    if (loops := np.trace(matrix, axis1=-2, axis2=-1).sum()) > 0:
        raise ValueError(f"{loops} nodes are tied to themselves. Set the diagonal to 0.")
    rows, columns = np.triu_indices(matrix.shape[-1], 1)
    return matrix[..., rows, columns].astype(np.int64)


def to_adjacency(dyads) -> np.ndarray:
    """Adjacency matrices of dyads: the inverse of `to_dyads`.

    Parameters
    ----------
    dyads : array_like
        ``(*batch, n(n − 1)/2)``, in the order 01, 02, …, 12, 13, ….

    Returns
    -------
    ndarray
        ``(*batch, n, n)``, symmetric, zero on the diagonal, of the type of `dyads`.

    Raises
    ------
    ValueError
        A number of dyads that is not n(n − 1)/2.

    Examples
    --------
    >>> to_adjacency([1, 0, 1])
    array([[0, 1, 0],
           [1, 0, 1],
           [0, 1, 0]])
    """
    dyads = np.asarray(dyads)
    n = _nodes(dyads.shape[-1] if dyads.ndim else 0)
    matrix = np.zeros((*dyads.shape[:-1], n, n), dtype=dyads.dtype)
    rows, columns = np.triu_indices(n, 1)
    matrix[..., rows, columns] = dyads
    matrix[..., columns, rows] = dyads
    return matrix


def adjacency(x) -> TensorVariable:
    """Adjacency matrices ``(*batch, n, n)``, in float64, as a graph of dyads."""
    x = pt.as_tensor(x)
    n = _graph_nodes(x)
    node = pt.arange(n)
    low, high = pt.minimum(node[:, None], node), pt.maximum(node[:, None], node)
    place = low * n - low * (low + 1) // 2 + high - low - 1
    off = pt.neq(low, high)
    # The diagonal reads dyad 0, times 0.
    entries = x[..., pt.switch(off, place, 0).ravel()].astype("float64")
    return entries.reshape((*x.shape[:-1], n, n)) * off


def dyads_of(matrix, x) -> TensorVariable:
    """Entries above the diagonal of matrices ``(*batch, n, n)`` made of the dyads `x`."""
    n = _graph_nodes(x)
    rows, columns = pt.triu_indices(n, 1)
    return matrix.reshape((*matrix.shape[:-2], n * n))[..., rows * n + columns]


def _graph_nodes(x):
    """Number of nodes: an int where the number of dyads is known, as for points, or a graph."""
    n_dyads = x.type.shape[-1] if x.type.ndim else 0
    if n_dyads is not None:
        return _nodes(n_dyads)
    return pt.round((1 + pt.sqrt(1 + 8 * x.shape[-1])) / 2).astype("int64")


def _nodes(n_dyads: int) -> int:
    n = (1 + math.isqrt(1 + 8 * n_dyads)) // 2
    if n_dyads < 1 or n * (n - 1) // 2 != n_dyads:
        raise ValueError(
            f"{n_dyads} dyads are not those of a network: n nodes have n(n - 1)/2. Give vectors "
            "(*batch, n(n - 1)/2), such as to_dyads makes."
        )
    return n
