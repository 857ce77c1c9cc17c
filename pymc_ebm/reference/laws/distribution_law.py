"""A PyMC distribution as a law: its draws and its log density, compiled."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.distributions.shape_utils import change_dist_size
from pymc.pytensorf import find_rng_nodes
from pytensor.graph.basic import Variable
from pytensor.graph.replace import graph_replace

from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.split import VECTORISED

__all__ = ["DistributionLaw"]


class DistributionLaw:
    """A PyMC distribution, or a function of θ that returns one.

    It is compiled when first needed, and once for each rank of the parameters.

    Parameters
    ----------
    dist : TensorVariable or callable
        A ``.dist()``, or ``f(*params)`` that returns one.
    event_shape : tuple of int

    Examples
    --------
    >>> import pymc as pm
    >>> q = DistributionLaw(lambda s: pm.Normal.dist(0, s), ())
    >>> q.log_density(np.zeros(1), 2.0).round(4).item()
    -1.6121
    """

    def __init__(self, dist, event_shape: tuple[int, ...]):
        self.dist = dist
        self.event_shape = event_shape
        self.compiled: dict[tuple, Callable] = {}

    def __getstate__(self):
        return {**self.__dict__, "compiled": {}}

    def draw(self, rng: np.random.Generator, draws: int, *params) -> NDArray:
        """See `Law`."""
        values = self._values(params)
        function, n_generators, at_once = self._function("draw", values)
        # The state of one generator is handed on to all that the distribution uses.
        states = [np.random.default_rng(rng.integers(2**63, size=4)) for _ in range(n_generators)]
        if at_once:
            points = function(*states, draws, *values)
        else:
            points = np.array([function(*states, 1, *values) for _ in range(draws)])
        return points.reshape(draws, *self.event_shape)

    def log_density(self, points, *params) -> NDArray:
        """See `Law`."""
        values = self._values(params)
        function, dtype = self._function("log_density", values)
        points = np.asarray(points)
        typed = points.astype(dtype, copy=False)
        log_q = np.asarray(function(typed, *values), dtype=float)
        if typed.dtype.kind in "biu" and points.dtype.kind == "f":
            whole = (typed == points).all(axis=tuple(range(1, points.ndim)))
            log_q = np.where(whole, log_q, -np.inf)
        return log_q

    def _values(self, params):
        if isinstance(self.dist, Variable):  # a fixed proposal
            return ()
        return tuple(np.asarray(p, dtype=float) for p in params)

    def _function(self, what, values):
        key = (what, *(v.ndim for v in values))
        if key not in self.compiled:
            inputs = [pt.TensorType("float64", (None,) * v.ndim)() for v in values]
            dist = self.dist if isinstance(self.dist, Variable) else self.dist(*inputs)
            compile_it = self._compile_draw if what == "draw" else self._compile_log_density
            self.compiled[key] = compile_it(dist, inputs)
        return self.compiled[key]

    def _compile_draw(self, dist, inputs):
        draws = pt.lscalar("draws")
        try:
            many, at_once = change_dist_size(dist, (draws,), expand=True), True
        except NotImplementedError:  # a function of random variables has no size of its own
            many, at_once = dist, False
        shared = find_rng_nodes([many])
        generators = [r.type() for r in shared]
        many = graph_replace(many, dict(zip(shared, generators, strict=True)))
        states = [pytensor.In(g, mutable=True) for g in generators]
        function = pytensor.function(
            [*states, draws, *inputs],
            many,
            # In place, so that a generator goes on from call to call.
            mode=VECTORISED.including("random_make_inplace"),
            on_unused_input="ignore",
        )
        return function, len(generators), at_once

    def _compile_log_density(self, dist, inputs):
        points = pt.tensor("points", dtype=dist.dtype, shape=(None, *self.event_shape))
        log_q = pm.logp(dist, points)
        log_q = log_q.sum(axis=tuple(range(1, log_q.ndim)))
        function = compiled([points, *inputs], log_q, VECTORISED)
        return function, dist.dtype
