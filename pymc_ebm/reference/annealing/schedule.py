"""The pilot: which temperatures, and how far and how often particles move at each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from pymc_ebm.reference.annealing.population import NoWay, Population, chosen_by_weight
from pymc_ebm.weights.normalised import ess, normalise


class Level(NamedTuple):
    """One temperature: β, how far a move goes, and how many there are."""

    beta: float
    scale: Any
    moves: int


class Leg(NamedTuple):
    """The levels from one potential to another, by number."""

    start: int
    end: int
    levels: tuple[Level, ...]


def schedule(
    space,
    n_anchors: int,
    particles: int,
    rng: np.random.Generator,
    advance: Callable[[float], None],
) -> list[Leg]:
    """Levels that leave half of the particles effective, found by a population of their own.

    Adapting them within the runs would bias their log Z.

    Parameters
    ----------
    space : object
        Of the events: potentials, moves.
    n_anchors : int
        Each has a leg from the base law or from an anchor before it, whichever is nearer.
    particles : int
    rng : numpy.random.Generator
    advance : callable
        Told how much of the pilot, 1 in all, is done.

    Returns
    -------
    list of Leg

    Raises
    ------
    NoWay
        Potentials so far apart that 500 levels do not lead from one to the other.
    """
    populations, legs = [space.draw(rng, particles)], []
    for end in range(1, n_anchors + 1):
        start = _nearest(space, end, populations)
        leg, last = leg_between(
            space, start, end, populations[start], rng, lambda part: advance(part / n_anchors)
        )
        legs.append(leg)
        populations.append(last)
    return legs


def _nearest(space, end, populations) -> int:
    """Where most particles would stay effective if they went there in one step."""
    if len(populations) == 1:
        return 0
    shares = []
    for start, states in enumerate(populations):
        log_w = -finite(Population.of(space, start, end, states).climb)
        shares.append(ess(normalise(log_w)[1]))
    return int(np.nanargmax(shares))


def leg_between(
    space, start: int, end: int, states: NDArray, rng, advance: Callable[[float], None]
) -> tuple[Leg, NDArray]:
    """Levels of one leg, and the states that arrive; arguments as of `schedule`."""
    most_levels = 500
    population = Population.of(space, start, end, states)
    scale, beta = space.first_scale(), 0.0
    levels: list[Level] = []
    while beta < 1.0:
        if len(levels) == most_levels:
            raise NoWay(
                f"{most_levels} temperatures lead to β = {beta:.3g} of 1 only. Give data= or "
                "starts= nearer to where the mass is, or anchors nearer to each other."
            )
        before, beta = beta, _next(population.climb, beta)
        _, index = chosen_by_weight(-(beta - before) * finite(population.climb)[None], rng)
        population = population.chosen(index)
        scale = scale.of(population.states)
        population, scale, moves = _mix(space, population, beta, scale, rng)
        levels.append(Level(beta, scale, moves))
        advance(beta - before)
    return Leg(start, end, tuple(levels)), population.states


def finite(climb: NDArray) -> NDArray:
    """Where the end allows no state, a weight of none at any temperature."""
    return np.where(np.isnan(climb), np.inf, climb)


def _next(climb: NDArray, beta: float) -> float:
    """The temperature at which half of the particles are effective."""
    least_step = 1e-9
    climb = finite(climb)
    possible = climb[climb < np.inf]

    def too_many(step):
        return ess(normalise(-step * possible)[1]) - 0.5 * len(possible)

    if len(possible) == 0 or too_many(1 - beta) >= 0:
        return 1.0
    if too_many(least_step) <= 0:
        return beta + least_step
    return beta + brentq(too_many, least_step, 1 - beta)


def _mix(space, population, beta, scale, rng):
    """Move until particles have forgotten how high they were, and learn how far to go."""
    first = _traces(population)
    for moves in range(1, space.most_moves + 1):
        population, acceptance = space.move(population, beta, scale, rng)
        scale = space.scale_after(scale, acceptance, moves)
        # So little of where they began is left when they have moved enough.
        if moves >= space.fewest_moves and _correlation(first, _traces(population)) < 0.3:
            break
    return population, scale, moves


def _traces(population) -> NDArray:
    return np.stack([population.at_start[0], population.at_end[0]], axis=1)


def _correlation(before: NDArray, after: NDArray) -> float:
    """The largest over traces ``(B, S)``."""
    with np.errstate(all="ignore"):
        a = (before - before.mean(axis=0)) / before.std(axis=0)
        b = (after - after.mean(axis=0)) / after.std(axis=0)
        found = np.nan_to_num((a * b).mean(axis=0))
    return float(found.max(initial=0.0))
