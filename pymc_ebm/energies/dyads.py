"""Networks as vectors of dyads, in NumPy and as graphs.

An undirected network of n nodes is the vector of its n(n − 1)/2 dyads, 1 where two nodes are tied:
the part of the adjacency matrix above the diagonal, row by row. A directed one has a place for each
of the n(n − 1) ordered pairs: the matrix without its diagonal, row by row. Changing one place keeps
a network of its kind.
"""

from __future__ import annotations

import math

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

__all__ = ["adjacency", "directed_adjacency", "dyads_of", "places", "to_adjacency", "to_dyads"]


def to_dyads(adjacency, *, directed: bool = False) -> np.ndarray:
    """Dyads of adjacency matrices: the entries above the diagonal, or all off it, row by row.

    Parameters
    ----------
    adjacency : array_like
        ``(*batch, n, n)`` of 0 and 1, zero on the diagonal; symmetric unless directed. NaN or
        masked where nobody knows, of which an `EBM` takes the likelihood of what was seen; of an
        undirected tie either entry tells.
    directed : bool
        Entry ij is a tie from i to j, and need not equal entry ji.

    Returns
    -------
    ndarray of int
        ``(*batch, n(n − 1)/2)``, in the order 01, 02, …, 12, 13, …; directed
        ``(*batch, n(n − 1))``, in the order 01, 02, …, 10, 12, …. Of float where some are NaN, a
        masked array where some are masked.

    Raises
    ------
    ValueError
        Matrices that are not square, or not symmetric though undirected, entries other than 0 and
        1, or ties of a node to itself.

    Examples
    --------
    >>> to_dyads([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
    array([1, 0, 1])
    >>> to_dyads([[0, 1, 0], [0, 0, 1], [0, 1, 0]], directed=True)
    array([1, 0, 0, 1, 0, 1])
    >>> to_dyads([[0, 1, np.nan], [1, 0, 1], [np.nan, 1, 0]])
    array([ 1., nan,  1.])
    """
    matrix, missing = np.array(np.ma.getdata(adjacency)), np.ma.getmaskarray(adjacency)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2]:
        raise ValueError(
            f"The adjacency matrix has shape {matrix.shape}. Give square matrices, (*batch, n, n)."
        )
    if matrix.dtype.kind == "f":
        missing = missing | np.isnan(matrix)
    if missing.any():
        there = np.swapaxes(matrix, -1, -2)
        unknown = missing if directed else missing & np.swapaxes(missing, -1, -2)
        matrix = np.where(unknown, 0, np.where(missing, there, matrix))
        missing = unknown
    other = ~np.isin(matrix, (0, 1))
    if other.any():
        raise ValueError(
            f"{other.sum()} of {matrix.size} entries are neither 0 nor 1, the first is "
            f"{matrix[other][0]}. Give 1 where two nodes are tied, NaN where nobody knows, and 0 "
            "elsewhere."
        )
    one_way = (matrix != np.swapaxes(matrix, -1, -2)).sum() // 2
    if one_way > 0 and not directed:
        raise ValueError(
            f"{one_way} pairs of nodes are tied in one direction only. Give symmetric matrices, "
            "such as np.maximum(a, a.T), or say directed=True."
        )
    if (loops := np.count_nonzero(np.diagonal(matrix, axis1=-2, axis2=-1))) > 0:
        raise ValueError(f"{loops} nodes are tied to themselves. Set the diagonal to 0.")
    at = (..., *places(matrix.shape[-1], directed))
    dyads, holes = matrix[at].astype(np.int64), missing[at]
    if not holes.any():
        return dyads
    if np.ma.isMaskedArray(adjacency):
        return np.ma.array(dyads, mask=holes)
    return np.where(holes, np.nan, dyads)


