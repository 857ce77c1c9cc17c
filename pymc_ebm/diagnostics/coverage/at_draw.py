"""One normaliser at a few points of a model: what its data, its modes and its halves say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.gradient import NullTypeGradError
from pytensor.graph.basic import Variable

from pymc_ebm.diagnostics.coverage.halves import compare_halves
from pymc_ebm.diagnostics.coverage.mode_search import search_modes
from pymc_ebm.diagnostics.coverage.modes import Mode
from pymc_ebm.diagnostics.coverage.modes_reached import ModesReached, modes_reached
from pymc_ebm.diagnostics.normalisers.find import Normaliser
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.energy.tiered import tiered
from pymc_ebm.kernels.routes import choose
from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.normalised import ess, normalise

__all__ = ["IMPROBABLE", "CoverageAtDraw", "CoverageSearch", "of_rows"]

# Nats by which a weight must exceed all of the points' to count as out of their reach.
_MARGIN = 0.05
# Share of the model's mass, of the highest energies, in which few data should lie.
IMPROBABLE = 1e-3
_MOST_POINTS = 2**18


@dataclass(frozen=True)
class CoverageAtDraw:
    """What one point of the model says.

    Attributes
    ----------
    excess : float
        Log weight of the heaviest datum above the points', in nats; NaN where it is not known.
    unreached, expected : float
        Data heavier than all points, and how many there should be if they follow the model.
    n_data : int
    improbable : int
        Data whose energy only 0.1% of the model's mass exceeds.
    modes : ModesReached
        What the points carry of the modes that were found.
    after_selection : bool
        Whether a selection left the points, of draws that may have been where none is.
    """

    excess: float
    unreached: float
    expected: float
    n_data: int
    improbable: int
    modes: ModesReached
    after_selection: bool


def of_rows(reference: Reference) -> tuple[Literal["covered", "not checked"], str]:
    """Verdict and reason for points of each row's own, of which there are too few to search."""
    if reference.selected:
        return (
            "covered",
            "What selected the draws of each row is known at these draws alone, so that there is "
            "nowhere else to look.",
        )
    return "not checked", "Each row has points of its own, too few for a search."


