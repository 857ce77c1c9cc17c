"""Every state of a discrete space."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pymc_ebm.memory import check_memory
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.laws.law_by_uniforms import LawByUniforms
from pymc_ebm.space.box import Support
from pymc_ebm.space.named import normalise_support
from pymc_ebm.space.states import EqualStates, States, state_keys

REMEDY = "Use draws: pymc_ebm.reference.independent, or fewer values per coordinate."


def enumeration(values, *, shape=None, complete: bool = False, support=None) -> Reference:
    """All states of a discrete space, a_m = 0: Z(θ) = Σ_x exp(−E(x|θ)).

    Parameters
    ----------
    values : array_like or iterator
        Values of a scalar event, ``(k,)``; with `shape`, the values of each site. A list or tuple
        of sequences is the product of the coordinates' values. An array of two or more dimensions
        ``(M, *event)``, or an iterator such as ``itertools.product``, is the states themselves.
    shape : int or tuple of int, optional
        Shape of an event whose sites all take `values`.
    complete : bool
        Whether these are all states. Otherwise the states with a coordinate at its largest value,
        or at its smallest if that is not 0 (where counts begin), are the edge, and weight there
        counts against the reference; a bound of `support` is none.
    support : optional
        As in `Reference`; the whole line by default.

    Returns
    -------
    Reference
        One point per state, exact. A complete one can also be drawn from, uniformly.

    Raises
    ------
    ValueError
        A value or a state given twice, or no values.
    MemoryError
        More states than fit in memory.

    Examples
    --------
    >>> import numpy as np
    >>> spins = enumeration([-1, 1], shape=(2, 2), complete=True)
    >>> spins.n_points, spins.event_shape
    (16, (2, 2))
    >>> enumeration(range(500)).edge.sum().item()
    1
    """
    points = np.array(_states(values, shape))
    if points.dtype.kind == "f" and (points == np.round(points)).all():
        points = points.astype(np.int64)  # whole numbers however they are stored
    points.flags.writeable = False  # one copy serves the reference and its proposal
    if len(points) == 0:
        raise ValueError("There are 0 states to enumerate. Give at least one value.")
    return Reference(
        points=points,
        log_weights=np.zeros(len(points)),
        groups=np.arange(len(points)),
        support=support,
        exact=True,
        complete=complete,
        edge=None if complete else _edge(points, support),
        description="enumeration",
        proposal=LawByUniforms(EqualStates(States(points)), points.shape[1:]) if complete else None,
    )


def _states(values, shape) -> np.ndarray:
    if isinstance(values, Iterator):
        values = _collect(values)
    if shape is not None:
        shape = (int(shape),) if np.ndim(shape) == 0 else tuple(int(n) for n in shape)
        values = _distinct(values)
        size = math.prod(shape)
        return _product([values] * size).reshape(-1, *shape)
    if isinstance(values, (list, tuple)) and len(values) and np.ndim(values[0]) > 0:
        return _product([_distinct(v) for v in values])
    if isinstance(values, np.ndarray) and values.ndim >= 2:
        check_memory(len(values), 6 + 4 * (values[0].size if len(values) else 0), REMEDY)
        _check_distinct(values)
        return values
    if hasattr(values, "__len__"):
        check_memory(len(values), 10, REMEDY)
    return _distinct(values)


def _collect(states: Iterator) -> np.ndarray:
    """The states of an iterator, refusing before they outgrow the memory."""
    kept = []
    for state in states:
        kept.append(state)
        if len(kept) % 100_000 == 0:
            # Python numbers in tuples take about four times the array's room.
            check_memory(len(kept), 6 + 8 * np.size(state), REMEDY)
    return np.array(kept)


def _distinct(values) -> np.ndarray:
    array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(
            f"The values have shape {array.shape}. Give a one-dimensional sequence of values."
        )
    unique, counts = np.unique(array, return_counts=True)
    if len(unique) < len(array):
        twice = unique[counts > 1][0]
        raise ValueError(
            f"{len(array) - len(unique)} of {len(array)} values are given twice, the first is "
            f"{twice}. Give each value once, or the sum counts it twice."
        )
    return array


def _check_distinct(states: np.ndarray) -> None:
    """Refuse an array of states ``(M, *event)`` in which one comes twice."""
    rows = states.reshape(len(states), -1)
    keys = state_keys(rows)
    order = np.argsort(keys)
    close = np.flatnonzero(np.diff(keys[order]) == 0)
    repeated = (rows[order[close]] == rows[order[close + 1]]).all(axis=1).sum()
    if repeated:
        raise ValueError(
            f"{repeated} of {len(states)} states are given twice, and the sum would count them so. "
            "Give each once, or number equal alternatives in a column of their own, which the "
            "energy leaves out: np.column_stack([states, np.arange(len(states))])."
        )


def _product(coordinates: list[np.ndarray]) -> np.ndarray:
    """All combinations, ``(M, D)``, the last coordinate running fastest."""
    n_states = math.prod(len(values) for values in coordinates)
    check_memory(n_states, 6 + 2 * len(coordinates), REMEDY)
    points = np.empty((n_states, len(coordinates)), dtype=np.result_type(*coordinates))
    repeat = n_states
    for column, values in enumerate(coordinates):
        repeat //= max(len(values), 1)
        points[:, column] = np.tile(np.repeat(values, repeat), n_states // (repeat * len(values)))
    return points


def _edge(points: np.ndarray, support) -> np.ndarray:
    rows, box = points.reshape(len(points), -1), normalise_support(support)
    n_dim = rows.shape[1]
    lower, upper = np.full(n_dim, -np.inf), np.full(n_dim, np.inf)
    if type(box) is Support:
        lower, upper = box.of_events(points.shape[1:]).bounds_of(n_dim)
    largest, smallest = rows.max(axis=0), rows.min(axis=0)
    cut_above = largest < np.floor(upper)
    cut_below = (smallest > np.ceil(lower)) & (smallest != 0)
    at_edge = ((rows == largest) & cut_above) | ((rows == smallest) & cut_below)
    return at_edge.any(axis=1)
