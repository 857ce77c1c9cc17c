"""Real numbers as an annealed reference sees them: whitened, on the whole line."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.gradient import NullTypeGradError

from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.reference.annealing import trajectories
from pymc_ebm.reference.annealing.population import Population
from pymc_ebm.reference.annealing.student_mixture import StudentMixture
from pymc_ebm.reference.annealing.trajectories import Scale
from pymc_ebm.space.box_map import BoxMap

# The broad half of the base has this times the data's spread; t_5 of scale 1 has sd √(5/3).
_BROAD = 2 * np.sqrt(3 / 5)
# Where somebody says that a mode is, its width is not known: parts of the kernels' own.
_WIDTHS = (1.0, 0.5, 0.25)


class RealLine:
    """Events in a box as coordinates w ``(B, D)``: the box's map to the line, then whitened.

    The potentials U(w) are energies less the log slope of the map, number 0 that of the base law,
    whose Z is 1, and number k that of anchor k.

    Parameters
    ----------
    energy : Energy
    anchors : sequence of sequences of ndarray
        Rows of parameters.
    data : ndarray, shape ``(N, *event)``
        Where the base law is broad, and has half of its mass around each.
    support : Support
    starts : ndarray, shape ``(S, *event)`` or None
        Places that the base law covers with kernels of several widths.
    rng : numpy.random.Generator
        Chooses the data with kernels.
    """

    def __init__(self, energy, anchors, data, support, starts, rng):
        self.event_shape = data.shape[1:]
        rows = data.reshape(len(data), -1).astype(float)
        self.n_dim = rows.shape[1]
        lower, upper = (
            np.broadcast_to(np.asarray(bound, dtype=float), self.event_shape).ravel()
            for bound in (support.lower, support.upper)
        )
        self._line = BoxMap(lower, upper)
        z = self._line.forward(_inside(rows, lower, upper))
        self._mean, self._root = _whitening(z)
        self._log_det = np.log(np.diag(self._root)).sum()
        w = self._white(z)
        starts = None if starts is None else self._white(self._line.forward(_inside(
            np.asarray(starts, dtype=float).reshape(-1, self.n_dim), lower, upper
        )))  # fmt: skip
        self._base = _base(w, starts, rng)
        self._anchors = anchors
        self._function, self.has_slope = _compiled(energy, self.event_shape, anchors[0])

    def draw(self, rng: np.random.Generator, draws: int) -> NDArray:
        """Coordinates ``(draws, D)`` from the base law."""
        return self._base.draw(rng, draws)

    def potential(self, number: int, w: NDArray) -> tuple[NDArray, NDArray | None]:
        """U ``(B,)`` and its slope ``(B, D)``; +inf where the energy is none."""
        if number == 0:
            return self._base.energy(w)
        z = self._mean + w @ self._root.T
        x = self._line.inverse(z)
        value, *slope = self._function(x.reshape(-1, *self.event_shape), *self._anchors[number - 1])
        value = np.broadcast_to(value, len(w))
        log_volume, bend = self._line.log_volume(z)
        value = value - log_volume - self._log_det
        value = np.where(np.isfinite(value), value, np.inf)
        if not slope:
            return value, None
        of_z = slope[0].reshape(w.shape) * self._line.width(z) - bend
        return value, of_z @ self._root

    def points(self, w: NDArray) -> NDArray:
        """Events ``(B, *event)``."""
        return self._line.inverse(self._mean + w @ self._root.T).reshape(-1, *self.event_shape)

    def log_measure(self, w: NDArray) -> NDArray:
        """Log of the event's volume for a unit of that of w, ``(B,)``."""
        log_volume, _ = self._line.log_volume(self._mean + w @ self._root.T)
        return log_volume + self._log_det

    def anchored(self, anchors) -> RealLine:
        """The same coordinates and base law with other anchors."""
        other = copy(self)
        other._anchors = anchors
        return other

    def first_scale(self) -> Scale:
        """How far to move at first."""
        return Scale.first(self.n_dim, self.has_slope)

    def move(self, population: Population, beta: float, scale: Scale, rng):
        """Move every particle once, leaving U_β invariant; the share accepted."""
        return trajectories.move(population, beta, scale, rng)

    def scale_after(self, scale: Scale, acceptance: float, moves: int) -> Scale:
        """Learn from a move of the pilot how far to go."""
        return scale.after(acceptance, self.has_slope, moves**-0.5)

    @property
    def fewest_moves(self) -> int:
        """Moves of each level that the pilot makes at least, to learn how far to go."""
        return 2

    @property
    def most_moves(self) -> int:
        """Moves of each level after which the pilot gives up."""
        return 16 if self.has_slope else 16 * self.n_dim

    def _white(self, z):
        return np.linalg.solve(self._root, (z - self._mean).T).T


