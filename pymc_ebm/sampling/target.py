"""The density that a sampler is asked for: one row of parameters, and compiled energies."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

from pymc_ebm.energy.parameters import core_ndims
from pymc_ebm.energy.split import VECTORISED, Energy, call_energy
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.reference.base import Reference

__all__ = [
    "BLOCK",
    "cached",
    "energy_function",
    "parameter_row",
    "parameter_types",
    "spell",
    "start_points",
    "weights_function",
]

# Numbers held at once by one evaluation of an energy: 8 MiB an array.
BLOCK = 2**20

_COMPILED: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()


def parameter_row(params: Sequence, signature: str | None) -> list[np.ndarray]:
    """One row of parameter values, each of its core shape.

    Parameters
    ----------
    params : sequence of array_like
    signature : str or None
        As in `log_partition`; scalars by default.

    Returns
    -------
    list of ndarray

    Raises
    ------
    ValueError
        A parameter with more or fewer dimensions than its core, or a value of NaN.

    Examples
    --------
    >>> parameter_row([1.5, [0, 1]], "(),(k)")
    [array(1.5), array([0., 1.])]
    """
    row = []
    for i, (value, ndim) in enumerate(zip(params, core_ndims(signature, len(params)), strict=True)):
        # Arrays keep their type, since an energy may use an integer as an index.
        number = np.asarray(value) if hasattr(value, "dtype") else np.asarray(value, dtype=float)
        number = number if number.dtype.kind in "iub" else number.astype(pytensor.config.floatX)
        if number.ndim != ndim:
            raise ValueError(
                f"Parameter {i} has shape {number.shape}, and a row of parameters has {ndim} "
                "dimensions there. Call the sampler once for each row; for a vector parameter "
                "write its signature, for example '(k)'."
            )
        if np.isnan(number).any():
            raise ValueError(f"Parameter {i} is NaN. Give finite parameter values.")
        row.append(number)
    return row


def parameter_types(row: Sequence[np.ndarray]) -> tuple[tuple[str, int], ...]:
    """Dtype and number of dimensions of each parameter."""
    return tuple((v.dtype.name, v.ndim) for v in row)


def energy_function(
    energy: Energy, reference: Reference, row: Sequence[np.ndarray], mode: Mode | None = VECTORISED
) -> Callable[[np.ndarray], np.ndarray]:
    """E(x | θ) of points ``(B, *event)`` at one row, compiled once for all rows.

    Parameters
    ----------
    energy : callable
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
        params = _placeholders(row)
        value = call_energy(energy, x, params)
        return pytensor.function([x, *params], value, mode=mode, on_unused_input="ignore")

    function = cached(energy, reference, ("energy", mode, *parameter_types(row)), make)
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
    energy: Energy, reference: Reference, row: Sequence[np.ndarray], signature: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Log weights a_m − E(y_m | θ), ``(M,)``, and points y_m, ``(M, *event)``, at one row."""

    def make():
        params = _placeholders(row)
        node = log_partition(energy, *params, reference=reference, signature=signature).owner
        outputs = [node.op.log_weights(*node.inputs)]
        if reference.moves:
            outputs.append(reference.at(params)[0])
        return pytensor.function(params, outputs, mode=VECTORISED, on_unused_input="ignore")

    function = cached(energy, reference, ("weights", signature, *parameter_types(row)), make)
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


def cached(energy: Energy, reference: Reference, key: tuple, make: Callable):
    """What `make` gives, kept for as long as both the energy and the reference live."""
    try:
        known = _COMPILED.setdefault(energy, weakref.WeakKeyDictionary())
    except TypeError:  # a callable without hash or weak references
        return make()
    kept = known.setdefault(reference, {})
    if key not in kept:
        kept[key] = make()
    return kept[key]


def spell(row: Sequence[np.ndarray]) -> str:
    """Parameter values for a message."""
    return str([value.tolist() for value in row])


def _placeholders(row):
    return [pt.TensorType(v.dtype.name, (None,) * v.ndim)(f"param_{i}") for i, v in enumerate(row)]
