"""Continuous events under an energy: descents, random walks, and Gaussians around modes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

__all__ = ["ContinuousLandscape", "GaussianLaw"]


@dataclass(frozen=True, eq=False)
class GaussianLaw:
    """A normal distribution by its mean ``(D,)`` and a lower root of its covariance ``(D, D)``."""

    mean: NDArray
    root: NDArray

    def draw(self, rng: np.random.Generator, draws: int, *params) -> NDArray:
        """Events ``(draws, D)``."""
        return self.mean + rng.normal(size=(draws, len(self.mean))) @ self.root.T

    def log_density(self, events: NDArray, *params) -> NDArray:
        """In nats, ``(B,)``."""
        z = linalg.solve_triangular(self.root, (events - self.mean).T, lower=True)
        log_det = np.log(np.diag(self.root)).sum() + len(self.mean) / 2 * np.log(2 * np.pi)
        return -(z**2).sum(axis=0) / 2 - log_det


class ContinuousLandscape:
    """Events of D real numbers within bounds, under one energy.

    Parameters
    ----------
    energy : callable
        ``(B, D)`` to ``(B,)``, in nats.
    slope : callable or None
        Its gradient, ``(B, D)`` to ``(B, D)``.
    lower, upper : ndarray
        Bounds, ``(D,)``.
    scale : ndarray
        Width of what is known, ``(D,)``.
    """

    def __init__(
        self,
        energy: Callable[[NDArray], NDArray],
        slope: Callable[[NDArray], NDArray] | None,
        lower: NDArray,
        upper: NDArray,
        scale: NDArray,
    ):
        self._energy, self._slope = energy, slope
        self._lower, self._upper, self._scale = lower, upper, scale

    def energies(self, events: NDArray) -> NDArray:
        """Of events ``(B, D)``, in nats; +inf outside the bounds and where E is not a number."""
        inside = ((events >= self._lower) & (events <= self._upper)).all(axis=1)
        energies = np.where(inside, self._energy(events), np.inf)
        return np.where(np.isnan(energies), np.inf, energies)

    def descend(self, starts: NDArray, rng: np.random.Generator) -> NDArray:
        """Minima below the starts; the ends of random walks where E has no gradient.

        All go down together first, and of those that have met one goes on.
        """
        starts = np.clip(starts, self._lower, self._upper)
        slope = self._slope
        if slope is None:
            return self._walk(starts, rng)[-1]
        bounds = list(zip(self._lower, self._upper, strict=True))
        ends = [
            optimize.minimize(
                lambda x: (float(self._energy(x[None])[0]), slope(x[None])[0]),
                start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60},
            ).x
            for start in self._distinct(self._down_together(starts, slope))
        ]  # fmt: skip
        return np.array(ends)

    def _down_together(
        self, x: NDArray, slope: Callable[[NDArray], NDArray], steps: int = 30
    ) -> NDArray:
        """Down the gradient by a length of each one's own, which grows as long as E falls."""
        energies, gradients, length = self.energies(x), slope(x), np.full(len(x), 0.1)
        for _ in range(steps):
            along = gradients * self._scale
            along = along / np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-300)
            moved = np.clip(x - length[:, None] * self._scale * along, self._lower, self._upper)
            of_moved = self.energies(moved)
            falls = of_moved < energies
            energies = np.where(falls, of_moved, energies)
            x = np.where(falls[:, None], moved, x)
            gradients = np.where(falls[:, None], slope(moved), gradients)
            length *= np.where(falls, 1.6, 0.4)
        return x

    def _distinct(self, x: NDArray) -> NDArray:
        """One of those that are equal to a hundredth of what is known."""
        _, first = np.unique(np.round(x / self._scale, 2), axis=0, return_index=True)
        return x[first]

    def path(self, start: NDArray, end: NDArray) -> NDArray:
        """A straight line."""
        return start + np.linspace(0, 1, 20)[:, None] * (end - start)

    def law_by_differences(self, end: NDArray) -> GaussianLaw | None:
        """The Gaussian of the curvature, where that is positive."""
        slope = self._slope
        if slope is None:
            return None
        steps = np.diag(1e-4 * self._scale)
        changes = slope(end + steps) - slope(end - steps)
        curvature = changes / (2e-4 * self._scale[:, None])
        if not np.isfinite(curvature).all():
            return None
        widths, axes = np.linalg.eigh((curvature + curvature.T) / 2)
        if widths.min() <= 0:
            return None
        return _gaussian(end, (axes / widths) @ axes.T)

    def law_by_chains(self, end: NDArray, rng: np.random.Generator) -> GaussianLaw | None:
        """The Gaussian of the moments of random walks from one place."""
        events = self._walk(np.tile(end, (32, 1)), rng).reshape(-1, len(end))
        covariance = np.atleast_2d(np.cov(events.T)) + np.diag((1e-9 * self._scale) ** 2)
        return _gaussian(events.mean(axis=0), covariance)

    def _walk(self, x: NDArray, rng: np.random.Generator) -> NDArray:
        """Second halves of Metropolis random walks, ``(T, B, D)``; the first ones set the steps."""
        # Of steps, in widths of what is known: short ones that grow slowly, as two thirds of them
        # are to be accepted, stay around one mode.
        steps, factor = 240, 0.01
        energies, kept = self.energies(x), []
        for step in range(steps):
            moved = x + factor * self._scale * rng.normal(size=x.shape)
            of_moved = self.energies(moved)
            accepted = rng.exponential(size=len(x)) > of_moved - energies
            x = np.where(accepted[:, None], moved, x)
            energies = np.where(accepted, of_moved, energies)
            if step < steps // 2:
                factor *= np.exp(0.25 * (accepted.mean() - 0.65))
            else:
                kept.append(x)
        return np.array(kept)


def _gaussian(mean: NDArray, covariance: NDArray) -> GaussianLaw | None:
    try:
        return GaussianLaw(mean, np.linalg.cholesky(covariance))
    except np.linalg.LinAlgError:
        return None
