"""Weights of ties by covariates of nodes and of pairs, as matrices ``(n, n)``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.energies.dyads import places

__all__ = [
    "ends_of_level",
    "finite_matrix",
    "matches",
    "of_receivers",
    "of_senders",
    "sums",
    "table_of",
]


def table_of(matrix: NDArray) -> NDArray:
    """Weights of undirected dyads, and after them those of directed ones: ``(3n(n − 1)/2,)``."""
    return np.concatenate([matrix[places(len(matrix), directed)] for directed in (False, True)])


def finite_matrix(weights) -> NDArray:
    """Weights as they are, 0 on the diagonal."""
    weights = np.array(weights, dtype="float64")
    if weights.ndim != 2 or len(weights) != weights.shape[1]:
        raise ValueError(f"The weights have shape {weights.shape}. Give a matrix, (n, n).")
    np.fill_diagonal(weights, 0.0)
    if (bad := np.argwhere(~np.isfinite(weights))).size:
        i, j = bad[0]
        raise ValueError(
            f"The weight of nodes {i} and {j} is {weights[i, j]}. Give finite numbers."
        )
    return weights


def sums(attribute) -> NDArray:
    """v_i + v_j."""
    values = _numbers(attribute)
    return values[:, None] + values


def of_senders(attribute) -> NDArray:
    """v_i."""
    values = _numbers(attribute)
    return np.broadcast_to(values[:, None], (len(values), len(values)))


def of_receivers(attribute) -> NDArray:
    """v_j."""
    return of_senders(attribute).T


def ends_of_level(attribute, level) -> NDArray:
    """How many of i and j are of a kind."""
    return sums(_kinds(attribute, level) == level)


def matches(attribute, level) -> NDArray:
    """Whether i and j are of one kind, which is `level` where that is given."""
    kinds = _kinds(attribute, level)
    same = kinds[:, None] == kinds
    return (same if level is None else same & (kinds == level)).astype("float64")


def _numbers(attribute) -> NDArray:
    values = _vector(np.asarray(attribute, dtype="float64"))
    if (bad := np.flatnonzero(~np.isfinite(values))).size:
        raise ValueError(
            f"The attribute of node {bad[0]} is {values[bad[0]]}. Give a finite number for each "
            "node."
        )
    return values


def _kinds(attribute, level) -> NDArray:
    kinds = _vector(np.asarray(attribute))
    if level is not None and not (kinds == level).any():
        raise ValueError(f"No node has the level {level!r}. Give one of {np.unique(kinds)}.")
    return kinds


def _vector(values: NDArray) -> NDArray:
    if values.ndim != 1:
        raise ValueError(
            f"The attribute has shape {values.shape}. Give a vector with one value for each node."
        )
    return values
