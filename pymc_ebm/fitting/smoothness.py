"""Whether an energy is smooth in x among the data: its derivatives add up to its changes."""

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.distribution.observed_ebm import ObservedEBM
from pymc_ebm.energy.compiled import compiled
from pymc_ebm.fitting.loss import mode_of

__all__ = ["Smoothness"]

_PARTS, _LEVELS = 16, 8  # of a segment, of its worst part, and so on: 2e-10 of it in the end
_JUMP = 1e-5  # of the largest value on the segment; rounding is far less
_ROUNDING = 1e-9  # nats


class Smoothness:
    """Changes of E and of its slope between data against integrals of their graphs' derivatives.

    At a kink the second derivative is a delta, of which its graph knows nothing; no number of
    evaluations at the data shows that. So each datum is joined with another, and the part of the
    segment where change and integral differ most is divided again and again: what is smooth comes
    to agree, a jump remains.

    Parameters
    ----------
    ebm : ObservedEBM
        Of continuous events.
    u : TensorVariable
        Flat parameters ``(K,)`` that its graphs are of.
    """

    def __init__(self, ebm: ObservedEBM, u):
        self.ebm = ebm
        x = pt.tensor("x", dtype="float64", shape=ebm.value.type.shape)
        v = x.type("v")
        axes = tuple(range(x.ndim - ebm.event_ndim, x.ndim))
        energies = pt.broadcast_to(ebm.energies(x), x.shape[: x.ndim - ebm.event_ndim])
        gradient = pt.grad(energies.sum(), x)
        slope = (gradient * v).sum(axis=axes)
        bend = pt.grad(slope.sum(), x, disconnected_inputs="ignore")
        found = [energies, slope, (bend * v).sum(axis=axes)]
        self._along = compiled([u, x, v], [f.ravel() for f in found], mode_of(energies))

    def jump(self, u: NDArray) -> str:
        """What jumps between two data at parameters u: "energy", "slope", or nothing, ""."""
        x = self.ebm.data().astype(float)
        events = x.reshape(-1, *self.ebm.reference.event_shape)
        other = events[np.random.default_rng(0).permutation(len(events))].reshape(x.shape)
        for derivative, name in enumerate(("energy", "slope")):
            if self._jumps(u, x, other - x, derivative):
                return name
        return ""

    def _jumps(self, u, x, v, derivative) -> bool:
        batch = x.shape[: x.ndim - self.ebm.event_ndim]
        column = (..., *[None] * self.ebm.event_ndim)
        first, width, size = np.zeros(int(np.prod(batch))), 1.0, _ROUNDING
        with np.errstate(all="ignore"):
            for _ in range(_LEVELS):
                nodes = first + width * np.arange(_PARTS + 1)[:, None] / _PARTS
                at = [self._along(u, x + t.reshape(batch)[column] * v, v) for t in nodes]
                value, change = np.array(at)[:, derivative : derivative + 2].swapaxes(0, 1)
                width /= _PARTS
                missing = np.diff(value, axis=0) - width * (change[1:] + change[:-1]) / 2
                # What is infinite is no kink: a wall.
                missing = np.where(np.isfinite(missing), np.abs(missing), 0.0)
                size = np.maximum(size, np.abs(np.where(np.isfinite(value), value, 0.0)).max(0))
                worst = missing.argmax(axis=0)
                first = np.take_along_axis(nodes, worst[None], axis=0)[0]
            return bool((missing.max(axis=0) > _JUMP * size).any())
