"""The density that a sampler is asked for: energies and weights, compiled once for all rows."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

import numpy as np
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.reference.base import Reference

__all__ = [
    "BLOCK",
    "cached",
    "energy_function",
    "spell",
    "start_points",
    "weights_function",
]

# Numbers held at once by one evaluation of an energy: 8 MiB an array.
BLOCK = 2**20

_COMPILED: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def energy_function(
    energy: Energy, reference: Reference, row: Sequence[np.ndarray], mode: Mode | None = VECTORISED
) -> Callable[[np.ndarray], np.ndarray]:
    """E(x | θ) of points ``(B, *event)`` at one row, compiled once for all rows.

    Parameters
    ----------
    energy : Energy
    reference : Reference
        Says the type and shape of an event.
    row : sequence of ndarray
    mode : Mode
        How PyTensor compiles.

    Returns
    -------
    callable
        ``(B, *event) -> (B,)`` in nats, evaluated in blocks of bounded memory.
    """

    def make():
        x = pt.tensor("x", dtype=reference.points.dtype.name, shape=(None, *reference.event_shape))
        params = _placeholders(energy, row)
        value = energy.of_data(x, params, reference.event_shape)
        return compiled([x, *params], value, mode)

    function = cached(energy, reference, row, ("energy", mode, _types(row)), make)
    rows_at_once = max(BLOCK // max(int(np.prod(reference.event_shape)), 1), 1)

    def of_points(points):
        points = np.asarray(points, dtype=reference.points.dtype)
        values = np.empty(len(points))
        for start in range(0, len(points), rows_at_once):
            block = slice(start, start + rows_at_once)
            values[block] = function(points[block], *row)
        return values

    return of_points


def weights_function(
    energy: Energy, reference: Reference, row: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Log weights a_m − E(y_m | θ), ``(M,)``, and points y_m, ``(M, *event)``, at one row."""

    def make():
        params = _placeholders(energy, row)
        node = log_partition(energy, *params, reference=reference).owner
        outputs = [node.op.log_weights(*node.inputs)]
        if reference.follows_parameters:
            outputs.append(reference.at(params)[0])
        return compiled(params, outputs, VECTORISED)

    function = cached(energy, reference, row, ("weights", _types(row)), make)
    log_weights, *moved = function(*row)
    return log_weights, (moved[0] if moved else reference.points)


def start_points(initvals, chains: int, reference: Reference) -> np.ndarray:
    """First states of the chains as the caller gives them, ``(chains, *event)``."""
    points = np.array(initvals)
    if points.shape != (chains, *reference.event_shape):
        raise ValueError(
            f"initvals have shape {points.shape}, not (chains, *event) = "
            f"{(chains, *reference.event_shape)}. Give one state for each chain."
        )
    return points.astype(reference.points.dtype)


def cached(energy: Energy, reference: Reference, row: Sequence, key: tuple, make: Callable):
    """What `make` gives, kept for as long as the user's function and the reference live."""
    try:
        known = _COMPILED.setdefault(energy.function, weakref.WeakKeyDictionary())
    except TypeError:  # a callable without hash or weak references
        return make()
    # What a function does may change with what it uses.
    of_points = reference.event_shape, reference.points.dtype
    graph = energy.graph(*of_points, row, reference.n_points)
    kept, key = known.setdefault(reference, {}), (graph, energy.signature, *key)
    if key not in kept:
        kept[key] = make()
    return kept[key]


def spell(row: Sequence[np.ndarray]) -> str:
    """Parameter values for a message."""
    return str([value.tolist() for value in row])


def _types(row: Sequence[np.ndarray]) -> tuple:
    """What a compiled function of one row depends on."""
    return tuple((value.dtype.str, value.shape) for value in row)


def _placeholders(energy, row):
    return [t(f"param_{i}") for i, t in enumerate(energy.core_types(row))]
