"""Hamiltonian trajectories, and random walks where the energy has no slope."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.reference.annealing.population import Population

# A quarter of a period of a whitened Gaussian: from there a draw is independent of the first.
_LENGTH = np.pi / 2


class Scale(NamedTuple):
    """How far a move goes: in the coordinates root⁻¹ w the states have unit covariance."""

    size: float
    root: NDArray

    @classmethod
    def first(cls, n_dim: int, has_slope: bool) -> Scale:
        """Sizes that suit Gaussians: falling as D^(−1/4), and as D^(−1/2) for random walks."""
        size = n_dim**-0.25 if has_slope else 2.4 * n_dim**-0.5
        return cls(size, np.eye(n_dim))

    def of(self, states: NDArray) -> Scale:
        """The same for the covariance of other states."""
        n, n_dim = states.shape
        shrink = n_dim / (n + n_dim)
        covariance = np.atleast_2d(np.cov(states.T))
        covariance = (1 - shrink) * covariance + shrink * np.diag(np.diag(covariance))
        covariance[np.diag_indices(n_dim)] += 1e-12 * np.trace(covariance) / n_dim + 1e-300
        return Scale(self.size, np.linalg.cholesky(covariance))

    def after(self, acceptance: float, has_slope: bool, rate: float) -> Scale:
        """Longer steps where more were accepted than wanted, shorter where fewer."""
        wanted = 0.8 if has_slope else 0.3  # of acceptances
        return Scale(self.size * np.exp(rate * (acceptance - wanted)), self.root)


def move(
    population: Population, beta: float, scale: Scale, rng: np.random.Generator
) -> tuple[Population, float]:
    """One trajectory, or one step of a random walk, of every particle; the share accepted.

    The length of trajectories is random: at one length some target has a period that they repeat.
    """
    size = scale.size * rng.uniform(0.8, 1.2, size=(len(population.states), 1))
    momentum = rng.normal(size=population.states.shape)
    u = rng.random(len(population.states))
    with np.errstate(all="ignore"):  # what overflows is rejected
        if population.at_end[1] is None:
            new = population.at(population.states + size * momentum @ scale.root.T)
            gain = population.value(beta) - new.value(beta)
        else:
            length = _LENGTH * rng.uniform(0.5, 1.5)
            steps = int(np.clip(np.ceil(length / scale.size), 1, 64))
            new, after = _trajectory(population, beta, scale.root, size, steps, momentum)
            gain = population.value(beta) - new.value(beta)
            gain += (momentum**2 - after**2).sum(axis=1) / 2
        accepted = np.log(u) < gain  # NaN is not accepted
    probability = np.exp(np.minimum(np.nan_to_num(gain, nan=-np.inf), 0.0))
    return population.moved(accepted, new), float(probability.mean())


def _trajectory(population, beta, root, size, steps, momentum):
    new = population
    momentum = momentum - size / 2 * (new.slope(beta) @ root)
    for step in range(steps):
        new = new.at(new.states + size * (momentum @ root.T))
        half = 2 if step == steps - 1 else 1
        momentum = momentum - size / half * (new.slope(beta) @ root)
    return new, momentum
