"""Graphs as a function of the unconstrained values of a model."""

from collections.abc import Sequence

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.initial_point import make_initial_point_expression
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.op import RandomVariable

from pymc_ebm.energy.of_many import of_many
from pymc_ebm.energy.split import RUN_ONCE, evaluate

__all__ = ["OfFreeValues", "Unforeseeable"]


class Unforeseeable(Exception):
    """Raised where nothing can be said before sampling."""


class OfFreeValues:
    """Graphs as a function of the model's unconstrained values u that they use.

    Parameters
    ----------
    variables : sequence of Variable
    mode : Mode

    Attributes
    ----------
    start : ndarray
        Where the model starts, ``(K,)``.

    Raises
    ------
    Unforeseeable
        Graphs of other than continuous variables of the model on the context stack, or of more than
        200 numbers of them.
    """

    def __init__(self, variables: Sequence[Variable], mode: Mode = RUN_ONCE):
        model = pm.modelcontext(None)
        graphs = model.replace_rvs_by_values(variables)
        above = set(ancestors(graphs))
        values = [v for v in model.value_vars if v in above]
        known = all(v.dtype.startswith("float") for v in values)
        random = any(v.owner and isinstance(v.owner.op, RandomVariable) for v in above)
        if not values or not known or random:
            raise Unforeseeable
        self._values, self._start = values, _start(model, values)
        self.start = np.concatenate([a.ravel() for a in self._start]).astype(float)
        if self.start.size > 200:
            raise Unforeseeable
        self._function, _ = of_many(values, graphs, mode)

    def __call__(self, u: NDArray) -> list[NDArray]:
        """Values at u ``(K,)``."""
        return self.of_many([u])[0]

    def of_many(self, us: Sequence[NDArray]) -> list[list[NDArray]]:
        """Values at each of several u."""
        columns = self._columns(us)
        found = [np.broadcast_to(v, (len(us), *v.shape[1:])) for v in self._function([], columns)]
        return [[v[i] for v in found] for i in range(len(us))]

    def log_prior(self, us: Sequence[NDArray]) -> NDArray:
        """Log density of the model's variables at each u, all others where the model starts."""
        model = pm.modelcontext(None)
        others = [v for v in model.value_vars if v not in self._values]
        fixed = dict(zip(others, _start(model, others), strict=True)) if others else {}
        graph, columns = model.logp(vars=model.free_RVs), self._columns(us)
        return np.array([
            evaluate([graph], {
                v: pt.constant(a, dtype=v.dtype)
                for v, a in [*fixed.items(), *zip(self._values, values, strict=True)]
            })[0]
            for values in zip(*columns, strict=True)
        ])  # fmt: skip

    def _columns(self, us: Sequence[NDArray]) -> list[NDArray]:
        """Each value at all u."""
        ends = np.cumsum([a.size for a in self._start])[:-1]
        parts = zip(np.split(np.asarray(us), ends, axis=1), self._start, strict=True)
        return [part.reshape(-1, *a.shape).astype(a.dtype) for part, a in parts]


def _start(model: pm.Model, values: Sequence[Variable]) -> list[NDArray]:
    """Where a model starts, of some of its values."""
    graphs = make_initial_point_expression(
        free_rvs=model.free_RVs,
        rvs_to_transforms=model.rvs_to_transforms,
        initval_strategies=model.rvs_to_initial_values,
        return_transformed=True,
    )
    by_value = {model.rvs_to_values[rv]: g for rv, g in zip(model.free_RVs, graphs, strict=True)}
    wanted = [by_value[v] for v in values]
    if any(node.owner and isinstance(node.owner.op, RandomVariable) for node in ancestors(wanted)):
        start = model.initial_point(random_seed=0)  # a draw, which is to be the same every time
        return [np.asarray(start[v.name]) for v in values]
    return evaluate(wanted)