def _compiled(energy, event_shape, row: Sequence[NDArray]):
    """E and its slope by x, or E alone where it has no slope."""
    x = pt.tensor("x", dtype="float64", shape=(None, *event_shape))
    params = [t(f"param_{i}") for i, t in enumerate(energy.core_types(row))]
    value = energy.of_data(x, params, event_shape)
    outputs = [value]
    try:
        outputs.append(pt.grad(value.sum(), x, disconnected_inputs="raise"))
    except (NotImplementedError, NullTypeGradError, pytensor.gradient.DisconnectedInputError):
        pass
    try:
        # Fused loops: half the time of NumPy on large populations, and powers a hundredth.
        function = compiled([x, *params], outputs)
    except NotImplementedError:
        function = compiled([x, *params], outputs, VECTORISED)
    return function, len(outputs) == 2


def _whitening(z) -> tuple[NDArray, NDArray]:
    """Mean and Cholesky root of the data's covariance, positive definite for few data too."""
    n, n_dim = z.shape
    mean, sd = z.mean(axis=0), z.std(axis=0)
    # Constant data say nothing of their scale; their size is the only one there is.
    fallback = np.where(mean != 0, np.abs(mean), 1.0)
    sd = np.where(sd > 1e-12 * fallback, sd, fallback)
    w = (z - mean) / sd
    shrink = n_dim / (n + n_dim)
    correlation = (1 - shrink) * (w.T @ w) / n
    np.fill_diagonal(correlation, 1.0)
    return mean, sd[:, None] * np.linalg.cholesky(correlation)


def _base(w, starts, rng) -> StudentMixture:
    """Half broad, half kernels at data, and at the starts as often as at the data."""
    n_dim = w.shape[1]
    k = min(len(w), 64)
    bandwidth = 1.5 * (4 / (k * (n_dim + 2))) ** (1 / (n_dim + 4))
    kernels = [(w[rng.choice(len(w), k, replace=False)], np.full(k, bandwidth))]
    if starts is not None:
        places = np.repeat(starts, len(_WIDTHS), axis=0)
        kernels.append((places, bandwidth * np.tile(_WIDTHS, len(starts))))
    shares = [np.full(len(c), 0.5 / len(kernels) / len(c)) for c, _ in kernels]
    return StudentMixture(
        np.concatenate([[0.5], *shares]),
        np.concatenate([np.zeros((1, n_dim)), *(c for c, _ in kernels)]),
        np.concatenate([[_BROAD], *(s for _, s in kernels)]),
    )


def _inside(rows, lower, upper):
    """Data at a bound, where the map is infinite, moved half the way to their neighbours."""
    low, high = rows - lower, upper - rows
    gap = np.minimum(
        np.where(low > 0, low, np.inf).min(axis=0), np.where(high > 0, high, np.inf).min(axis=0)
    )
    gap = np.where(np.isfinite(gap), gap, 1.0) / 2
    rows = np.where(low > 0, rows, lower + gap)
    return np.where(high > 0, rows, upper - gap)
