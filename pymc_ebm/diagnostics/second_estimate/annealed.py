"""Log normalisers in several real dimensions: modes, a short annealing, and a refitted mixture."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.second_estimate.descents import Mode, find_modes
from pymc_ebm.diagnostics.second_estimate.mixture import TMixture, fitted_mixture, root_of
from pymc_ebm.diagnostics.second_estimate.question import Answer, CannotTell, Question
from pymc_ebm.diagnostics.second_estimate.trajectories import by_trajectories, log_runs_of
from pymc_ebm.diagnostics.second_estimate.unbounded import Unbounded
from pymc_ebm.numbers import number
from pymc_ebm.reference.uniforms import uniforms
from pymc_ebm.weights.normalised import ess, normalise
from pymc_ebm.weights.pareto_tails import pareto_k
from pymc_ebm.weights.resampling import resampled

__all__ = ["by_annealing"]

_SCRAMBLINGS = 16


def by_annealing(
    question: Question,
    rng: np.random.Generator,
    *,
    anchors: int = 5,
    particles: int = 2048,
    first: int = 2**9,
    largest: int = 2**15,
    heaviest_tail: float = 0.7,
    least_effective: float = 0.2,
) -> Iterator[Answer]:
    """Importance sampling from a mixture that descents and a short annealing have found.

    Descents from data, starts and far places find modes. Particles start from a mixture of Student
    t laws, wide, around the data and around the modes, and are annealed to the mean of the model's
    densities at a few rows far from one another. A mixture refitted to where they end gives the
    estimate, by scrambled Sobol points; or, where few of them are effective, as in many dimensions,
    by runs of particles from a mixture of few laws that follow the slope of the energy.

    Parameters
    ----------
    question : Question
    rng : Generator
    anchors : int
        Rows that the mixture is made for.
    particles : int
        Of the annealing.
    first, largest : int
        Points of each of 16 scramblings, in the first answer and the last; each answer has four
        times the points of the one before.
    heaviest_tail : float
        Pareto k-hat of the weights at one of those rows above which the noise says too little.
    least_effective : float
        Share of the points below which runs of particles take their place, if E has a slope: a
        point of the mixture costs as much as several of their steps.

    Yields
    ------
    Answer
        Its noise is that of the scramblings, or of the runs.
    """
    since = time.thread_time()
    density = Unbounded(question)
    target = _Target(density, question.far_apart(anchors))
    modes, base = _base(density, target, rng)
    places, annealed, spread = _anneal(target, base, particles, rng)
    refits = _refits(target, places, modes, base, rng)
    best, mixture = max(refits, key=lambda pair: pair[0])
    searched = "searched for by descents" if question.slope else "found by annealing alone"
    unseen = (
        f"Modes in {density.n_dim} dimensions were {searched}; a narrow one away from the data may "
        "be missed."
    )
    size = first
    while size <= largest:
        began = time.thread_time()
        u, _ = uniforms("sobol", size * _SCRAMBLINGS, density.n_dim + 2, rng, _SCRAMBLINGS)
        z = mixture.draw(u)
        log_q = mixture.log_density(z)
        log_sum, shares = normalise(target(z) - log_q)
        if ess(shares) < least_effective * len(z) and question.slope is not None:
            break
        labels = np.repeat(np.arange(_SCRAMBLINGS), len(z) // _SCRAMBLINGS)
        log_base = -log_q - np.log(len(z))
        log_runs = log_runs_of(density.log_densities, question.n_rows, z, log_base, labels)
        level = log_sum - np.log(len(z))
        doubt = _disagreement(level, np.sqrt(len(z) * shares.var()), annealed, spread)
        k_hat = max(pareto_k(row) for row in density.log_densities(z, target.rows) - log_q)
        if k_hat > heaviest_tail:
            doubt = (
                f"The weights of the second estimate have a heavy tail (k-hat {k_hat:.2f}), so "
                "that its error is not known."
            )
        way = f"annealing and {len(z):,} points of a mixture of {len(mixture.weights)} laws"
        # The search for modes before the first answer is not repeated.
        now = time.thread_time()
        growth = 4 * (now - began) / (now - since)
        yield Answer.of_runs(log_runs, way, unseen, doubt, growth)
        size, since = 4 * size, time.thread_time()
    else:
        return
    # Particles find the way from a law that is hardly worse, and each of its steps is quicker.
    mixture = min((m for share, m in refits if share > best / 10), key=lambda m: len(m.weights))
    for log_runs, n_points, seconds in by_trajectories(density, mixture, places, rng):
        way = (
            f"{len(log_runs)} runs of annealing from a mixture of {len(mixture.weights)} laws, "
            f"with {n_points:,} points"
        )
        answer = Answer.of_runs(log_runs, way, unseen)
        level = normalise(answer.log_z[target.rows] - target.levels)[0] - np.log(len(target.rows))
        noise = answer.scaled_noise[:, target.rows].mean(axis=1)
        doubt = _disagreement(level, np.sqrt((noise**2).sum()), annealed, spread)
        growth = seconds / (time.thread_time() - since)
        yield replace(answer, doubt=doubt, growth=growth)
        since = time.thread_time()


def _disagreement(level: float, se: float, annealed: float, spread: float) -> str:
    """A doubt where the mixture has lost what the annealing that it is fitted to had found."""
    apart = abs(level - annealed)
    if apart <= 5 * np.hypot(se, spread) + 0.1:
        return ""
    return f"The annealing of the second estimate and its refit differ by {number(apart)} nats."


class _Target:
    """The mean of the model's densities at a few rows, each with about the same weight."""

    def __init__(self, density: Unbounded, rows: NDArray):
        self.density, self.rows = density, rows
        self.levels = np.zeros(len(rows))

    def __call__(self, z: NDArray) -> NDArray:
        logs = self.density.log_densities(z, self.rows) - self.levels[:, None]
        return normalise(logs.T)[0] - np.log(len(self.rows))


