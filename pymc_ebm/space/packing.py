"""Point patterns as arrays of one shape."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln

__all__ = ["is_packed", "pack", "places_for", "unpack"]


def pack(patterns: Sequence[ArrayLike], *, most: int | None = None) -> NDArray:
    """Put patterns of different numbers of points into one array, the events of `points`.

    Parameters
    ----------
    patterns : sequence of array_like, each of shape ``(n_i, d)``
        One pattern is a list of one, ``pack([x])``.
    most : int, optional
        Places for points in each; by default n + 8 √n + 10 of the largest n, which is more than a
        Poisson process has whose rate such data allow.

    Returns
    -------
    ndarray, shape ``(N, most, d + 1)``
        Places, and 1 in the last column; zeros where there is no point.

    Raises
    ------
    ValueError
        Patterns that are not all of points in one number of dimensions, are not finite, or have
        more than `most` points.

    Examples
    --------
    >>> pack([[[0.2, 0.4]], []], most=2)
    array([[[0.2, 0.4, 1. ],
            [0. , 0. , 0. ]],
    <BLANKLINE>
           [[0. , 0. , 0. ],
            [0. , 0. , 0. ]]])
    """
    arrays = [np.asarray(p, dtype=float) for p in patterns]
    told = [a for a in arrays if a.size or (a.ndim == 2 and a.shape[1])]  # not by an empty list
    dims = {a.shape[1] if a.ndim == 2 else -1 for a in told}
    if len(dims) != 1 or -1 in dims or not all(np.isfinite(a).all() for a in arrays):
        raise ValueError(
            f"The patterns have shapes {[a.shape for a in arrays][:6]}. Give a list of arrays of "
            "places, finite numbers of shape (n, d); one pattern is a list of one, pack([x])."
        )
    [d] = dims
    largest = max(len(a) for a in arrays)
    most = places_for(largest) if most is None else most
    if largest > most:
        raise ValueError(
            f"A pattern has {largest} points, and there is place for {most}. Give a larger most=."
        )
    packed = np.zeros((len(arrays), most, d + 1))
    for row, a in zip(packed, arrays, strict=True):
        row[: len(a)] = np.column_stack([a.reshape(-1, d), np.ones(len(a))])
    return packed


def places_for(largest: int) -> int:
    """More points than a Poisson process has whose rate so many points in a pattern allow."""
    return int(np.ceil(largest + 8 * np.sqrt(largest) + 10))


def unpack(events: ArrayLike) -> list[NDArray]:
    """Patterns ``(n_i, d)`` of events ``(*batch, most, d + 1)``: what `pack` takes.

    Examples
    --------
    >>> [x.tolist() for x in unpack(pack([[[0.2, 0.4]], []], most=2))]
    [[[0.2, 0.4]], []]
    """
    array = np.asarray(events)
    flat = array.reshape(-1, *array.shape[-2:])
    return [x[x[:, -1] == 1, :-1] for x in flat]


def is_packed(events: NDArray, chance: float = 1e-4) -> bool:
    """Whether events look like packed patterns: nothing but zeros where there is no point.

    Parameters
    ----------
    events : ndarray
    chance : float
        Probability with which whole numbers may be zeros there, in any order of the rows.

    Examples
    --------
    >>> is_packed(pack([[[0.2, 0.4]], []], most=2)), is_packed(np.ones((1, 2, 3)))
    (True, False)
    """
    if events.ndim != 3 or events.shape[2] < 2 or not np.isin(events[..., -1], (0, 1)).all():
        return False
    places, there = events[..., :-1], events[..., -1] == 1
    zeros = (places == 0).all(axis=-1)
    if there.all() or not there.any() or not zeros[~there].all():
        return False
    if (places != np.round(places)).any():
        return True
    orders = lambda n: gammaln(n + 1) - gammaln(n - (~there).sum() + 1)
    return bool(orders(zeros.sum()) - orders(zeros.size) < np.log(chance))
