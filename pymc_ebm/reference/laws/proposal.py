"""Fresh draws of the distribution behind a reference, and its density anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.distributions.shape_utils import change_dist_size
from pymc.pytensorf import find_rng_nodes
from pytensor.graph.basic import Variable
from pytensor.graph.replace import graph_replace

from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.space.base import BaseLaw


class Proposal(NamedTuple):
    """The distribution behind a weighted set of points, where its density is known anywhere.

    Attributes
    ----------
    draw : callable or None
        ``draw(rng, draws, *params)`` gives fresh independent draws, ``(draws, *event)``, from a
        ``numpy.random.Generator``. A fixed proposal ignores the parameters. None where somebody
        else made the draws.
    log_density : callable
        ``log_density(points, *params)`` gives log q in nats, ``(draws,)``, of points
        ``(draws, *event)``; −inf outside q's support.

    Examples
    --------
    >>> import pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(0, 3), random_seed=1).proposal
    >>> y = q.draw(np.random.default_rng(2), 1000)
    >>> q.log_density(y).shape
    (1000,)
    """

    draw: Callable[..., np.ndarray] | None
    log_density: Callable[..., np.ndarray]


def of_distribution(dist, event_shape: tuple[int, ...]) -> Proposal:
    """The proposal of a PyMC distribution, or of a function of θ that returns one.

    Parameters
    ----------
    dist : TensorVariable or callable
        A ``.dist()``, or ``f(*params)`` that returns one.
    event_shape : tuple of int

    Returns
    -------
    Proposal

    Examples
    --------
    >>> import pymc as pm
    >>> q = of_distribution(lambda s: pm.Normal.dist(0, s), ())
    >>> q.log_density(np.zeros(1), 2.0).round(4).item()
    -1.6121
    """
    law = _Distribution(dist, event_shape)
    return Proposal(law.draw, law.log_density)


def of_base_law(law: BaseLaw, event_shape: tuple[int, ...]) -> Proposal:
    """Fresh independent draws of a law, shaped like events."""
    made = _Draws(law, event_shape)
    return Proposal(made.draw, made.log_density)


class _Draws:
    """Independent uniforms through a law."""

    def __init__(self, law, event_shape):
        self.law = law
        self.event_shape = event_shape

    def draw(self, rng, draws, *params):
        x, usable = self.law.points(self._uniforms(rng, draws))
        while not usable.all():  # too far out for the number format: less than one in a million
            again = np.flatnonzero(~usable)
            x[again], usable[again] = self.law.points(self._uniforms(rng, len(again)))
        return x.reshape(draws, *self.event_shape)

    def _uniforms(self, rng, draws):
        return np.clip(rng.random((draws, self.law.n_uniforms)), 2.0**-53, 1 - 2.0**-53)

    def log_density(self, points, *params):
        points = np.asarray(points)
        return self.law.log_density(points.reshape(len(points), -1))


class _Distribution:
    """A PyMC distribution, compiled when first needed and once per rank of the parameters."""

    def __init__(self, dist, event_shape):
        self.dist = dist
        self.event_shape = event_shape
        self.compiled: dict[tuple, Callable] = {}

    def __getstate__(self):
        return {**self.__dict__, "compiled": {}}

    def draw(self, rng, draws, *params):
        values = self._values(params)
        function, n_generators, at_once = self._function("draw", values)
        # The state of one generator is handed on to all that the distribution uses.
        states = [np.random.default_rng(rng.integers(2**63, size=4)) for _ in range(n_generators)]
        if at_once:
            points = function(*states, draws, *values)
        else:
            points = np.array([function(*states, 1, *values) for _ in range(draws)])
        return points.reshape(draws, *self.event_shape)

    def log_density(self, points, *params):
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
            [*states, draws, *inputs], many, mode=VECTORISED, on_unused_input="ignore"
        )
        return function, len(generators), at_once

    def _compile_log_density(self, dist, inputs):
        points = pt.tensor("points", dtype=dist.dtype, shape=(None, *self.event_shape))
        log_q = pm.logp(dist, points)
        log_q = log_q.sum(axis=tuple(range(1, log_q.ndim)))
        function = pytensor.function(
            [points, *inputs], log_q, mode=VECTORISED, on_unused_input="ignore"
        )
        return function, dist.dtype
