"""Energies of products of statistics, such as x J xᵀ, as linear ones of more statistics.

E(s, θ) = c_0(θ) + Σ_i b_i(θ) s_i + Σ_{i≤j} a_ij(θ) s_i s_j is linear in the monomials of s. The
graph tells which monomials there are, and E at a few constant s what their coefficients are.
"""

from __future__ import annotations

import math
from itertools import combinations_with_replacement, pairwise, product

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Variable
from pytensor.graph.replace import graph_replace
from pytensor.scalar.basic import Add, Cast, Identity, Mul, Neg, Sub, TrueDiv
from pytensor.tensor.basic import Join, MakeVector
from pytensor.tensor.blockwise import Blockwise
from pytensor.tensor.elemwise import DimShuffle, Elemwise
from pytensor.tensor.math import Dot, Sum
from pytensor.tensor.shape import Reshape, Shape, Shape_i, SpecifyShape
from pytensor.tensor.subtensor import Subtensor

from pymc_ebm.energy.hoisting import depends
from pymc_ebm.energy.split import SplitEnergy

__all__ = ["in_products"]


_Monomials = frozenset[tuple[int, ...]]
_ONE: _Monomials = frozenset([()])


def in_products(split: SplitEnergy) -> SplitEnergy | None:
    """The same energy, linear in products of at most two of its statistics.

    Parameters
    ----------
    split : SplitEnergy

    Returns
    -------
    SplitEnergy or None
        None where E is no such polynomial of its statistics, where it has squares of sums, which
        would lose digits, or where there would be too many products.
    """
    if split.x.type.shape[0] is not None or not split.slots:
        return None
    # What has no negative numbers has no E at −1.
    if any(np.dtype(s.dtype).kind in "bu" for s in split.slots):
        return None
    sizes = [math.prod(n or 0 for n in s.type.shape[1:]) for s in split.slots]
    if not all(sizes) or any(s.type.shape[0] is not None for s in split.slots):
        return None
    # One statistic may be in the graph several times, with axes of length 1 here and there.
    bare = [_bare(s) for s in split.statistics]
    sources = list(dict.fromkeys(bare))
    which = [sources.index(b) for b in bare]
    found = _monomials(split, which)
    if found is None or found <= _ONE:
        return None
    ends = np.cumsum([0, *(sizes[which.index(k)] for k in range(len(sources)))])
    places = [range(*pair) for pair in pairwise(ends.tolist())]
    columns = _columns([m for m in sorted(found, key=lambda m: (len(m), m)) if m], places)
    # Beyond these numbers per point E itself is faster: a matrix of 5 × 5 takes 0.4 of its time by
    # its 15 products, one of 10 × 10 3.4 times as long by its 55.
    if len(columns) > 16:
        return None
    statistics = [_products(pt.concatenate([_flat(s) for s in sources], axis=1), columns)]
    coefficients, level = _coefficients(split, columns, [places[k] for k in which])
    slots = [s.type(f"statistic_{i}") for i, s in enumerate(statistics)]
    value = pt.dot(slots[0], coefficients)
    if () in found:
        ones = pt.ones((split.x.shape[0],))
        statistics.append(ones)
        slots.append(ones.type("statistic_1"))
        value = value + slots[1] * level
    return SplitEnergy(split.x, split.params, split.captured, split.outer, statistics, slots, value)


def _monomials(split: SplitEnergy, which: list[int]) -> _Monomials | None:
    """Products of statistics that E is made of, each as the sorted numbers of its factors."""
    dependent = depends([split.value], split.slots)
    seen: dict[Variable, _Monomials | None] = {
        slot: frozenset([(k,)]) for k, slot in zip(which, split.slots, strict=True)
    }

    def of(variable) -> _Monomials | None:
        if variable not in dependent:
            return _ONE
        if variable not in seen:
            seen[variable] = step(variable.owner)
        return seen[variable]

    def step(node) -> _Monomials | None:
        op = node.op.core_op if isinstance(node.op, Blockwise) else node.op
        if isinstance(op, Shape | Shape_i):
            return _ONE
        known = [of(v) for v in node.inputs]
        if any(p is None for p in known):
            return None
        parts = [p for p in known if p is not None]
        moving = [i for i, p in enumerate(parts) if p != _ONE]
        if not moving:
            return _ONE
        if isinstance(op, Elemwise):
            match op.scalar_op:
                case Add() | Sub() | Neg():
                    return frozenset().union(*parts)
                case Cast() | Identity() if node.outputs[0].dtype == "float64":
                    return parts[0]
                case TrueDiv() if moving == [0]:
                    return parts[0]
                case Mul():
                    return multiplied(node, parts, moving)
        elif isinstance(op, Dot):
            return multiplied(node, parts, moving)
        elif isinstance(op, Join | MakeVector):
            return frozenset().union(*parts)
        elif isinstance(op, Sum | DimShuffle | Reshape | Subtensor | SpecifyShape) and moving == [
            0
        ]:
            return parts[0]
        return None

    def multiplied(node, parts, moving) -> _Monomials | None:
        if len(moving) == 1:
            return parts[moving[0]]
        if len(moving) > 2 or not any(_is_slot(node.inputs[i], split.slots) for i in moving):
            return None
        a, b = (parts[i] for i in moving)
        made = frozenset(tuple(sorted(p + q)) for p in a for q in b)
        return made if max(map(len, made)) <= 2 else None

    return of(split.value)


