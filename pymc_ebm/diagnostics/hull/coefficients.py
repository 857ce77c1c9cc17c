"""Coefficients of an energy that is linear in statistics, and the directions they move in."""

import numpy as np
from numpy.typing import NDArray
from pytensor.graph.replace import graph_replace, vectorize_graph

from pymc_ebm.diagnostics.normalisers.find import Normaliser
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.linearity import common_slopes, slopes
from pymc_ebm.energy.split import VECTORISED, SplitEnergy

__all__ = ["FAR", "NEAR", "EnergyCoefficients", "NotApplicable", "moving"]

# Lengths of random steps, in unconstrained parameters: far ones span all that coefficients can
# reach, near ones the directions in which they move independently.
FAR, NEAR = 1.0, 1e-4


class NotApplicable(Exception):
    """Raised with the reason why the hull says nothing about a model."""


class EnergyCoefficients:
    """c_rk = ∂E/∂T_k for each row of parameters, as the model's free values move.

    Parameters
    ----------
    normalisers : Normalisers
        Of the model.
    normaliser : Normaliser
        One of them.
    statistics : ndarray
        T of data and points, ``(B, K)``, at some of which the energy is tested for being linear.

    Raises
    ------
    NotApplicable
        An energy that is not linear in its statistics.
    """

    def __init__(self, normalisers: Normalisers, normaliser: Normaliser, statistics: NDArray):
        model, inputs = normalisers.model, normaliser.inputs
        split = normaliser.nodes[0].op.split
        in_values = normalisers.in_model_values([*inputs.params, *inputs.captured])
        params, captured = in_values[: len(inputs.params)], in_values[len(inputs.params) :]
        gradients = slopes(split)
        if gradients is None:
            raise NotApplicable("The energy has no derivative by a statistic.")
        of_model = dict(zip(split.captured, captured, strict=True))
        gradients = graph_replace(gradients, of_model, strict=False)
        gradients = vectorize_graph(gradients, dict(zip(split.params, params, strict=True)))
        values = model.value_vars
        # Looked at are the extremes of each statistic, and some more.
        order = np.argsort(statistics, axis=0)
        probed = np.unique(np.concatenate([order[0], order[-1], np.arange(32)]))
        probed = statistics[probed[probed < len(statistics)]]
        self._function = compiled([*values, *split.slots], gradients, VECTORISED)
        self._slots = _slot_values(split, probed)
        self._n_statistics = statistics.shape[1]
        self._start = model.initial_point()
        self._values = values
        self._n_probed = len(probed)
        # Whatever the number of rows, each has its gradients.
        self.n_rows = -1
        self.n_rows = len(self._at(np.zeros(self._size)))

    @property
    def _size(self):
        return sum(np.size(self._start[v.name]) for v in self._values)

    def directions(self, step: float) -> NDArray:
        """Differences of c over random steps of the free values, ``(S, R, K)``.

        Their size is that of the steps. Far ones are enough of them for each row, near ones for
        all rows together.
        """
        rng = np.random.default_rng(0)
        rows = 1 if step >= FAR else self.n_rows
        n_steps = rows * self._n_statistics + 2
        if step < FAR:
            n_steps = min(n_steps, self._size + 2)
        centre = 0.1 * rng.normal(size=self._size)
        found = []
        for _ in range(n_steps):
            move = step * rng.normal(size=self._size)
            # Of small steps two-sided differences, free of curvature; of large ones it must show.
            behind = centre - move if step < FAR else centre
            difference = self._at(centre + move) - self._at(behind)
            if np.isfinite(difference).all():
                found.append(difference)
        if not found:
            raise NotApplicable("The energy has no finite gradient near the initial point.")
        return np.array(found)

    def _at(self, move: NDArray) -> NDArray:
        """Coefficients at the initial point moved by `move`, ``(R, K)``, of a linear energy."""
        point, first = [], 0
        for value in self._values:
            start = np.asarray(self._start[value.name])
            part = move[first : first + start.size].reshape(start.shape)
            first += start.size
            moves = value.dtype.startswith("float")
            point.append((start + part if moves else start).astype(value.dtype))
        with np.errstate(all="ignore"):
            gradients = self._function(*point, *self._slots)
        shapes = [(self.n_rows, self._n_probed, s[0].size) for s in self._slots]
        rows = np.concatenate(
            [np.reshape(g, shape) for g, shape in zip(gradients, shapes, strict=True)], axis=-1
        )
        if np.isfinite(rows).all() and common_slopes(rows) is None:
            raise NotApplicable("The energy is not linear in statistics of x.")
        return rows[:, 0]


def _slot_values(split: SplitEnergy, statistics: NDArray) -> list[NDArray]:
    """Columns of statistics ``(B, K)`` as the arrays ``(B, ...)`` that the slots take."""
    shapes = [s.type.shape[1:] for s in split.slots]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [
        part.reshape(len(statistics), *shape).astype(slot.dtype)
        for part, shape, slot in zip(
            np.split(statistics, ends[:-1], axis=1), shapes, split.slots, strict=True
        )
    ]


def moving(differences: NDArray) -> tuple[int, NDArray]:
    """How many directions differences of c span, and the statistics that go with them.

    Parameters
    ----------
    differences : ndarray
        ``(S, K)``.

    Returns
    -------
    rank : int
    basis : ndarray
        ``(K, rank)``: the energy moves by the statistics ``T @ basis``.
    """
    size = np.abs(differences).max(axis=0)
    moves = size > 0
    if not moves.any():
        return 0, np.empty((len(size), 0))
    _, values, axes = np.linalg.svd(differences[:, moves] / size[moves], full_matrices=False)
    rank = int((values > 1e-6 * values[0]).sum())
    if rank == moves.sum():
        return rank, np.eye(len(size))[:, moves]
    basis = np.zeros((len(size), rank))
    # c moves by size · axes · φ, so that c · T = φ · (axes · size · T).
    basis[moves] = (axes[:rank] * size[moves]).T
    return rank, basis