class CoverageSearch:
    """One normaliser's energy at any events, and the log weights of its own points.

    Parameters
    ----------
    normalisers : Normalisers
        Of the model, on the parameters' own scale.
    normaliser : Normaliser
        One of them.
    """

    def __init__(self, normalisers: Normalisers, normaliser: Normaliser):
        node = normaliser.nodes[0]
        split, self.reference = node.op.split, normaliser.reference
        self._data, self._component = normalisers.data.get(normaliser.name), normaliser.row
        self._cores = [p.ndim for p in split.params]
        params, captured, constants = normaliser.inputs
        # Of a few draws: what is compiled here takes longer than it runs.
        self._values = normalisers.compile([*params, *captured], mode=VECTORISED)
        arrays = [array.data for array in constants]
        # Every k-th point of very many stands for all; where arrays are not by point, all do.
        self._every = max(self.reference.n_points // _MOST_POINTS, 1)
        if choose(node).name == "plain":
            self._every = 1
        self._arrays = [array[:: self._every] for array in arrays]
        slots = [array.type() for array in constants]
        if self._every > 1:
            slots = [pt.tensor(dtype=a.dtype, shape=(None, *a.shape[1:])) for a in arrays]
        types = [*(v.type() for v in (*params, *captured)), *slots]
        log_weights = node.op.log_weights(*types)
        self._log_weights = tiered(types, log_weights)
        self._flexible = split.x.type.shape[0] is None
        inputs, energy = [split.x, *split.params, *split.captured], split.at(split.x)
        self._energy = tiered(inputs, energy)
        self._slope = None
        if not self.reference.discrete and self._flexible:
            slope = _gradient(energy, split.x)
            if slope is not None:
                self._slope = tiered(inputs, slope)
        self._row: int | None = None
        self._seen: list[NDArray] = []

    def at(self, point: dict[str, NDArray], rng: np.random.Generator) -> CoverageAtDraw:
        """What the data and the modes say at one point of the model."""
        values = self._values(point)
        log_weights = np.asarray(self._log_weights(*values, *self._arrays))
        if self._component is not None:
            log_weights = log_weights[..., self._component, :]
        log_weights = log_weights.reshape(-1, log_weights.shape[-1])
        log_z, weights = normalise(log_weights + np.log(self._every))
        sizes = ess(weights)
        row = int(np.argmin(sizes))  # of rows of parameters, the one with the fewest
        if self._row is None:
            self._row = row
        self._seen.append(log_weights[self._row])
        theta = self._theta(values, row)
        data = self._data_of(row, len(sizes))
        excess = self._excess(theta, data) - log_weights[row].max()
        known = excess.size > 0
        modes, events = self._modes(theta, rng)
        drawn = (lambda mode: self._n_drawn(mode, rng)) if self.reference.selected else None
        reached = modes_reached(
            modes, events, weights[row], log_z[row], sizes[row], self.reference, drawn
        )
        return CoverageAtDraw(
            excess=float(excess.max()) if known else np.nan,
            unreached=float((excess > _MARGIN).sum()),
            expected=excess.size * float(weights[row].max()),
            n_data=0 if data is None else len(data),
            improbable=self._improbable(theta, data, log_weights[row], weights[row]),
            modes=reached,
            after_selection=self.reference.selected,
        )

    def halves(self) -> tuple[float, float]:
        """`compare_halves` at all points of the model so far."""
        return compare_halves(self.reference, np.array(self._seen), self._every)

    def _theta(self, values, row) -> list[NDArray]:
        """Parameters of one row of the batch, each of its core shape, and what is captured."""
        n = len(self._cores)
        theta = []
        for value, core in zip(values[:n], self._cores, strict=True):
            value = np.asarray(value)
            if self._component is not None and value.ndim > core:
                value = np.moveaxis(value, value.ndim - core - 1, 0)[self._component]
            flat = value.reshape(-1, *value.shape[value.ndim - core :])
            theta.append(flat[row if len(flat) > 1 else 0])
        return [*theta, *values[n:]]

    def _points(self, theta) -> NDArray:
        params = theta[: len(self._cores)]
        return self.reference.points_at(params, slice(None, None, self._every))

    def _data_of(self, row: int, n_rows: int) -> NDArray | None:
        """The data that have the energy of one row of parameters, as far as that is known."""
        if self._data is None or not self._flexible:
            return None
        return self._data.of_row(row, n_rows)

    def _excess(self, theta, data: NDArray | None) -> NDArray:
        """Log weights of the data, ``(N,)``; none where they are not known."""
        if data is None:
            return np.empty(0)
        n = len(self._cores)
        at_anchor = lambda anchor: self._energy(data, *anchor, *theta[n:])
        log_base = self.reference.log_base(data, theta[:n], at_anchor)
        return np.empty(0) if log_base is None else log_base - self._energy(data, *theta)

    def _improbable(self, theta, data, log_weights, weights) -> int:
        """How many data have an energy that only 0.1% of the model's mass exceeds."""
        if data is None or self.reference.follows_parameters:
            return 0
        energies = self.reference.log_weights[:: self._every] - log_weights
        order = np.argsort(energies)
        high = int(np.searchsorted(weights[order].cumsum(), 1 - IMPROBABLE))
        limit = energies[order[min(high, len(order) - 1)]]
        return int((self._energy(data, *theta) > limit + _MARGIN).sum())

    def _n_drawn(self, mode: Mode, rng: np.random.Generator) -> float:
        """How many draws fell in a mode's window before a selection; NaN if unknown."""
        reference = self.reference
        if reference.discrete:
            return np.nan

        def log_density(events: NDArray) -> NDArray:
            """Of draws: exp(−a)."""
            log_base = reference.log_base(events.reshape(-1, *reference.event_shape))
            return np.full(len(events), np.nan) if log_base is None else -log_base

        return mode.draws_of(log_density, rng)

    def _modes(self, theta, rng) -> tuple[list[Mode], NDArray]:
        """Modes near data, points and dispersed places, and the points as ``(M, D)``."""
        points, slope = self._points(theta), None
        if not self._flexible:
            return [], points
        if self._slope is not None:
            slope = lambda x: self._slope(x, *theta)
        data = None if self._data is None else self._data.values
        return search_modes(
            self.reference, points, data, lambda x: self._energy(x, *theta), slope, rng
        )


def _gradient(energy: Variable, x: Variable) -> Variable | None:
    try:
        return pt.grad(energy.sum(), x)
    except (NotImplementedError, NullTypeGradError):
        return None
