"""Which space data are of: what the user says, or what they look like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.space._permutations import Permutations
from pymc_ebm.space._points import Points
from pymc_ebm.space._simplex import Simplex
from pymc_ebm.space._sphere import Sphere
from pymc_ebm.space.base import Space
from pymc_ebm.space.box import Support
from pymc_ebm.space.constrained import constraint_of
from pymc_ebm.space.named import normalise_support
from pymc_ebm.space.sites import PAIRS, Sites
from pymc_ebm.space.states import States
from pymc_ebm.space.stored_floats import (
    ask_of_two_values,
    ask_of_whole_floats,
    tell_of_states,
    whole_within,
)
from pymc_ebm.space.whole_numbers import WholeNumbers

__all__ = [
    "SPACES",
    "check_inside",
    "refuse_constrained",
    "space_of",
    "space_of_points",
]

# The first that data look like is theirs.
SPACES: tuple[type[Space], ...] = (Sites, WholeNumbers, Support)
# What constrained events may be of, as users write it.
CONSTRAINED: dict[str, type[Space]] = {
    "ebm.space.points([(low, high), …])": Points,
    '"sphere"': Sphere,
    '"simplex"': Simplex,
    '"permutations"': Permutations,
}


def space_of(data: NDArray, support=None, *, stacklevel: int = 3) -> Space:
    """Take the space of events ``(N, *event)``.

    Parameters
    ----------
    data : ndarray, shape ``(N, *event)``
        Finite numbers.
    support : optional
        As users write it. "real" takes numbers for free ones, whatever they look like.

    Returns
    -------
    Space
        Of these events' shape.

    Raises
    ------
    ValueError
        Data that look constrained, may be of several spaces, or lie outside the support.

    Warns
    -----
    UserWarning
        Floats that are taken for states.

    Examples
    --------
    >>> print(space_of(np.array([[0, 1, 1], [1, 0, 0]])))
    {0, 1} at 3 sites
    """
    space = _guess(data, stacklevel) if support is None else _given(data, support, stacklevel)
    check_inside(space, data)
    return space


def check_inside(space: Space, data: NDArray) -> None:
    """Refuse events ``(N, *event)`` outside a space.

    Raises
    ------
    ValueError
    """
    outside = ~space.contains(data, data.ndim - 1)
    if outside.any():
        first = int(np.argmax(outside))
        what, remedy = space.fault(data[first])
        raise ValueError(
            f"{outside.sum()} of {len(data)} observations lie outside the support {space}, the "
            f"first with index {first}: {what}. {remedy}"
        )


def space_of_points(points: NDArray, support: Space, listed: bool) -> Space:
    """The space of a reference's points ``(M, *event)``.

    Parameters
    ----------
    points : ndarray
    support : Space
        A box, within which integers are whole numbers, or the space itself.
    listed : bool
        Whether the points are all the states that there are.
    """
    if type(support) is not Support:
        return support.of_data(points)
    if points.dtype.kind == "f":
        return States(points) if listed else support.of_events(points.shape[1:])
    if not listed:
        return WholeNumbers(support.lower, support.upper, points.shape[1:])
    sites = Sites.among(points)
    return sites if sites.n_states == len(points) else States(points)


def _given(data: NDArray, support, stacklevel) -> Space:
    space = normalise_support(support)
    event = data.shape[1:]
    if type(space) is not Support:
        return space.of_data(data)
    refuse_constrained(data, space)
    box = space.of_events(event)
    if data.dtype.kind != "f":
        return _whole_numbers(data, box)
    # A name says that they are real numbers.
    named = isinstance(support, str | Space)
    if named or not whole_within(data, box):
        if not named:
            ask_of_two_values(data)
        return box
    states = _whole_numbers(data, box)
    unit = box == Support(0.0, 1.0, event)
    real = 'real numbers, say support="unit"' if unit else "rounded, move the bounds out by a half"
    tell_of_states(states, stacklevel, f"if they are {real}")
    return states


def _whole_numbers(data: NDArray, box: Support) -> Space:
    """Those of a box: spins are the only ones that leave one out."""
    if box == Support(-1.0, 1.0, box.event_shape) and np.isin(data, PAIRS[1]).all():
        return Sites.of(list(PAIRS[1]), data.shape[1:])
    lower, upper = box.bounds_of(box.n_dim)
    if (upper - lower <= 2**20).all():
        low, high = np.ceil(lower).astype(int), np.floor(upper).astype(int)
        values = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
        return Sites.of(values, data.shape[1:])
    return WholeNumbers(box.lower, box.upper, data.shape[1:])


def _guess(data: NDArray, stacklevel) -> Space:
    refuse_constrained(data)
    if data.ndim == 1 and data.dtype.kind in "iuf":
        _ask_which(data)
    space = next(s for kind in SPACES if (s := kind.looks_like(data)) is not None)
    if isinstance(space, Sites):
        if data.dtype.kind == "f":
            tell_of_states(space, stacklevel, 'if they are real numbers, say support="real"')
        return space
    if data.dtype.kind == "f":
        ask_of_whole_floats(data)
        ask_of_two_values(data)
    if space.discrete and data.min() == 0:
        return space  # counts
    _ask_of_bounds(data)
    return space


def refuse_constrained(data: NDArray, support: Space | None = None) -> None:
    """Refuse events ``(N, *event)`` that obey more than a box asks of them.

    Parameters
    ----------
    data : ndarray
    support : Space, optional
        The whole line takes what is constrained for free, and bounds take whole numbers for it.

    Raises
    ------
    ValueError
    """
    if support is not None:
        whole = (data == np.round(data)).all() and Points.looks_like(data) is None
        if type(support) is not Support or not support.bounded or whole:
            return
    constraint = constraint_of(data)
    if constraint:
        raise ValueError(_words_for(constraint, data))


def _words_for(constraint: str, data: NDArray) -> str:
    """Say which space constrained events are of, and how to say so."""
    whole = (data == np.round(data)).all() and Points.looks_like(data) is None
    free = f"({data.min():g}, {data.max():g})" if whole else '"real"'
    told = f"{constraint[0].upper()}{constraint[1:]}, so the normaliser belongs to that space and "
    told += "not to all numbers. "
    for name, space in CONSTRAINED.items():
        kind = space.looks_like(data)
        if kind is not None:
            do, outside = f"Say support={name}", ~kind.contains(data)
            if outside.any():
                _, remedy = kind.fault(data[outside][0])
                do = f"{remedy[:-1]} and say support={name}"
            return f"{told}{do}, or say support={free} if other values may come together."
    do = "Describe an event by numbers that are free"
    if "symmetric" in constraint and np.isin(data, (0, 1)).all():
        do = "Give the dyads of networks, observed=ebm.energies.to_dyads(x)"
    elif whole:  # what can be listed can be summed
        do += ", list its states in reference=ebm.reference.enumeration(...)"
    return f"{told}{do}, or say support={free} if other values may come together."


def _ask_which(data: NDArray, few_floats: int = 4) -> None:
    """Integers of two values are states or small counts; a few floats are numbers, as −1 and 1."""
    floats = data.dtype.kind == "f"
    if floats and (len(data) <= few_floats or data.min() < 0):
        return
    for pair in PAIRS:
        if np.isin(data, pair).all() and all((data == value).any() for value in pair):
            other = "(0, np.inf) if they are counts" if pair[0] == 0 else '"real" if not'
            states = f"support={pair}"
            if floats:
                states, other = f"{states} and store them as integers", '"real" if there are'
            raise ValueError(
                f"All {len(data)} data are {pair[0]} or {pair[1]}. Say {states} if there "
                f"are no other values, or support={other}."
            )


def _sign(x: NDArray, few: int = 4) -> int:
    """1 or −1 where numbers are on one side of 0, which may be the end of their space."""
    if x.min() > 0:
        return 1
    if x.size <= few or not x.any():
        return 0
    return 1 if x.min() >= 0 else -1 if x.max() <= 0 else 0


def _ask_of_bounds(data: NDArray, chance: float = 1e-6) -> None:
    """Where data, or some numbers of their events, are on one side of 0, that may be an end."""
    sign = _sign(data)
    if sign:
        nearest = data.min() if sign > 0 else data.max()
        side = "positive" if sign > 0 else "negative"
        are = f"{'' if nearest else '0 or '}{side} ({'smallest' if sign > 0 else 'largest'}"
        offers = "(0, np.inf)" if sign > 0 else "(-np.inf, 0)"
        periods = ', or, for angles, hours and the like, support="circle" (radians) or '
        periods += "support=ebm.space.circle(low, high)"
        if data.dtype.kind != "f":
            if data.min() < data.max():
                values = f"({data.min()}, {data.max()}) if there are no other values"
                offers = f"{values}, support={offers}"
        elif sign > 0 and data.max() <= 1:
            offers = f"(0, 1), support={offers}"
        raise ValueError(
            f"All {data.size} data are {are} {nearest:g}), and the normaliser depends on the "
            f'space. Give support={offers} or support="real"{periods if sign > 0 else ""}.'
        )
    n, size = len(data), data[0].size
    # Any of few free numbers has one sign by chance, and far from 0 an end there plays no part.
    if data.ndim != 2 or 2.0 * size * 0.5**n > chance:
        return
    signs = [_sign(x) if np.abs(x).min() <= np.ptp(x) else 0 for x in data.T]
    if any(signs):
        low = ", ".join("0" if s > 0 else "-np.inf" for s in signs)
        high = ", ".join("0" if s < 0 else "np.inf" for s in signs)
        which = np.flatnonzero(signs).tolist()
        counts = [i for i in which if (data[:, i] == np.round(data[:, i])).all()]
        do = "Give"
        if counts:
            do = f"If those with index {counts} are counts, pass them to the energy of the others "
            do += "as a parameter; if not, give"
        raise ValueError(
            f"The numbers with index {which} of all {n} events have one "
            f"sign each, and the normaliser depends on the space. {do} "
            f'support=([{low}], [{high}]) or support="real".'
        )
