"""Floats that may be states or counts, as files and missing values make floats of integers."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.space.base import Space
from pymc_ebm.space.box import Support
from pymc_ebm.space.sites import PAIRS, Sites

__all__ = ["ask_of_two_values", "ask_of_whole_floats", "tell_of_states", "whole_within"]

# So many numbers prove nothing: they may be whole, or two values, because few were written down.
FEW = 9


def whole_within(data: NDArray, box: Support, few_of_two: int = 4, coarse: int = 2**8) -> bool:
    """Whether all of many floats are whole numbers between bounds that are whole numbers.

    Parameters
    ----------
    data : ndarray, shape ``(N, *event)``
    box : Support
        Of these events.
    few_of_two : int
        As `FEW`, where the data take both ends of 0 and 1, or of −1 and 1, and nothing between.
    coarse : int
        Over a wider range an integral says what the sum does.
    """
    ends = np.stack(box.bounds_of(box.n_dim))
    if not (_whole(ends) and _whole(data)):
        return False
    if Sites.looks_like(data) is not None:
        return True
    two = any(box == Support(*pair, box.event_shape) and _both(data, pair) for pair in PAIRS)
    return data.size > (few_of_two if two else FEW) and np.ptp(data) <= coarse


def ask_of_whole_floats(data: NDArray, few_values: int = 5) -> None:
    """Refuse counts, and states of few values, that are stored as floats.

    Raises
    ------
    ValueError
    """
    if data.size <= FEW or not _whole(data):
        return
    low, high = f"{data.min():g}", f"{data.max():g}"
    states = f"If there are no other values, say support=({low}, {high}); if they are "
    if data.min() >= 0:
        words = f"{states}counts, store them as integers, observed=data.astype(int)"
        words += ", and say support=(0, np.inf)" * bool(data.min() > 0)
        words += '; if they are rounded, say support="real" or support=(0, np.inf).'
    elif 2 < len(np.unique(data)) <= few_values:
        words = f'{states}rounded, say support="real".'
    else:
        return
    raise ValueError(
        f"All {data.size} data are whole numbers from {low} to {high}, stored as floats, and the "
        f"normaliser is a sum or an integral. {words}"
    )


def ask_of_two_values(data: NDArray, most_sites: int = 16) -> None:
    """Refuse events ``(N, *event)`` of two values that recur, or that have numbers of such.

    Raises
    ------
    ValueError
    """
    n, real = len(data), 'if they are real numbers, say support="real"'
    pair = two_values(data)
    if pair is not None and data.size > FEW:
        low, high = (float(v) for v in pair)
        sites = data[0].size
        if pair in PAIRS:
            do = "store them as integers, observed=data.astype(int), and say "
            do += f"support=({low:g}, {high:g})"
        elif sites <= most_sites:
            shape = f", shape={data.shape[1:]}" if data.ndim > 1 else ""
            do = f"list them, reference=ebm.reference.enumeration([{low}, {high}]{shape}, "
            do += "complete=True)"
        else:
            do = f"store them as integers, observed=np.where(data > {low}, 1, -1), and scale these "
            do += "in the energy"
        raise ValueError(
            f"All {data.size} data are {low} or {high}, stored as floats, and the normaliser is a "
            f"sum or an integral. If they are states, {do}; {real}."
        )
    if data.ndim != 2 or n <= FEW:
        return
    which = [i for i, x in enumerate(data.T) if two_values(x) is not None]
    if which:
        do = "pass them to the energy of the other numbers as a parameter"
        if len(which) == data.shape[1]:
            do = "store them as integers, observed=(data > data.mean(axis=0)).astype(int), and "
            do += "scale these in the energy"
        raise ValueError(
            f"The numbers with index {which} of all {n} events have two values each, and the "
            f"normaliser is a sum or an integral over them. If they are states, {do}; {real}."
        )


def two_values(x: NDArray) -> tuple[float, float] | None:
    """The only two values there are; None where there are others, or one occurs but once.

    A single number among zeros is no second state.
    """
    pair = low, high = x.min(), x.max()
    counts = int((x == low).sum()), int((x == high).sum())
    return pair if low < high and min(counts) > 1 and sum(counts) == x.size else None


def tell_of_states(space: Space, stacklevel: int, real: str) -> None:
    """Warn that floats are taken for states.

    Parameters
    ----------
    space : Space
    stacklevel : int
    real : str
        What says that they are not.
    """
    are = "whole numbers"
    if isinstance(space, Sites) and space.alike and space.n_values[0] == 2:
        are = " or ".join(map(str, space.values[0]))
    warnings.warn(
        f"All data are {are}, so they are taken for states, and the normaliser is a sum over "
        f"{space}. Store them as integers to say so yourself; {real}.",
        UserWarning,
        stacklevel=stacklevel + 2,
    )


def _both(data: NDArray, pair) -> bool:
    return bool(np.isin(data, pair).all() and all((data == value).any() for value in pair))


def _whole(x: NDArray) -> bool:
    return bool(np.isfinite(x).all() and (x == np.round(x)).all())