def to_adjacency(dyads, *, directed: bool = False) -> np.ndarray:
    """Adjacency matrices of dyads: the inverse of `to_dyads`.

    Parameters
    ----------
    dyads : array_like
        ``(*batch, n(n − 1)/2)``, in the order 01, 02, …, 12, 13, …; directed
        ``(*batch, n(n − 1))``, in the order 01, 02, …, 10, 12, ….
    directed : bool
        The dyads are those of directed networks.

    Returns
    -------
    ndarray
        ``(*batch, n, n)``, zero on the diagonal, symmetric unless directed, of the type of
        `dyads`, and masked where they are.

    Raises
    ------
    ValueError
        A number of dyads that is not n(n − 1)/2, or n(n − 1) if directed.

    Examples
    --------
    >>> to_adjacency([1, 0, 1])
    array([[0, 1, 0],
           [1, 0, 1],
           [0, 1, 0]])
    >>> to_adjacency([1, 0, 0, 1, 0, 1], directed=True)
    array([[0, 1, 0],
           [0, 0, 1],
           [0, 1, 0]])
    """
    dyads = np.asanyarray(dyads)
    n = _nodes(dyads.shape[-1] if dyads.ndim else 0, directed)
    zeros = np.ma.zeros if np.ma.isMaskedArray(dyads) else np.zeros
    matrix = zeros((*dyads.shape[:-1], n, n), dtype=dyads.dtype)
    rows, columns = places(n, directed)
    matrix[..., rows, columns] = dyads
    if not directed:
        matrix[..., columns, rows] = dyads
    return matrix


def places(n: int, directed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the adjacency matrix where the dyads of n nodes are, in their order."""
    if directed:
        rows, columns = np.nonzero(~np.eye(n, dtype=bool))
        return rows, columns
    return np.triu_indices(n, 1)


def adjacency(x) -> TensorVariable:
    """Adjacency matrices ``(*batch, n, n)``, in float64, as a graph of undirected dyads."""
    x = pt.as_tensor(x)
    n = _graph_nodes(x)
    node = pt.arange(n)
    low, high = pt.minimum(node[:, None], node), pt.maximum(node[:, None], node)
    return _matrix(x, n, low * n - low * (low + 1) // 2 + high - low - 1)


def directed_adjacency(x) -> TensorVariable:
    """Adjacency matrices ``(*batch, n, n)``, in float64, as a graph of directed dyads."""
    x = pt.as_tensor(x)
    n = _graph_nodes(x, directed=True)
    row, column = pt.arange(n)[:, None], pt.arange(n)
    return _matrix(x, n, row * (n - 1) + column - pt.gt(column, row))


def dyads_of(matrix, x) -> TensorVariable:
    """Entries above the diagonal of matrices ``(*batch, n, n)`` made of the dyads `x`."""
    n = _graph_nodes(x)
    rows, columns = pt.triu_indices(n, 1)
    return matrix.reshape((*matrix.shape[:-2], n * n))[..., rows * n + columns]


def _matrix(x, n, place) -> TensorVariable:
    """Matrices of which entry ij is x at ``place[i, j]``, and 0 on the diagonal."""
    off = 1 - pt.eye(n)
    # The diagonal reads dyad 0, times 0.
    entries = x[..., pt.switch(off, place, 0).ravel()].astype("float64")
    return entries.reshape((*x.shape[:-1], n, n)) * off


def _graph_nodes(x, directed: bool = False):
    """Number of nodes: an int where the number of dyads is known, as for points, or a graph."""
    n_dyads = x.type.shape[-1] if x.type.ndim else 0
    if n_dyads is not None:
        return _nodes(n_dyads, directed)
    per_pair = 1 if directed else 2
    return pt.round((1 + pt.sqrt(1 + 4 * per_pair * x.shape[-1])) / 2).astype("int64")


def _nodes(n_dyads: int, directed: bool = False) -> int:
    per_pair = 1 if directed else 2
    n = (1 + math.isqrt(1 + 4 * per_pair * n_dyads)) // 2
    if n_dyads < 1 or n * (n - 1) // per_pair != n_dyads:
        kind, size, how = (
            ("directed", "n(n - 1)", "to_dyads(adjacency, directed=True)")
            if directed
            else ("undirected", "n(n - 1)/2", "to_dyads(adjacency)")
        )
        raise ValueError(
            f"{n_dyads} dyads are not those of a network that is {kind}: n nodes have {size}. Give "
            f"vectors (*batch, {size}), such as {how} makes."
        )
    return n
