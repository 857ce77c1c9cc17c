"""Independent runs along a fixed schedule, and the points that they leave."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from pymc_ebm.reference.annealing.population import Population, chosen_by_weight
from pymc_ebm.reference.annealing.schedule import Leg, finite


class Runs(NamedTuple):
    """What R runs leave of each potential k: states that target it, and its log Ẑ by run.

    Attributes
    ----------
    states : list of ndarray
        For the base law and each anchor, ``(m_k, R, n, D)``.
    log_partitions : ndarray, shape (K + 1, R)
        In nats; 0 of the base law.
    """

    states: list[NDArray]
    log_partitions: NDArray


def run(
    space,
    legs: Sequence[Leg],
    runs: int,
    particles: int,
    draws: int,
    rng: np.random.Generator,
    advance: Callable[[float], None],
) -> Runs:
    """Go along the legs with fresh particles.

    Parameters
    ----------
    space : object
    legs : sequence of Leg
        From the pilot: nothing is adapted here, so that each run's Ẑ is without bias.
    runs, particles, draws : int
        Independent runs R, particles n of each, and states kept of each particle at each anchor.
    rng : numpy.random.Generator
    advance : callable
        Told how many moves were made.

    Returns
    -------
    Runs
    """
    # Numbers that stay near the processor.
    together = max(2**16 // (particles * space.n_dim), 1)
    parts = [
        _run(space, legs, min(together, runs - first), particles, draws, rng, advance)
        for first in range(0, runs, together)
    ]
    by_potential = zip(*(part.states for part in parts), strict=True)
    states = [np.concatenate(of_one, axis=1) for of_one in by_potential]
    return Runs(states, np.concatenate([part.log_partitions for part in parts], axis=1))


def _run(space, legs, runs, particles, draws, rng, advance) -> Runs:
    last = [space.draw(rng, runs * particles)]
    kept = [last[0].reshape(1, runs, particles, -1)]
    log_partitions = [np.zeros(runs)]
    for leg in legs:
        population = Population.of(space, leg.start, leg.end, last[leg.start])
        log_z, before = log_partitions[leg.start].copy(), 0.0
        for level in leg.levels:
            climb = finite(population.climb).reshape(runs, particles)
            log_means, index = chosen_by_weight(-(level.beta - before) * climb, rng)
            log_z += log_means
            population, before = population.chosen(index), level.beta
            if level.beta == 1.0:
                population = population.arrived()
            for _ in range(level.moves):
                population, _ = space.move(population, level.beta, level.scale, rng)
            advance(runs * level.moves)
        of_anchor = [population.states]
        for _ in range(draws - 1):
            for _ in range(level.moves):
                population, _ = space.move(population, 1.0, level.scale, rng)
            of_anchor.append(population.states)
            advance(runs * level.moves)
        last.append(population.states)
        kept.append(np.stack(of_anchor).reshape(draws, runs, particles, -1))
        log_partitions.append(log_z)
    return Runs(kept, np.stack(log_partitions))


def moves_of(legs: Sequence[Leg], draws: int) -> int:
    """Moves of each run, for the progress of them all."""
    return sum(
        sum(level.moves for level in leg.levels) + (draws - 1) * leg.levels[-1].moves
        for leg in legs
    )


def log_weights(space, made: Runs) -> tuple[NDArray, NDArray, NDArray]:
    r"""States ``(M, D)``, their log base weights and their runs.

    Points of all potentials count for each other (the balance heuristic),

    .. math:: a_m = \log \hat Z_{rk} - \hat f_k - \log \sum_l n_l e^{-E_l(y_m) - \hat f_l}
              - \log R

    for a point of potential k in run r, where n_l counts the points that a run has of potential l
    and :math:`\hat f_l = \log \frac1R \sum_r \hat Z_{rl}`. Whatever numbers f are, each run's
    estimate is without bias. With one anchor alone it is log Ẑ_r + E − log n − log R.
    """
    runs = made.log_partitions.shape[1]
    f = logsumexp(made.log_partitions, axis=1) - np.log(runs)
    states = np.concatenate([s.reshape(-1, s.shape[-1]) for s in made.states])
    labels = np.concatenate([
        np.broadcast_to(np.arange(runs)[:, None], s.shape[:3]).ravel() for s in made.states
    ])  # fmt: skip
    own = np.concatenate([
        np.broadcast_to((log_z - f_k)[:, None], s.shape[:3]).ravel()
        for s, log_z, f_k in zip(made.states, made.log_partitions, f, strict=True)
    ])  # fmt: skip
    counts = [s.shape[0] * s.shape[2] for s in made.states]
    mixture = np.full(len(states), -np.inf)
    for number, (n, f_k) in enumerate(zip(counts, f, strict=True)):
        mixture = np.logaddexp(mixture, np.log(n) - f_k - _values(space, number, states))
    return states, own - mixture - np.log(runs) + space.log_measure(states), labels


def _values(space, number, states):
    """Potentials of many states, in blocks of bounded memory."""
    at_once = max(2**20 // states.shape[1], 1)
    blocks = [states[i : i + at_once] for i in range(0, len(states), at_once)]
    return np.concatenate([space.potential(number, block)[0] for block in blocks])
