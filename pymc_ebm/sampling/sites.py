"""The values that each site of a discrete event can take, and states as codes of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pymc_ebm.reference.base import Reference

__all__ = ["Sites", "sites_of"]


@dataclass(frozen=True, eq=False)
class Sites:
    """Values of D sites, up to K each, sorted.

    Attributes
    ----------
    values : ndarray, shape (D, K)
        Rows of fewer values repeat the last one.
    n_values : ndarray of int, shape (D,)
    event_shape : tuple of int
    """

    values: np.ndarray
    n_values: np.ndarray
    event_shape: tuple[int, ...]

    def points(self, codes: np.ndarray) -> np.ndarray:
        """Events ``(*batch, *event)`` of codes ``(*batch, D)``."""
        n_sites, most = self.values.shape
        if (self.values == self.values[0]).all():
            points = self.values[0].take(codes)
        else:
            points = self.values.ravel().take(codes + most * np.arange(n_sites))
        return points.reshape(*codes.shape[:-1], *self.event_shape)

    def codes(self, points: np.ndarray) -> np.ndarray:
        """Codes ``(B, D)`` of events ``(B, *event)``; −1 where a site has no such value."""
        rows = points.reshape(len(points), -1)
        if (self.values == self.values[0]).all():
            return _codes(self.values[0, : self.n_values[0]], rows)
        codes = np.empty(rows.shape, dtype=np.int64)
        for i, (known, n) in enumerate(zip(self.values, self.n_values, strict=True)):
            codes[:, i] = _codes(known[:n], rows[:, i])
        return codes


def sites_of(reference: Reference, values=None) -> Sites:
    """Values as the caller gives them, or those that occur among the reference's points.

    Parameters
    ----------
    reference : Reference
    values : array_like or sequence of array_like, optional
        ``(K,)`` for all sites, or one sequence for each site.

    Returns
    -------
    Sites

    Raises
    ------
    TypeError
        A continuous reference without `values`.
    ValueError
        Values outside the support, or not one sequence for each site; states of an exact
        reference that are not all the combinations of the sites' values.
    """
    n_sites = math.prod(reference.event_shape)
    if values is None:
        columns = _columns(reference, n_sites)
    elif len(values) and np.ndim(values[0]) > 0:
        columns = [np.unique(np.asarray(v)) for v in values]
    else:
        columns = [np.unique(np.asarray(values))] * n_sites
    if len(columns) != n_sites or min(len(c) for c in columns) == 0:
        raise ValueError(
            f"values has {len(columns)} sequences, the shortest of "
            f"{min((len(c) for c in columns), default=0)}, for {n_sites} sites. Give one sequence "
            "of values for all sites, or one for each."
        )
    n_values = np.array([len(c) for c in columns])
    padded = [np.pad(c, (0, n_values.max() - len(c)), mode="edge") for c in columns]
    table = np.stack(padded).astype(reference.points.dtype)
    _check(table, columns, n_values, reference, given=values is not None)
    return Sites(table, n_values, reference.event_shape)


def _codes(known, points):
    code = np.searchsorted(known, points).clip(0, len(known) - 1)
    return np.where(known[code] == points, code, -1)


def _columns(reference, n_sites):
    if not reference.discrete:
        raise TypeError(
            f"{reference} has points of dtype {reference.points.dtype}, and Gibbs sampling is for "
            "discrete events. Use independent_metropolis, or give the values= of a site."
        )
    points = reference.points.reshape(reference.n_points, n_sites)
    low, high = int(points.min()), int(points.max())
    if high - low > 1000:
        return [np.unique(column) for column in points.T]
    # Marking is faster than sorting.
    present = np.zeros((n_sites, high - low + 1), dtype=bool)
    present[np.arange(n_sites), points.astype(np.int64) - low] = True
    return [np.flatnonzero(row) + low for row in present]


def _check(table, columns, n_values, reference, given):
    if any((row[:n] != c).any() for row, n, c in zip(table, n_values, columns, strict=True)):
        raise ValueError(
            f"Some values change in the reference's dtype {reference.points.dtype}. Give values "
            "of the kind that the reference has."
        )
    events = np.moveaxis(table.reshape(*reference.event_shape, -1), -1, 0)
    inside = reference.support.contains(events, len(reference.event_shape))
    if not inside.all():
        raise ValueError(
            f"Some values, from {table.min()} to {table.max()}, lie outside the support "
            f"{reference.support}. Remove them."
        )
    states = math.prod(int(n) for n in n_values)
    if reference.states is not None and not given and reference.n_points != states:
        raise ValueError(
            f"The reference has {reference.n_points} states, and its sites' values combine to "
            f"{states}, so changing one site may leave the space. Use importance_resampling."
        )
