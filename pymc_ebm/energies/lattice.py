"""Sums over the bonds and sites of a rectangular lattice, whole or masked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

__all__ = ["bond_sum", "site_sum"]

BOUNDARIES = ("periodic", "free")


def bond_sum(score: Callable, x, boundary: str, mask) -> TensorVariable:
    """Σ_{i~j} score(x_i, x_j) over the bonds to the right and down of every site.

    Parameters
    ----------
    score : callable
        Of the two ends of many bonds, elementwise.
    x : TensorVariable
        ``(*batch, rows, columns)``.
    boundary : {"periodic", "free"}
    mask : array_like of bool or None
        ``(rows, columns)``, True at the sites of the lattice. A bond needs both its ends.

    Returns
    -------
    TensorVariable
        ``(*batch,)``.

    Raises
    ------
    ValueError
        An unknown boundary, or a mask of another shape than the lattice.
    """
    if boundary not in BOUNDARIES:
        raise ValueError(
            f"The boundary is {boundary!r}, which is not known. Write one of {BOUNDARIES}."
        )
    mask = _checked(mask, x)
    sums = []
    for axis in (-2, -1):
        scores = score(*_ends(x, axis, boundary))
        if mask is not None:
            first, second = _ends(mask, axis, boundary)
            scores = scores * (first * second)
        sums.append(scores.sum((-2, -1)))
    return sums[0] + sums[1]


def site_sum(values, x, mask) -> TensorVariable:
    """Σ_i of `values` at the sites i of the lattice of `x`, both ``(*batch, rows, columns)``."""
    mask = _checked(mask, x)
    return (values if mask is None else values * mask).sum((-2, -1))


def _ends(x, axis, boundary):
    """Both ends of the bonds along an axis; a side of one site has none."""
    if boundary == "periodic" and x.type.shape[axis] != 1:
        return x, pt.roll(x, -1, axis)
    rest = () if axis == -1 else (slice(None),)
    return x[(..., slice(None, -1), *rest)], x[(..., slice(1, None), *rest)]


def _checked(mask, x):
    """The mask as a graph of 0 and 1."""
    x = pt.as_tensor(x)
    if x.ndim < 2:
        raise ValueError(
            f"The event has {x.ndim} dimensions, and a lattice has 2. Give x of shape "
            "(*batch, rows, columns); a chain is one row with a free boundary."
        )
    if mask is None:
        return None
    mask = np.asarray(mask)
    sides = x.type.shape[-2:]
    if mask.ndim != 2 or any(n not in (None, m) for n, m in zip(sides, mask.shape, strict=True)):
        raise ValueError(
            f"The mask has shape {mask.shape} and the lattice {sides}. Give one value for each "
            "site, True where the site takes part."
        )
    return pt.constant(mask.astype(bool).astype("int8"))
