"""Whether an integral can be what a fixed set of points says: it converges, on one space."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pytensor.compile.mode import Mode
from pytensor.graph.utils import MissingInputError
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.distribution.events import Events
from pymc_ebm.distribution.null_direction import null_directions
from pymc_ebm.energy.energy import Energy
from pymc_ebm.reference.base import Reference
from pymc_ebm.space._circle import Circle
from pymc_ebm.space.base import Space

__all__ = ["check_convergence", "check_space", "moving_wall", "prior_rows"]

Row = list[NDArray]


def prior_rows(energy: Energy, params: Sequence[TensorVariable], draws: int = 16) -> list[Row]:
    """Draw some rows of parameters from the prior; none where it has no draws."""
    mode = Mode(linker="py", optimizer=None)  # of which PyMC makes another
    try:
        drawn = pm.draw(list(params), draws=draws, random_seed=0, mode=mode) if params else []
    except (MissingInputError, NotImplementedError):  # a flat prior
        return []
    drawn = [np.asarray(d) for d in drawn]
    cores = energy.core_shapes(drawn)
    # Of batched parameters the first row.
    return [
        [np.reshape(d[i], (-1, *core))[0] for d, core in zip(drawn, cores, strict=True)]
        for i in range(draws if drawn else 0)
    ]


def check_convergence(
    energy: Energy,
    params: Sequence[TensorVariable],
    events: Events,
    rows: Sequence[Row],
    most_numbers: int = 64,
) -> None:
    """Refuse an energy that does not grow towards infinity, such as one that is periodic.

    An integral along a line, or a sum, converges only where E grows faster than log |x|. Looked at
    are places so far out that no scale of a periodic energy reaches log |x|, 10³⁰ to 10⁶⁰ times as
    far as the data in double precision, along each coordinate, along all of them together, and
    along a slope of them, which energies of differences do not see: at draws of the prior, the
    energy has to be too low in some direction at each of these draws. Last come directions that
    depend on the parameters, such as (1, a) of (y − ax)².

    Raises
    ------
    ValueError
    """
    flat, space = events.flat, events.space
    n_dim = max(flat[0].size, 1)
    lower, upper = space.bounds_of(n_dim)
    if not rows or (np.isfinite(lower) & np.isfinite(upper)).all():
        return
    centre = flat.reshape(len(flat), -1).mean(axis=0)
    scale = np.abs(flat).max() + 1.0
    # Even in log x, and not round numbers, at which a periodic energy might do the same.
    largest = np.finfo(flat.dtype).max if flat.dtype.kind == "f" else np.iinfo(flat.dtype).max
    reach = np.log(largest) / (5 if flat.dtype.kind == "f" else 1.5)
    far = scale * np.exp(np.linspace(reach / 2, reach, 12)) * np.sqrt(2)
    try:
        at = energy.of_points(flat.shape[1:], flat.dtype, params)
    except (ValueError, MissingInputError):  # one that takes one number of points
        return
    diverges, towards = np.zeros(len(rows), dtype=bool), set()
    for direction, name in _directions(n_dim):
        low = np.zeros((2, len(rows)), dtype=bool)
        falls = low.copy()
        for side, sign in enumerate((-1, 1)):
            bounds = np.where(sign * direction > 0, upper, lower)
            if np.isfinite(bounds[direction != 0]).any():
                continue
            places = np.tile(centre, (len(far) + 1, 1))
            places[1:] += sign * far[:, None] * direction
            places = places.reshape(-1, *flat.shape[1:]).astype(flat.dtype)
            with np.errstate(all="ignore"):
                energies = at.at_rows(places)(rows)
                changes = energies[:, 1:] - energies[:, :1]
            finite = np.isfinite(changes).all(axis=1)
            low[side] = finite & ((np.abs(changes) < 0.9 * np.log(far)).mean(axis=1) > 0.25)
            falls[side] = finite & (changes < 0).all(axis=1)
        # One that falls on both sides has another fault: it is a log density, with its sign.
        low |= falls & ~falls.all(axis=0)
        diverges |= low.any(axis=0)
        towards |= {name[side] for side in range(2) if low[side].any()}
        if diverges.all():
            raise ValueError(
                f"the energy does not grow towards x = {' or '.join(sorted(towards))}, so the "
                f"{'sum' if space.discrete else 'integral'} over {space} diverges. "
                + _remedy(direction, flat, space)
            )
    if 1 < n_dim <= most_numbers and not space.discrete:
        _check_null_directions(energy, params, flat, space, rows, diverges)


def _check_null_directions(energy, params, flat, space, rows, diverges) -> None:
    """Refuse an energy that sees nothing of a direction of its own at each row of parameters."""
    rng, n_dim = np.random.default_rng(0), flat[0].size
    lower, upper = space.bounds_of(n_dim)
    data = flat.reshape(len(flat), -1).astype(float)
    scale = np.abs(data).max() + 1.0
    places = data[rng.integers(len(data), size=2 * n_dim + 8)]
    places = np.clip(places + scale * rng.normal(size=places.shape), lower, upper)
    event = flat.shape[1:]
    try:
        directions = null_directions(energy, params, places.reshape(-1, *event), rows)
        at = energy.of_points_once(event, "float64", params)
    except (ValueError, MissingInputError):  # one that takes one number of points
        return
    seen = np.isnan(directions).any(axis=1)
    if (seen & ~diverges).any():
        return
    # So near that rounding of the direction is no distance, where a small share of x² is felt.
    far = scale * np.geomspace(1e7, 1e12, 12)
    low = diverges.copy()
    for sign in (-1, 1):
        toward = np.nan_to_num(sign * directions)
        bounded = np.isfinite(np.where(toward > 0, upper, lower)) & (np.abs(toward) > 1e-9)
        steps = data.mean(axis=0) + far[:, None, None] * toward  # (12, J, D)
        points = np.concatenate([data.mean(axis=0)[None], steps.reshape(-1, n_dim)])
        with np.errstate(all="ignore"):
            energies = at.at_rows(points.reshape(-1, *event))(rows)
        own = energies[:, 1:].reshape(len(rows), len(far), len(rows))
        changes = own.diagonal(axis1=0, axis2=2).T - energies[:, :1]
        flat_there = (np.abs(changes) < 0.9 * np.log(far)).mean(axis=1) > 0.25
        low |= flat_there & np.isfinite(changes).all(axis=1) & ~bounded.any(axis=1) & ~seen
    if low.all():
        one = directions[np.argmin(seen)]
        raise ValueError(
            f"the energy does not grow towards x = ({', '.join(f'{v:.2g}' for v in one)}) · "
            "infinity at one draw of the prior, and along such a line at the others, so the "
            f"integral over {space} diverges. " + _remedy(one, flat, space)
        )


def _directions(n_dim: int) -> Iterator[tuple[NDArray, tuple[str, str]]]:
    """Where to look for an energy that does not grow, and what the two ways are called."""
    for axis in np.eye(n_dim):
        yield axis, ("−infinity", "infinity")
    if n_dim > 1:
        yield np.ones(n_dim), ("−(1, …, 1) · infinity", "(1, …, 1) · infinity")
        slope = np.linspace(-1, 1, n_dim)
        yield slope, ("(1, …, −1) · infinity", "(−1, …, 1) · infinity")


def _remedy(direction: NDArray, flat: NDArray, space: Space) -> str:
    if np.count_nonzero(direction) > 1:
        return (
            "Add a term that grows there, such as (x**2).sum(-1) times a small number, or write "
            "the energy of the differences that it depends on, with a covariate as a parameter."
        )
    if space.discrete:
        high = max(flat.max(), flat.min() + 1)
        return (
            f"If x has no other values, say support=({flat.min()}, {high}), or another range; if "
            "it has, correct the energy."
        )
    return (
        'If x is an angle or periodic otherwise, say support="circle", or '
        "ebm.space.circle(low, high) for another period; if x has a least or a largest value, say "
        "support=(low, high); if not, correct the energy."
    )


def check_space(
    energy: Energy,
    params: Sequence[TensorVariable],
    reference: Reference,
    rows: Sequence[Row] | None = None,
    most_points: int = 2**12,
) -> None:
    """Refuse an energy whose space is not that of the points.

    It moves with the parameters while they do not, or they go round a circle whose period it does
    not have. Looked at are `rows` of parameters, by default those of `prior_rows`.

    Raises
    ------
    ValueError
    """
    if reference.discrete or reference.follows_parameters:
        return
    rows = prior_rows(energy, params) if rows is None else rows
    if not rows:
        return
    points = reference.points[:: max(reference.n_points // most_points, 1)]
    try:
        at = energy.of_points_once(reference.event_shape, points.dtype, params).at_rows(points)
    except (ValueError, MissingInputError):  # one that takes one number of points
        return
    with np.errstate(all="ignore"):
        here = at(rows)
    if isinstance(reference.space, Circle):
        _check_period(energy, params, reference, rows, points, here)
        return
    if np.isfinite(here).all():
        return
    # Only compiled graphs are stable, such as that of log(1 − sigmoid(x)).
    at = energy.of_points(reference.event_shape, points.dtype, params).at(points)
    found = moving_wall(at, rows)
    if found is None:
        return
    raise ValueError(
        f"the energy is +inf at x = {np.round(points[found], 4).tolist()} for some parameters and "
        "finite for others: the space of x moves with them, the points of the reference do not, "
        "and the slope by the boundary would be missing. Give the bounds to support=, as variables "
        "or as a function of the parameters, support=lambda *params: (low, high), and leave them "
        "out of the energy."
    )


def _check_period(energy, params, reference, rows, points, here) -> None:
    """Refuse an energy that is another one after the period of a circle, at all rows."""
    lower, upper = reference.space.bounds_of(max(points[0].size, 1))
    period = np.reshape(upper - lower, reference.event_shape)
    later = energy.of_points_once(reference.event_shape, points.dtype, params)
    with np.errstate(all="ignore"):
        there = later.at_rows(points + period)(rows)
        gaps = np.abs(there - here) / (1 + np.abs(here).max(axis=1, keepdims=True))
    if not (gaps.max(axis=1) > 1e-6).all():
        return
    row, point = np.unravel_index(np.argmax(gaps), gaps.shape)
    raise ValueError(
        f"the energy is {here[row, point]:.6g} at x = {np.round(points[point], 4).tolist()} and "
        f"{there[row, point]:.6g} a period later, at {np.round(points[point] + period, 4).tolist()}"
        f", and the space is {reference.space}. Write it of 2π x / period, or give the period that "
        "it has, support=ebm.space.circle(low, high)."
    )


def moving_wall(
    energies: Callable[[Row], NDArray],
    rows: Sequence[Row],
    halvings: int = 40,
    nothing: float = 700.0,
) -> int | None:
    """The index of a point that turns impossible as parameters move, None where there is none.

    It is no wall where the density is nothing on this side too: an energy, or a part of it such as
    cosh(x) in log(cosh(x)), has only become too large for floating point.

    Parameters
    ----------
    energies : callable
        E of the points, ``(M,)``, at one row.
    rows : sequence of list of ndarray
        Rows of parameters.
    halvings : int
        Of the way between two rows.
    nothing : float
        Nats above the least energy; exp(709) is the largest number there is.
    """
    with np.errstate(all="ignore"):
        known = [(row, energies(row)) for row in rows]
    usable = [(row, e) for row, e in known if np.isfinite(e).any() and not np.isnan(e).any()]
    for row, e in usable[1:]:
        here, first = usable[0]
        changed = np.flatnonzero(np.isfinite(first) != np.isfinite(e))
        if not len(changed):
            continue
        point = int(changed[np.argmin(np.where(np.isfinite(first), first, e)[changed])])
        low, high = (here, row) if np.isfinite(first[point]) else (row, here)
        above = np.inf
        for _ in range(halvings):
            middle = [a + (b - a) / 2 for a, b in zip(low, high, strict=True)]
            with np.errstate(all="ignore"):
                e = energies(middle)
            if np.isfinite(e[point]):
                low, above = middle, e[point] - np.nanmin(e)
            else:
                high = middle
        if above < nothing:
            return point
    return None
