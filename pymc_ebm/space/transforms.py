"""Transforms of whole events: each coordinate its own, the volume that of all of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform

__all__ = ["ToBox", "ToPeriod"]


class OfEvents(Transform):
    """A transform of each coordinate, ``(*batch, *event)``, whose volume is one of an event.

    PyMC's own are of numbers, and it refuses them for events of several.
    """

    def __init__(self, rank: int):
        self.ndim_supp = rank

    def over_event(self, log_slopes):
        """Sum over the event's axes, ``(*batch,)``."""
        axes = tuple(range(-self.ndim_supp, 0))
        return log_slopes.sum(axis=axes) if axes else log_slopes


class ToBox(OfEvents):
    """The whole line as an interval or a half-line, or itself where a coordinate has no bound.

    Parameters
    ----------
    bounds : callable
        Gives the lower and the upper bound, of the inputs of the random variable.
    below, above : array_like of bool
        Which coordinates have them; bounds of the others are not read, and may be infinite.
    rank : int
        Of an event.
    """

    name = "interval"

    def __init__(self, bounds: Callable, below, above, rank: int = 0):
        super().__init__(rank)
        self._bounds = bounds
        self.below, self.above = np.asarray(below), np.asarray(above)

    def _ends(self, inputs):
        low, high = self._bounds(*inputs)
        # Infinite ones would have slopes of NaN where they are not chosen.
        return _choose(self.below, low, 0.0), _choose(self.above, high, 0.0)

    def _of(self, both, lower, upper, free):
        """What goes for each coordinate by the bounds that it has."""
        one = _choose(self.below, lower, _choose(self.above, upper, free))
        return _choose(self.below & self.above, both, one)

    def backward(self, value, *inputs):
        """See PyMC's `Transform`."""
        low, high = self._ends(inputs)
        share = pt.sigmoid(value)
        distance = pt.exp(_choose(self.below ^ self.above, value, 0.0))
        return self._of(share * high + (1 - share) * low, low + distance, high - distance, value)

    def forward(self, value, *inputs):
        """See PyMC's `Transform`."""
        value = pt.as_tensor(value)
        low, high = self._ends(inputs)
        up = pt.log(_choose(self.below, value - low, 1.0))
        down = pt.log(_choose(self.above, high - value, 1.0))
        return self._of(up - down, up, down, value)

    def log_jac_det(self, value, *inputs):
        """See PyMC's `Transform`."""
        low, high = self._ends(inputs)
        width = pt.log(_choose(self.below & self.above, high - low, 1.0))
        both = width - 2 * pt.softplus(-value) - value
        return self.over_event(self._of(both, value, value, pt.zeros_like(value)))


class ToPeriod(OfEvents):
    """Numbers of the whole line as angles of one period."""

    name = "wrapped"

    def __init__(self, lower, upper, rank: int = 0):
        super().__init__(rank)
        self.lower, self.upper = lower, upper

    def backward(self, value, *inputs):
        """See PyMC's `Transform`."""
        return self.lower + pt.mod(value - self.lower, self.upper - self.lower)

    def forward(self, value, *inputs):
        """See PyMC's `Transform`."""
        return pt.as_tensor(value)

    def log_jac_det(self, value, *inputs):
        """See PyMC's `Transform`."""
        return self.over_event(pt.zeros_like(value))


def _choose(mask, yes, no):
    """`yes` where the mask says so; a graph of both only where it says both."""
    if mask.all():
        return yes
    return pt.where(mask, yes, no) if mask.any() else no
