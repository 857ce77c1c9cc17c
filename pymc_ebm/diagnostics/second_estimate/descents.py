"""Modes of an energy, by descents from many places together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from pymc_ebm.diagnostics.second_estimate.unbounded import Unbounded

__all__ = ["Mode", "find_modes"]


@dataclass(frozen=True, eq=False)
class Mode:
    """A local maximum of a density.

    Attributes
    ----------
    place : ndarray
        ``(D,)``.
    covariance : ndarray
        The inverse of the curvature there, ``(D, D)``.
    log_mass : float
        Laplace's approximation of its integral, in nats.
    """

    place: NDArray
    covariance: NDArray
    log_mass: float


def find_modes(
    density: Unbounded,
    rows: NDArray,
    centre: NDArray,
    scale: NDArray,
    rng: np.random.Generator,
    *,
    descents: int = 2048,
    steps: int = 60,
    most: int = 12,
) -> list[Mode]:
    """The modes of most mass that descents from data, starts and far places end at.

    Parameters
    ----------
    density : Unbounded
        Of a question with a slope.
    rows : ndarray of int
        Whose energies are descended.
    centre, scale : ndarray
        Of what is known, ``(D,)``.
    rng : Generator
    descents, steps : int
    most : int
        Modes to return.
    """
    n_dim = len(centre)
    known = [part[rng.integers(len(part), size=descents // 4)]
             for part in (density.data, density.starts) if len(part)]  # fmt: skip
    n_far = descents - sum(map(len, known))
    radius = np.exp(rng.uniform(np.log(0.5), np.log(100), size=(n_far, 1)))
    far = radius * rng.normal(size=(n_far, n_dim))
    # Half of them along few coordinates: modes often differ in those alone.
    few = rng.random((n_far, n_dim)) < np.minimum(2 / n_dim, 1)
    far[: n_far // 2] *= few[: n_far // 2]
    # An eighth along the diagonal, on which the modes of exchangeable coordinates lie.
    alike = far[-n_far // 8 :]
    alike[:] = alike[:, :1] + 0.1 * np.abs(alike[:, :1]) * rng.normal(size=alike.shape)
    z = np.concatenate([*known, centre + scale * far])
    of_row = rows[rng.integers(len(rows), size=len(z))]
    z, height = _together(density, z, of_row, scale, steps)
    modes: list[Mode] = []
    order = np.argsort(-height, kind="stable")
    tried = np.empty((0, n_dim))
    for i in order[np.isfinite(height[order])]:
        near = np.abs(tried - z[i]) < 0.3 * scale
        if near.all(axis=1).any():
            continue
        tried = np.vstack([tried, z[i]])
        mode = _polished(density, z[i], int(of_row[i]), scale)
        if mode is not None and not any(_same(mode, other) for other in modes):
            modes.append(mode)
        if len(tried) >= 40:
            break
    modes.sort(key=lambda mode: -mode.log_mass)
    return modes[:most]


def _together(density, z, rows, scale, steps) -> tuple[NDArray, NDArray]:
    """Gradient ascents with a step of their own each."""
    height, gradient = density.paired(z, rows)
    step = np.full(len(z), 0.1)
    for _ in range(steps):
        direction = gradient * scale
        length = np.linalg.norm(direction, axis=1, keepdims=True)
        move = step[:, None] * scale * direction / np.maximum(length, 1e-300)
        moved = z + move
        new_height, new_gradient = density.paired(moved, rows)
        better = new_height > height
        z = np.where(better[:, None], moved, z)
        height = np.where(better, new_height, height)
        gradient = np.where(better[:, None], new_gradient, gradient)
        step *= np.where(better, 1.6, 0.4)
    return z, height


def _polished(density: Unbounded, start, row, scale) -> Mode | None:
    rows = np.array([row])

    def downhill(v):
        height, gradient = density.paired((start + scale * v)[None], rows)
        if not np.isfinite(height[0]):
            return 1e300, np.zeros_like(v)
        return -height[0], -gradient[0] * scale

    found = optimize.minimize(downhill, np.zeros(len(start)), jac=True, method="L-BFGS-B")
    if not np.isfinite(found.fun) or found.fun > 1e299:
        return None
    place, n = start + scale * found.x, len(start)
    steps = np.eye(n) * 1e-4
    moved = np.concatenate([found.x + steps, found.x - steps]) * scale + start
    _, gradients = density.paired(moved, np.full(2 * n, row))
    curvature = -(gradients[:n] - gradients[n:]) * scale / 2e-4
    curvature = (curvature + curvature.T) / 2
    if not np.isfinite(curvature).all():
        return None
    widths, axes = np.linalg.eigh(curvature)
    # Flat directions, as of a quartic, are as wide as what is known.
    widths = np.maximum(widths, 0.1)
    root = axes / np.sqrt(widths) * scale[:, None]
    log_mass = -found.fun + n / 2 * np.log(2 * np.pi) - np.log(widths).sum() / 2
    return Mode(place, root @ root.T, float(log_mass + np.log(scale).sum()))


def _same(one: Mode, other: Mode) -> bool:
    apart = one.place - other.place
    return float(apart @ np.linalg.solve(other.covariance, apart)) < 1.0
