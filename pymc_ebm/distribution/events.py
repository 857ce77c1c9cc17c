"""Data as events: which of their axes an energy takes for one event."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energy.calling import call_hint, in_short
from pymc_ebm.energy.energy import Energy
from pymc_ebm.space.base import Space
from pymc_ebm.space.guess import space_of
from pymc_ebm.space.sites import Sites

__all__ = ["Events", "event_shape", "events_of", "whole_events"]


@dataclass(frozen=True)
class Events:
    """Data ``(*batch, *event)``, the space that they are of and what tells of it.

    Attributes
    ----------
    data : ndarray
    space : Space
    whole : ndarray of bool
        Which of the N events have no entry that is missing, and thus filled; all where these are
        few.
    """

    data: NDArray
    space: Space
    whole: NDArray

    @property
    def event_ndim(self) -> int:
        """Rank of one event."""
        return len(self.flat.shape) - 1

    @property
    def flat(self) -> NDArray:
        """The whole events ``(n, *event)``."""
        event = self.space.event_shape
        assert event is not None
        return self.data.reshape(-1, *event)[self.whole]


def events_of(
    energy: Energy,
    params: Sequence[TensorVariable],
    data: NDArray,
    support,
    holes: NDArray | None = None,
) -> Events:
    """Take the events of data, whose rank the energy tells, and their space.

    Parameters
    ----------
    energy : Energy
    params : sequence of TensorVariable
    data : ndarray
    support
        As users write it.
    holes : ndarray of bool, optional
        Where entries are missing, and filled.

    Raises
    ------
    ValueError
        An energy that sums over the batch; data that no space takes.
    """
    event_ndim = _event_ndim(energy, params, data)
    whole = event_ndim == data.ndim > 0
    if event_ndim < 0 or (whole and _event_ndim(energy, params, data[None]) != event_ndim):
        hint = ""
        if 0 < data.ndim <= 2 and not whole:
            hint = " If the data are one event, add its axis: observed=x[None]."
        raise ValueError(
            f"the energy of data of shape {data.shape} has {data.ndim - event_ndim} dimensions. "
            f"An energy maps (*batch, *event) to (*batch,) and keeps the batch axis.{hint}"
        )
    if whole and data.dtype.kind == "f" and Sites.looks_like(data[None]) is None:
        raise ValueError(
            f"the energy of data of shape {data.shape} has 0 dimensions, so that they are one "
            "event without a batch axis. Add the axis, observed=x[None], or, where they are many "
            "events, sum over event axes alone."
        )
    flat = data.reshape(-1, *data.shape[data.ndim - event_ndim :])
    space = space_of(flat, support, stacklevel=5)
    values = data.astype(np.int64 if space.discrete else np.float64)
    return Events(values, space, whole_events(holes, flat))


def whole_events(holes: NDArray | None, flat: NDArray, fewest: int = 10) -> NDArray:
    """Which events ``(N, *event)`` have no hole, ``(N,)``; all where these tell too little."""
    if holes is None:
        return np.ones(len(flat), dtype=bool)
    whole = ~holes.reshape(len(flat), -1).any(axis=1)
    return whole if whole.sum() >= max(2 * flat[0].size, fewest) else np.ones_like(whole)


def event_shape(energy: Energy, params: Sequence[TensorVariable], data: NDArray) -> tuple[int, ...]:
    """Shape of an event of data, as the energy tells."""
    return data.shape[data.ndim - _event_ndim(energy, params, data) :]


def _event_ndim(energy: Energy, params, data) -> int:
    """x.ndim − energy(x).ndim: what the energy eats."""
    placeholders = [t(f"param_{i}") for i, t in enumerate(energy.core_types(params))]
    try:
        return data.ndim - energy(pt.constant(data), *placeholders).ndim
    except (IndexError, ValueError, TypeError) as error:
        hint = call_hint(energy.function, len(params), error) or (
            "If a parameter is a vector or a matrix that the observations share, write its "
            "signature, for example '(k),()' or '(k,k),()'."
        )
        raise ValueError(
            f"the energy cannot be called with data of shape {data.shape} and parameters of "
            f"{[p.ndim for p in placeholders]} dimensions: {in_short(error)}. {hint}"
        ) from error
