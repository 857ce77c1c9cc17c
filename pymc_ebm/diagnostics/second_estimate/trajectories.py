"""Log normalisers in many real dimensions, by runs from a fitted mixture along trajectories."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.second_estimate.mixture import TMixture
from pymc_ebm.diagnostics.second_estimate.question import CannotTell
from pymc_ebm.diagnostics.second_estimate.unbounded import Unbounded
from pymc_ebm.reference.annealing import trajectories
from pymc_ebm.reference.annealing.population import NoWay, Population
from pymc_ebm.reference.annealing.runs import log_weights, run
from pymc_ebm.reference.annealing.schedule import schedule
from pymc_ebm.reference.annealing.trajectories import Scale
from pymc_ebm.weights.normalised import ess, normalise

__all__ = ["by_trajectories", "log_runs_of"]


def by_trajectories(
    density: Unbounded,
    mixture: TMixture,
    places: NDArray,
    rng: np.random.Generator,
    *,
    pilot: int = 1024,
    runs: int = 16,
    first: int = 128,
    largest: int = 2048,
    draws: int = 64,
    most_anchors: int = 5,
) -> Iterator[tuple[NDArray, int, float]]:
    """Log Ẑ of independent runs of sequential Monte Carlo from a mixture to a few rows.

    In many dimensions few points of a mixture are effective, and particles that follow the slope of
    the energy all are. A pilot chooses the levels and how far and how often particles move.

    Parameters
    ----------
    density : Unbounded
    mixture : TMixture
        The base law, fitted to the model.
    places : ndarray
        Of about the model's densities, ``(B, D)``: they tell how far rows are apart.
    rng : Generator
    pilot : int
        Its particles.
    runs : int
    first, largest : int
        Particles of a run, in the first answer and at most in the last; each answer adds as many
        as there were.
    draws : int
        States kept of each particle at each anchor.
    most_anchors : int
        Rows that particles go to; as many as leave half of them effective at every other row.

    Yields
    ------
    log_runs : ndarray
        ``(runs, J)``.
    n_points : int
    seconds : float
        Of processor time, that the next of them takes.

    Raises
    ------
    CannotTell
        Where particles do not come from the mixture to a row.
    """
    anchors, n_rows = _anchors(density, places, most_anchors), density.question.n_rows
    space = _FromMixture(density, mixture, anchors)
    nothing = lambda part: None
    try:
        legs = schedule(space, len(anchors), pilot, rng, nothing)
        particles, n_points, log_runs = 0, 0, np.full((runs, n_rows), -np.inf)
        while particles < largest:
            # As many as there are, so that both halves count alike.
            more, began = particles or first, time.thread_time()
            made = log_weights(space, run(space, legs, runs, more, draws, rng, nothing))
            log_new = log_runs_of(density.log_densities, n_rows, *made)
            log_runs = np.logaddexp(log_runs, log_new) - np.log(2 if particles else 1)
            particles, n_points = particles + more, n_points + len(made[0])
            yield log_runs, n_points, (time.thread_time() - began) * particles / more
    except NoWay as error:
        raise CannotTell(f"The second estimate found no way to the model. {error}") from error


def _anchors(density: Unbounded, places: NDArray, most: int) -> NDArray:
    """Rows near which all rows are, the first nearest to the mean."""
    logs = density.log_densities(places, np.arange(density.question.n_rows))
    chosen, nearest = [int(density.question.far_apart(1)[0])], np.zeros(len(logs))
    while True:
        _, weights = normalise(logs - logs[chosen[-1]])
        nearest = np.maximum(nearest, ess(weights) / len(places))
        if nearest.min() > 0.5 or len(chosen) == most:
            return np.array(chosen)
        chosen.append(int(nearest.argmin()))


def log_runs_of(
    log_densities: Callable[[NDArray, NDArray], NDArray],
    n_rows: int,
    points: NDArray,
    log_base: NDArray,
    labels: NDArray,
    *,
    numbers: int = 2**20,
) -> NDArray:
    """Log Ẑ of every run at every row, ``(G, J)``, each the estimate of all of its points.

    Parameters
    ----------
    log_densities : callable
        ``(x, rows)`` to ``(k, B)``.
    n_rows : int
        J.
    points, log_base, labels : ndarray
        ``(M, D)``, log base weights of which all runs together make one estimate, and the runs,
        ``(M,)``.
    numbers : int
        Of events times rows that stay near the processor.
    """
    runs, rows = int(labels.max()) + 1, np.arange(n_rows)
    found = np.full((runs, n_rows), -np.inf)
    size = max(numbers // (n_rows * points.shape[1]), 256)
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum(np.bincount(labels, minlength=runs))
    for g, of_run in enumerate(np.split(order, ends[:-1])):
        for low in range(0, len(of_run), size):
            some = of_run[low : low + size]
            logs = log_densities(points[some], rows) + log_base[some] + np.log(runs)
            found[g] = np.logaddexp(found[g], normalise(logs)[0])
    return found


class _FromMixture:
    """Coordinates of the whole space, for the runs of an annealed reference; see `RealLine`."""

    fewest_moves = 2

    def __init__(self, density: Unbounded, mixture: TMixture, anchors: NDArray):
        self.n_dim = density.n_dim
        self._density, self._mixture, self._anchors = density, mixture, anchors
        self._has_slope = density.question.slope is not None
        self.most_moves = 16 if self._has_slope else 16 * self.n_dim

    def draw(self, rng: np.random.Generator, draws: int) -> NDArray:
        """Coordinates ``(draws, D)`` from the mixture."""
        u = rng.random((draws, self.n_dim + 2)).clip(2.0**-53, 1 - 2.0**-53)
        return self._mixture.draw(u)

    def potential(self, number: int, z: NDArray) -> tuple[NDArray, NDArray | None]:
        """−log of the mixture's density, or of the model's at an anchor, and its slope."""
        if number == 0:
            if not self._has_slope:
                return -self._mixture.log_density(z), None
            log_q, slope = self._mixture.log_density_and_slope(z)
            return -log_q, -slope
        rows = self._anchors[number - 1 : number]
        if not self._has_slope:
            return -self._density.log_densities(z, rows)[0], None
        log_p, slope = self._density.paired(z, np.broadcast_to(rows, len(z)))
        return -log_p, -slope

    def log_measure(self, z: NDArray) -> NDArray:
        """Zeros: densities are those of the coordinates."""
        return np.zeros(len(z))

    def first_scale(self) -> Scale:
        """How far to move at first."""
        return Scale.first(self.n_dim, self._has_slope)

    def move(self, population: Population, beta: float, scale: Scale, rng):
        """Move every particle once, leaving U_β invariant; the share accepted."""
        return trajectories.move(population, beta, scale, rng)

    def scale_after(self, scale: Scale, acceptance: float, moves: int) -> Scale:
        """Learn from a move of the pilot how far to go."""
        return scale.after(acceptance, self._has_slope, moves**-0.5)
