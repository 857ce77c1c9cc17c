"""Values of an energy's parameters that the data allow, where a reference is already known."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import NDArray

from pymc_ebm.distribution.events import whole_events
from pymc_ebm.distribution.of_free_values import Unforeseeable
from pymc_ebm.distribution.panels_for import spread_of
from pymc_ebm.distribution.pilot import PilotLikelihood
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.initial_values import initial_values
from pymc_ebm.reference.base import Reference

__all__ = ["likely_values"]


def likely_values(
    energy: Energy,
    params: Sequence,
    data: NDArray,
    holes: NDArray,
    reference: Reference,
    along: Sequence[float] = (-5.0, -2.5, 2.5, 5.0),
) -> list[list[NDArray]]:
    """Values of the parameters: the likeliest, others some sds away, and where the model starts.

    Where no likelihood can be told, the start alone.

    Parameters
    ----------
    energy : Energy
    params : sequence of TensorVariable
    data, holes : ndarray
        ``(N, *event)``, with some value in each hole.
    reference : Reference
        Of whole events.
    along : sequence of float
        In sds of a pilot posterior along its axes, where there are few.

    Raises
    ------
    ValueError
        Parameters without initial values.
    """
    start = initial_values(params)
    if start is None:
        raise ValueError("the parameters have no initial values. Give them, initval=.")
    if reference.follows_parameters:
        return [start]
    try:
        pilot = PilotLikelihood(
            energy, params, data, data.ndim - 1, whole=whole_events(holes, data)
        )
        mode = pilot.maximum(reference)
        axes = spread_of(pilot, mode, reference).T
    except Unforeseeable:
        return [start]
    around = [mode + step * axis for axis in axes[:8] for step in along]
    return [*pilot.values_at([mode, *around]), start]
