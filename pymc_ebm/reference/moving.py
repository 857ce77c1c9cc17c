"""Maps by which points follow θ, on a smaller space."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import numpy as np
import pytensor.tensor as pt

from pymc_ebm.reference.fingerprint import transport_identity
from pymc_ebm.space.box import Support

__all__ = ["restricted_transport"]


def restricted_transport(transport: Callable, support: Support, event_ndim: int) -> Callable:
    """The same map, which gives the points that leave a support no weight."""

    def restricted(base, *params):
        points, log_weights = transport(base, *params)
        inside = pt.and_(points >= support.lower, points <= support.upper)
        if event_ndim:
            inside = inside.all(axis=tuple(range(1, 1 + event_ndim)))
        return points, pt.switch(inside, log_weights, -np.inf)

    n_params = len(inspect.signature(transport).parameters) - 1
    restricted.n_params = getattr(transport, "n_params", n_params)  # type: ignore[attr-defined]
    # The support is told by the reference itself.
    restricted.identity = f"restricted {transport_identity(transport)}"  # type: ignore[attr-defined]
    return restricted
