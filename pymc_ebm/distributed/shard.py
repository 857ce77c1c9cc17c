"""What is on a worker: the points of a shard, and the sums over them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cloudpickle
import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.basic import Apply

from pymc_ebm.partition.estimator import estimator
from pymc_ebm.partition.weights_graph import weights_graph
from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.normalised import normalise

__all__ = ["Shard", "Sums", "add_up", "part", "value_and_gradient"]

# log Ẑ of rows of parameters, ``(*batch,)``, and its gradients.
Sums = list[NDArray]

# PyTensor compiles in one thread of a process at a time, and its functions run in one.
_ONE_AT_A_TIME = threading.RLock()
_COMPILED: dict[tuple[Any, ...], Callable] = {}


class Shard:
    """Points of one shard with an energy's statistics at them.

    A copy for another process, or for the disk, takes the recipe along and not the points: they
    are made again where it arrives.

    Parameters
    ----------
    recipe : bytes
        Pickle of (make, draws, number of shards, energy, types of the parameters).
    key : str
        Equal for shards of one reference and energy.
    seed : int

    Attributes
    ----------
    reference : Reference
        With a_m less the log of the number of shards.
    node : Apply
        A `LogPartition` node for this reference.
    """

    def __init__(self, recipe: bytes, key: str, seed: int):
        self._made_from = (recipe, key, seed)
        self._lasting: dict[Any, Any] = {}
        with _ONE_AT_A_TIME:
            make, draws, n_shards, split, types = cloudpickle.loads(recipe)
            self.reference = part(make, draws, seed, n_shards)
            params = [t() for t in types]
            graph = weights_graph(self.reference, split, params, [])
            op = estimator(self.reference, graph)
            self.node: Apply = op(*graph.inputs, return_list=True)[0].owner
            self._arrays = [a.data for a in graph.given.arrays]
            self._function = self._compiled(key, params)

    def _compiled(self, key, params) -> Callable:
        """Function of parameters and arrays, one for all shards of this process."""
        n_points = self.reference.n_points
        slots = [
            pt.tensor(
                dtype=a.dtype, shape=(None if a.shape[:1] == (n_points,) else 1, *a.shape[1:])
            )
            for a in self._arrays
        ]
        kind = (key, *[slot.type for slot in slots])
        if kind not in _COMPILED:
            outputs = self.node.op(*params, *slots, return_list=True)
            _COMPILED[kind] = pytensor.function(
                [*params, *slots], outputs, on_unused_input="ignore"
            )
        return _COMPILED[kind]

    def sums(self, values: list[NDArray]) -> Sums:
        """Log Ẑ of the points of this shard and its gradients."""
        with _ONE_AT_A_TIME:
            return [np.asarray(v) for v in self._function(*values, *self._arrays)]

    def once(self, name: Any, make: Callable[[], Any]) -> Any:
        """What `make` gives, made at the first call with `name` and kept."""
        with _ONE_AT_A_TIME:
            if name not in self._lasting:
                self._lasting[name] = make()
            return self._lasting[name]

    def __reduce__(self):
        return Shard, self._made_from

    def __sizeof__(self) -> int:
        arrays = {id(a): a for a in (self.reference.points, *self._arrays)}
        return object.__sizeof__(self) + sum(sys.getsizeof(a) for a in arrays.values())


def part(make: Callable[..., Reference], draws: int, seed: int, n_shards: int) -> Reference:
    """The reference of one shard as a part of the whole: its a_m are less log K."""
    made = make(draws=draws, random_seed=seed)
    return replace(made, log_weights=made.log_weights - np.log(n_shards))


def value_and_gradient(shard: Shard, values: list[NDArray]) -> Sums:
    """`Shard.sums`, as a function that a worker can be sent."""
    return shard.sums(values)


def add_up(parts: list[Sums]) -> Sums:
    r"""Log Ẑ of several shards together, and its gradients.

    .. math:: \log \hat Z = \log \sum_k e^{\log \hat Z_k}, \qquad
              \nabla \log \hat Z = \sum_k \frac{\hat Z_k}{\hat Z} \nabla \log \hat Z_k
    """
    values, *gradients = [np.stack(found, axis=-1) for found in zip(*parts, strict=True)]
    log_z, shares = normalise(values)
    like = lambda g: shares.reshape(*values.shape[:-1], *[1] * (g.ndim - values.ndim), len(parts))
    return [np.asarray(log_z), *[np.asarray((like(g) * g).sum(axis=-1)) for g in gradients]]