def _base(density: Unbounded, target: _Target, rng) -> tuple[list[Mode], TMixture]:
    """Modes, and a wide mixture around the data, the starts and them."""
    known = density.data if len(density.data) > 1 else density.starts
    if not len(known):
        raise CannotTell("There are neither data nor points from which a search could start.")
    centre = np.median(known, axis=0)
    low, high = np.quantile(known, [0.25, 0.75], axis=0)
    scale = np.where(high > low, (high - low) / 1.35, known.std(axis=0))
    scale = np.where(scale > 0, scale, np.maximum(np.abs(centre), 1.0))
    modes: list[Mode] = []
    if density.question.slope is not None:
        modes = find_modes(density, target.rows, centre, scale, rng)
    wide = np.diag(3 * scale)
    parts = [(0.3, centre, wide)]
    if len(known) > 2 * len(centre):
        parts.append((0.2, known.mean(axis=0), root_of(2 * np.atleast_2d(np.cov(known.T)))))
    for mode in modes:
        parts.append((0.4 / len(modes), mode.place, root_of(1.5 * mode.covariance)))
    near = known[rng.integers(len(known), size=12)]
    parts += [(0.1 / len(near), place, np.diag(scale / 2)) for place in near]
    weights, means, roots = zip(*parts, strict=True)
    total = np.array(weights) / sum(weights)
    return modes, TMixture(total, np.array(means), np.array(roots))