def _is_slot(variable, slots) -> bool:
    """Whether a factor is a statistic itself, and no sum of them."""
    while variable not in slots and variable.owner is not None:
        if not isinstance(variable.owner.op, DimShuffle) and not _copies(variable.owner):
            return False
        variable = variable.owner.inputs[0]
    return variable in slots


def _bare(statistic):
    """A statistic without axes of length 1 that were put into it, its numbers in their order."""
    while statistic.owner is not None:
        kept = [a for a in getattr(statistic.owner.op, "new_order", ()) if a != "x"]
        if not _copies(statistic.owner) and (kept != sorted(kept) or kept[:1] != [0]):
            break
        statistic = statistic.owner.inputs[0]
    return statistic


def _copies(node) -> bool:
    """Whether the output has the numbers of the input, perhaps as float64."""
    return isinstance(node.op, Elemwise) and (
        isinstance(node.op.scalar_op, Identity)
        or (isinstance(node.op.scalar_op, Cast) and node.outputs[0].dtype == "float64")
    )


def _flat(statistic):
    ndim = statistic.type.ndim
    flat = statistic[:, None] if ndim == 1 else statistic.reshape((statistic.shape[0], -1))
    return flat.astype("float64")


def _columns(parts, places) -> list[tuple[int, ...]]:
    """Every product as the places of its factors among all numbers per point."""
    found: list[tuple[int, ...]] = []
    for part in parts:
        if len(part) == 1:
            found += [(i,) for i in places[part[0]]]
        elif part[0] == part[1]:
            found += combinations_with_replacement(places[part[0]], 2)
        else:
            found += product(*(places[k] for k in part))
    return found


def _products(of_x, columns):
    """The monomials of all numbers per point ``(B, D)``, ``(B, K)``."""
    single = [c[0] for c in columns if len(c) == 1]
    double = np.array([c for c in columns if len(c) == 2], dtype=int).reshape(-1, 2)
    found = [of_x[:, single]] if single else []
    if len(double):
        found.append(of_x[:, double[:, 0]] * of_x[:, double[:, 1]])
    return pt.specify_shape(pt.concatenate(found, axis=1), (None, len(columns)))


def _coefficients(split, columns, places):
    """Coefficients ``(K,)`` of the monomials, and c_0, as combinations of E at constant s."""
    n = 1 + max(max(place) for place in places)
    rows: dict[tuple, int] = {}

    def at(*signed) -> int:
        return rows.setdefault(tuple(sorted(signed)), len(rows))

    weights = []
    for column in columns:
        i, j = column[0], column[-1]
        if len(column) == 1:  # (E(e_i) − E(−e_i)) / 2
            weights.append({at((i, 1)): 0.5, at((i, -1)): -0.5})
        elif i == j:  # (E(e_i) + E(−e_i)) / 2 − E(0)
            weights.append({at((i, 1)): 0.5, at((i, -1)): 0.5, at(): -1.0})
        else:  # E(e_i + e_j) − E(e_i) − E(e_j) + E(0)
            weights.append({at((i, 1), (j, 1)): 1.0, at((i, 1)): -1.0, at((j, 1)): -1.0, at(): 1.0})
    zero = at()
    table = np.zeros((len(rows), n))
    for signed, r in rows.items():
        for i, sign in signed:
            table[r, i] = sign
    combine = np.zeros((len(rows), len(columns)))
    for k, terms in enumerate(weights):
        for r, weight in terms.items():
            combine[r, k] += weight
    given = {}
    for slot, place in zip(split.slots, places, strict=True):
        part = table[:, list(place)].reshape(-1, *slot.type.shape[1:])
        given[slot] = pt.constant(part.astype(slot.dtype))
    values = graph_replace(split.value, given, strict=False).astype("float64")
    return pt.dot(values, pt.constant(combine)), values[zero]
