"""Whole numbers over a range that covers the data and the model."""

import math

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.distribution.error_forecast import ErrorForecast
from pymc_ebm.distribution.of_free_values import Unforeseeable
from pymc_ebm.reference._enumeration import enumeration
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.whole_numbers import WholeNumbers

__all__ = ["whole_range"]


def whole_range(
    space: WholeNumbers, data: NDArray, forecast: ErrorForecast, most_states: int
) -> Reference | str | None:
    """Enumerate a range whose ends have no weight at any parameters that the data allow.

    Parameters
    ----------
    space : WholeNumbers
    data : ndarray, shape ``(N, *event)``
    forecast : ErrorForecast
    most_states : int

    Returns
    -------
    Reference, str or None
        Why there is none, where that is known.
    """
    rows = data.reshape(len(data), -1)
    lower, upper = space.bounds_of(rows.shape[1])
    first, last = rows.min(axis=0), rows.max(axis=0)
    # At first beyond the data by their own spread, or so much.
    reach = np.maximum(last - first, 8)
    while True:
        low, high = np.maximum(first - reach, lower), np.minimum(last + reach, upper)
        if math.prod((high - low + 1).tolist()) > most_states:
            return "a range that covers the data has too many states"
        ranges = [np.arange(int(a), int(b) + 1) for a, b in zip(low, high, strict=True)]
        states = enumeration(ranges).points
        # One state may be impossible where others beyond are not, so that ends are some wide.
        width = np.maximum(reach // 4, 1)
        ends = ((states < low + width) & (low > lower)) | ((states > high - width) & (high < upper))
        edge = ends.any(axis=1)
        reference = Reference(
            points=states.reshape(-1, *data.shape[1:]),
            log_weights=np.zeros(len(states)),
            groups=np.arange(len(states)),
            support=space,
            exact=True,
            complete=not edge.any(),
            edge=edge if edge.any() else None,
            description="enumeration of a range that covers the data",
        )
        try:
            # Of the model, at any parameters that the data allow.
            if forecast.largest_share(reference, edge) < 1e-10:
                return reference
        except Unforeseeable:
            return None
        reach = 2 * reach