def _anneal(target: _Target, base: TMixture, particles: int, rng) -> tuple[NDArray, float, float]:
    """Places of the target, its log Z by annealing from the base, and the spread of that."""
    runs = 8
    n_dim = base.means.shape[1]
    z = base.draw(rng.random((particles, n_dim + 2)).clip(2.0**-53, 1 - 2.0**-53))
    log_q = base.log_density(z)
    of_rows = target.density.log_densities(z, target.rows) - log_q
    levels, _ = normalise(of_rows)
    if not np.isfinite(levels).any():
        raise CannotTell("No particle of the second estimate found any mass of the model.")
    target.levels = np.where(np.isfinite(levels), levels - np.log(particles), levels.max())
    log_p = target(z)
    log_z, beta = np.zeros(runs), 0.0
    log_w = np.zeros(particles)
    while beta < 1:
        step = _step(log_p - log_q, 1 - beta)
        beta = 1.0 if 1 - beta - step < 1e-9 else beta + step
        log_w = step * (log_p - log_q)
        log_means, index = resampled(log_w.reshape(runs, -1), rng)
        log_z += log_means
        z, log_p, log_q = z[index], log_p[index], log_q[index]
        moves = 4 + n_dim // 2
        for _ in range(moves):
            z, log_p, log_q = _move(target, base, z, log_p, log_q, beta, rng)
    log_sum, shares = normalise(log_z)
    spread = float(runs * shares.std() / np.sqrt(runs - 1))
    return z, float(log_sum - np.log(runs)), spread


def _step(log_ratio: NDArray, most: float) -> float:
    """The largest step of the temperature after which half of the particles stay effective."""

    def effective(step: float) -> float:
        return float(ess(normalise(step * log_ratio)[1])) / len(log_ratio)

    if effective(most) >= 0.5:
        return most
    low, high = 0.0, most
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if effective(middle) >= 0.5 else (low, middle)
    # Where less than half have any mass at all, no step leaves half of them.
    return max(low, most / 64)


def _move(target, base, z, log_p, log_q, beta, rng):
    """One Metropolis step of every particle along the difference of two others."""
    n, n_dim = z.shape
    a, b = rng.integers(n, size=n), rng.integers(n, size=n)
    factor = 2.38 / np.sqrt(2 * n_dim) * np.exp(rng.normal(size=(n, 1)) * 0.5)
    factor[rng.random(n) < 0.1] = 1.0
    moved = z + factor * (z[a] - z[b]) + 1e-6 * (z[a] - z[b]).std() * rng.normal(size=z.shape)
    new_p, new_q = target(moved), base.log_density(moved)
    with np.errstate(invalid="ignore"):
        gain = beta * (new_p - log_p) + (1 - beta) * (new_q - log_q)
    accepted = rng.exponential(size=n) > -gain
    keep = lambda new, old: np.where(accepted, new, old)
    return np.where(accepted[:, None], moved, z), keep(new_p, log_p), keep(new_q, log_q)


def _refits(
    target: _Target, z: NDArray, modes: list[Mode], base: TMixture, rng
) -> list[tuple[float, TMixture]]:
    """Mixtures and the shares of their points that are effective.

    One law alone, one for each mode, and more for bent or skewed ones: of many laws in many
    dimensions each has too few particles to know its covariance by.
    """
    mean, spread = z.mean(axis=0), np.atleast_2d(np.cov(z.T))
    uniform = np.full(len(z), 1 / len(z))
    wide = TMixture(np.ones(1), mean[None], root_of(2 * spread)[None], base.freedom)
    few = [mode.place for mode in modes] or [mean]
    bends = int(np.clip(len(z) // (64 * (z.shape[1] + 1)), 6, 24))
    more = [*few, *z[rng.integers(len(z), size=bends)]]
    u = rng.random((len(z), z.shape[1] + 2)).clip(2.0**-53, 1 - 2.0**-53)
    found = []
    for centres in ([mean], few, more):
        mixture = fitted_mixture(z, uniform, np.array(centres), freedom=base.freedom)
        mixture = mixture.with_part(wide, 0.1).with_part(base, 0.05)
        x = mixture.draw(u)
        _, weights = normalise(target(x) - mixture.log_density(x))
        found.append((float(ess(weights)) / len(z), mixture))
    return found
