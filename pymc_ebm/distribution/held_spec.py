"""Draws of an EBM in functions that numba compiles: in Python, by a spec with a key.

Numba reads what it calls in Python from its pickle at each call, and with a spec go all points of
its reference: 30 ms for 50 MB. Compiled functions hold a key of this process in its place.
"""

from __future__ import annotations

from dataclasses import fields
from itertools import count
from weakref import WeakValueDictionary

from pytensor.compile.mode import optdb
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter

from pymc_ebm.distribution.energy_rv import EnergyRV, Spec
from pymc_ebm.energy.in_python import run_in_python

_HELD: WeakValueDictionary[int, HeldSpec] = WeakValueDictionary()
# Numba keeps what it has read by its text, so that no key comes twice.
_KEYS = count()


class HeldSpec(Spec):
    """A spec that pickles as its key, which means nothing in another process."""

    key: int

    @classmethod
    def of(cls, spec: Spec) -> HeldSpec:
        """The same spec, held as long as somebody refers to it."""
        held = cls(**{field.name: getattr(spec, field.name) for field in fields(spec)})
        key = next(_KEYS)
        object.__setattr__(held, "key", key)  # of a frozen class
        _HELD[key] = held
        return held

    def __reduce__(self):
        return _held, (self.key,)


def _held(key: int) -> HeldSpec:
    return _HELD[key]


class PythonDraws(Op):
    """The draws of an `EnergyRV` as an Op that no compiler takes for a law that it knows."""

    __props__ = ("rv",)

    def __init__(self, rv: EnergyRV):
        self.rv = rv

    def make_node(self, *inputs):
        """The inputs and outputs of the random variable: first of all its generator."""
        outputs = self.rv.make_node(*inputs).outputs
        return Apply(self, list(inputs), [v.type() for v in outputs])

    def perform(self, node, inputs, outputs):
        """Draw, from a copy of the generator."""
        self.rv.perform(node, inputs, outputs)


@node_rewriter([EnergyRV])
def draw_in_python(fgraph, node):
    """Draw by a spec that numba can read at once."""
    run_in_python(PythonDraws)  # imports numba, which most processes never need
    changed = {"spec": HeldSpec.of(node.op.spec), "inplace": False}
    held = EnergyRV(**{**node.op._props_dict(), **changed})
    return PythonDraws(held).make_node(*node.inputs).outputs


# Before PyTensor wraps random variables for numba, at 100.
optdb.register("draw_in_python", dfs_rewriter(draw_in_python), "numba", position=99)
