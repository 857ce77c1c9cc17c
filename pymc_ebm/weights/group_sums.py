"""Sums by group of influences that come in slices of the points, and their spread."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.weights.groups import variance_of_sums

__all__ = ["GroupSpread", "GroupSums"]


class GroupSums:
    r"""Running sums :math:`Φ_g = \sum_{m \in g} φ_m` of the influences on one or more results.

    Where there are more than `most` groups, neighbours are merged until the sums fit: sums of
    independent groups are independent too. Unused draws are merged in the same proportion.

    Parameters
    ----------
    groups : ndarray of int
        Group of each point, ``(M,)``, from 0 to G − 1.
    unused_draws : int
        Draws that were made and thrown away: groups with Φ = 0.
    most : int, optional
        The most groups that are kept apart; all by default.
    results : tuple of int
        Shape of the results.

    Attributes
    ----------
    sums : ndarray
        Φ, ``(*results, G')``.
    unused : int
        Unused draws that are left after merging.

    Examples
    --------
    >>> sums = GroupSums(np.array([0, 0, 1, 1]))
    >>> sums.add(slice(0, 3), np.array([1.0, 2.0, 3.0]))
    >>> sums.add(slice(3, 4), np.array([4.0]))
    >>> sums.sums.tolist(), float(sums.variance())
    ([3.0, 7.0], 16.0)
    """

    def __init__(
        self,
        groups: NDArray,
        unused_draws: int = 0,
        *,
        most: int | None = None,
        results: tuple[int, ...] = (),
    ):
        self._n_given = int(groups.max()) + 1
        n_groups = self._n_given if most is None else min(self._n_given, most)
        self._groups = groups
        self.unused = unused_draws * n_groups // self._n_given
        self.sums = np.zeros((*results, n_groups))

    @property
    def n_groups(self) -> int:
        """The number of sums, G', after merging."""
        return self.sums.shape[-1]

    def add(self, points: slice, influence: NDArray) -> None:
        """Take in the influences of a slice of the points, ``(*results, B)``."""
        labels = self._groups[points]
        if self.n_groups < self._n_given:
            labels = labels * self.n_groups // self._n_given
        first = int(labels.min())
        labels = labels - first
        last = first + int(labels.max()) + 1
        flat = np.reshape(influence, (-1, len(labels)))
        of_groups = np.array([np.bincount(labels, row, last - first) for row in flat])
        self.sums[..., first:last] += of_groups.reshape(*self.sums.shape[:-1], last - first)

    def clear(self) -> None:
        """Begin again at zero."""
        self.sums[:] = 0.0

    def variance(self) -> NDArray:
        """`group_variance` of the results, once all points are in, ``(*results,)``."""
        # One result at a time: its temporary arrays are as long as the groups.
        rows = self.sums.reshape(-1, self.n_groups)
        found = [variance_of_sums(row, self.unused) for row in rows]
        return np.reshape(found, self.sums.shape[:-1])


class GroupSpread:
    """`group_variance` of influences that come in blocks of points and whose sum is known.

    Where every point is its own group, nothing is kept but a sum of squares.

    Parameters
    ----------
    groups : ndarray of int
        Group of each point, ``(M,)``.
    total : float
        Sum of the influences.
    unused_draws : int
        As for `GroupSums`.
    """

    def __init__(self, groups: NDArray, total: float, unused_draws: int = 0):
        n_groups = int(groups.max()) + 1
        self._sums = None if n_groups == groups.size else GroupSums(groups, unused_draws)
        self._n_groups = n_groups + unused_draws
        self._mean = total / self._n_groups
        self._squares = unused_draws * self._mean**2

    def add(self, points: slice, influence: NDArray) -> None:
        """Take in the influences of a slice of the points, ``(B,)``."""
        if self._sums is None:
            self._squares += float(np.sum((influence - self._mean) ** 2))
        else:
            self._sums.add(points, influence)

    @property
    def variance(self) -> float:
        """Of the result, once all blocks are in; NaN for a single group."""
        if self._sums is not None:
            return float(self._sums.variance())
        if self._n_groups < 2:
            return np.nan
        return self._n_groups / (self._n_groups - 1) * self._squares
