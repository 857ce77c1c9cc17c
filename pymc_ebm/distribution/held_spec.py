"""The spec of an EBM as compiled functions hold it: by a key of this process.

Numba reads what it calls in Python from its pickle at each call, and with a spec go all points of
its reference: 30 ms for 50 MB.
"""

from __future__ import annotations

from dataclasses import fields
from itertools import count
from weakref import WeakValueDictionary

from pytensor.compile.mode import optdb
from pytensor.graph.rewriting.basic import dfs_rewriter, node_rewriter

from pymc_ebm.distribution.energy_rv import EnergyRV, Spec

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


@node_rewriter([EnergyRV])
def hold_spec(fgraph, node):
    """Draw by a spec that numba can read at once."""
    if isinstance(node.op.spec, HeldSpec):
        return None
    held = EnergyRV(**{**node.op._props_dict(), "spec": HeldSpec.of(node.op.spec)})
    return held.make_node(*node.inputs).outputs


# Before PyTensor wraps random variables for numba, at 100.
optdb.register("hold_spec", dfs_rewriter(hold_spec), "numba", position=99)
