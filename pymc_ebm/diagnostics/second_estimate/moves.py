"""Log normalisers of any other space, by annealing its own law with its own moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from pymc_ebm.diagnostics.second_estimate.question import Answer, CannotTell, Question
from pymc_ebm.reference.annealing.population import resampled
from pymc_ebm.space.base import Space

__all__ = ["by_moves"]

_RUNS = 8
# Share of particles that stay effective at each level, and of moves that are accepted.
_EFFECTIVE, _ACCEPTED = 0.5, 0.3
_MOST_LEVELS = 200


def by_moves(
    question: Question,
    rng: np.random.Generator,
    *,
    anchors: int = 5,
    first: int = 256,
    largest: int = 4096,
) -> Iterator[Answer]:
    """Annealing from the space's law around all that is known to the mean of a few rows' densities.

    Parameters
    ----------
    question : Question
        With `space`.
    rng : Generator
    anchors : int
        Rows far from one another, the mean of whose densities is annealed to.
    first, largest : int
        Particles of each of 8 runs, in the first answer and at most in the last; each answer has
        four times the particles of the one before.

    Yields
    ------
    Answer
        Its noise is that of the runs.

    Raises
    ------
    CannotTell
        Where no particle finds any mass.
    """
    space = question.space
    assert space is not None and space.event_shape is not None
    kind = np.int64 if space.discrete else np.float64
    known = np.concatenate([question.data, question.starts]).astype(kind)
    law = space.base_law(known.reshape(-1, *space.event_shape), rng)
    chosen = question.far_apart(anchors)
    particles = first
    while particles <= largest:
        x, log_q = _drawn(law, _RUNS * particles, rng)
        of_rows = question.log_densities(x, chosen) - log_q
        levels = np.logaddexp.reduce(of_rows, axis=1) - np.log(len(x))
        if not np.isfinite(levels).any():
            raise CannotTell("No particle of the second estimate found any mass of the model.")
        levels = np.where(np.isfinite(levels), levels, levels.max())

        def target(x, levels=levels):
            logs = question.log_densities(x, chosen) - levels[:, None]
            return np.logaddexp.reduce(logs, axis=0) - np.log(len(chosen))

        x, log_z = _anneal(space, law.log_density, target, x, rng)
        log_runs = log_z[:, None] + _mean_weights(question, x, target(x))
        top = log_runs.max(axis=0)
        if not np.isfinite(top).all():
            raise CannotTell("The second estimate found no mass of the model at some draws.")
        relative = np.exp(log_runs - top)
        mean = relative.mean(axis=0)
        yield Answer(
            np.log(mean) + top,
            (relative / mean - 1) / _RUNS,
            f"annealing of {len(x)} particles by the moves of {space}",
            "A narrow mode that neither annealing nor the data enter may be missed.",
        )
        particles *= 4


def _drawn(law, draws: int, rng) -> tuple[NDArray, NDArray]:
    u = rng.random((draws, law.n_uniforms)).clip(2.0**-53, 1 - 2.0**-53)
    x, _ = law.points(u)
    return x, law.log_density(x)


def _anneal(
    space: Space, base: Callable, target: Callable, x: NDArray, rng
) -> tuple[NDArray, NDArray]:
    """Particles of the target, ``(B, D)``, and its log Z by run."""
    log_q, log_p = base(x), target(x)
    log_z, beta, width = np.zeros(_RUNS), 0.0, x.shape[1] / 4
    for _ in range(_MOST_LEVELS):
        step = _step(log_p - log_q, 1 - beta)
        log_w = (step * (log_p - log_q)).reshape(_RUNS, -1)
        try:
            log_means, index = resampled(log_w, rng)
        except ValueError as error:
            raise CannotTell("A run of the second estimate found no mass of the model.") from error
        log_z, beta = log_z + log_means, beta + step
        x, log_p, log_q = x[index], log_p[index], log_q[index]
        for move in range(2 * x.shape[1]):
            kind = space.moves[move % len(space.moves)]
            events = x.reshape(-1, *(space.event_shape or ()))
            proposed, log_ratio = kind.propose(rng, events, width)
            moved = proposed.reshape(x.shape)
            new_q, new_p = base(moved), target(moved)
            with np.errstate(invalid="ignore"):
                gain = beta * (new_p - log_p) + (1 - beta) * (new_q - log_q) + log_ratio
                accepted = np.log(rng.random(len(x))) < gain
            share = (accepted & (moved != x).any(axis=1)).mean()
            width *= np.exp(0.5 * (share - _ACCEPTED))
            x = np.where(accepted[:, None], moved, x)
            log_p, log_q = np.where(accepted, new_p, log_p), np.where(accepted, new_q, log_q)
        if beta > 1 - 1e-9:
            return x, log_z
    raise CannotTell(f"{_MOST_LEVELS} levels do not lead the second estimate to the model.")


def _step(log_ratio: NDArray, most: float) -> float:
    """The longest step of the temperature that leaves half of the particles effective."""
    possible = log_ratio[np.isfinite(log_ratio)]

    def too_many(step):
        w = np.exp(step * (possible - possible.max()))
        return w.sum() ** 2 / (w**2).sum() / len(w) - _EFFECTIVE

    if len(possible) == 0 or too_many(most) >= 0:
        return most
    return brentq(too_many, 0.0, most)


def _mean_weights(question: Question, x: NDArray, log_target: NDArray) -> NDArray:
    """Log of the mean weight at every row by run, ``(G, J)``."""
    rows = np.arange(question.n_rows)
    size = max(2**22 // len(x), 1)
    parts = []
    for low in range(0, len(rows), size):
        logs = question.log_densities(x, rows[low : low + size]) - log_target
        by_run = logs.reshape(len(logs), _RUNS, -1)
        parts.append(np.logaddexp.reduce(by_run, axis=2) - np.log(by_run.shape[2]))
    return np.concatenate(parts).T
