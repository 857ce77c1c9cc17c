"""Maps by which points follow θ, on a smaller space."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytensor.tensor as pt

from pymc_ebm.energy.fingerprint import function_identity
from pymc_ebm.space.base import Space

__all__ = ["restricted_transport"]


def restricted_transport(transport: Callable, space: Space) -> Callable:
    """The same map, which gives the points that leave a space no weight."""

    def restricted(base, *params):
        points, log_weights = transport(base, *params)
        return points, pt.switch(space.inside(points), log_weights, -np.inf)

    n_params = len(inspect.signature(transport).parameters) - 1
    restricted.n_params = getattr(transport, "n_params", n_params)  # type: ignore[attr-defined]
    # The space is told by the reference itself.
    restricted.identity = f"restricted {function_identity(transport)}"  # type: ignore[attr-defined]
    return restricted
