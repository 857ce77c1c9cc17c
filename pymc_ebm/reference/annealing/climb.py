"""Climbing a likelihood with particles that follow its parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.energy.energy import Energy
from pymc_ebm.reference.annealing.population import Population, chosen_by_weight
from pymc_ebm.reference.annealing.schedule import leg_between
from pymc_ebm.reference.annealing.spaces import annealed_space
from pymc_ebm.space.base import Space
from pymc_ebm.weights.normalised import ess, normalise


class NotArrived(ValueError):
    """Raised where the likelihood seems to have no maximum within reach."""


def climb(
    energy: Energy,
    theta: Callable[[NDArray], Sequence[NDArray]],
    start: NDArray,
    data: NDArray,
    space: Space,
    rng: np.random.Generator,
    most_steps: int = 100,
) -> NDArray:
    r"""Unconstrained parameters u near the maximum of the likelihood, by Fisher's scoring.

    .. math:: Δu = \operatorname{Cov}_θ(T)^{-1} (E_θ[T] − \bar T_{data}), \qquad T = ∂E/∂u

    Particles are annealed to p(x | θ) once, and then follow θ: weighted, resampled and moved.

    Parameters
    ----------
    energy : Energy
    theta : callable
        u ``(K,)`` to a row of parameters.
    start : ndarray, shape (K,)
    data : ndarray, shape ``(N, *event)``
    space : Space
        Not one of finite states.
    rng : numpy.random.Generator
    most_steps : int

    Raises
    ------
    NotArrived
        After `most_steps`, or where the energy is not finite.
    """
    u, row = start, list(theta(start))
    at = annealed_space(energy, [row], data, space, None, rng)
    leg, states = leg_between(at, 0, 1, at.draw(rng, 1024), rng, lambda part: None)
    scale, moves = leg.levels[-1].scale, leg.levels[-1].moves
    for _ in range(most_steps):
        slopes = _slopes(energy, theta, u, at.points(states))
        gap = slopes.mean(axis=0) - _slopes(energy, theta, u, data).mean(axis=0)
        covariance = np.atleast_2d(np.cov(slopes.T))
        if not (np.isfinite(covariance).all() and np.isfinite(gap).all()):
            break
        step = np.linalg.pinv(covariance, rcond=1e-10, hermitian=True) @ gap
        size = float(np.sqrt(step @ covariance @ step))
        # So near, points made at either end serve the other as well.
        if size < 0.1:
            return u + step
        # No longer step: log weights then have a variance of 1.
        step = step * min(1.0, 1.0 / size)
        before = at.potential(1, states)[0]
        while True:
            other = at.anchored([list(theta(u + step))])
            with np.errstate(invalid="ignore"):
                log_w = before - other.potential(1, states)[0]
            log_w = np.where(np.isnan(log_w), -np.inf, log_w)
            # A longer step leaves too few effective.
            if ess(normalise(log_w)[1]) > 0.25 * len(log_w):
                break
            step = step / 2
            if np.abs(step).max() < 1e-12:
                raise NotArrived("The energy is not finite around the parameters reached.")
        u, at = u + step, other
        _, index = chosen_by_weight(log_w[None], rng)
        population = Population.of(at, 1, 1, states[index])
        scale = scale.of(population.states)
        for k in range(moves):
            population, acceptance = at.move(population, 1.0, scale, rng)
            scale = at.scale_after(scale, acceptance, 4 * (k + 1))
        states = population.states
    where = np.array2string(u, threshold=6)
    raise NotArrived(f"The likelihood still rises at {where} on the unconstrained scale.")


def _slopes(energy, theta, u, points) -> NDArray:
    """∂E/∂u ``(B, K)`` by central differences."""
    step_size = 1e-4
    row = list(theta(u))
    energies = energy.of_points(points.shape[1:], points.dtype, row, len(points)).at(points)
    columns = []
    for step in step_size * np.eye(u.size):
        high, low = energies(list(theta(u + step))), energies(list(theta(u - step)))
        columns.append(np.broadcast_to((high - low) / (2 * step_size), len(points)))
    return np.stack(columns, axis=1)
