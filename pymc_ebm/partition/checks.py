"""What energies must be at the points of a reference, checked where a model starts."""

import math

import numpy as np
import pytensor.tensor as pt

from pymc_ebm.energy.initial_values import initial_values
from pymc_ebm.energy.split import evaluate
from pymc_ebm.memory import check_memory
from pymc_ebm.reference.base import Reference

__all__ = ["check_log_weights", "check_reference"]


def check_reference(reference) -> None:
    """Raise TypeError where a reference is none, a distribution for example."""
    if not isinstance(reference, Reference):
        raise TypeError(
            f"reference is a {type(reference).__name__}, not a Reference. Make one with "
            "pymc_ebm.reference, for example reference.independent(pm.Normal.dist(0, 3))."
        )


def check_log_weights(op, inputs, names) -> None:
    """Refuse NaN, −inf and all-(+inf) energies, and energies that mix rows, at initial values."""
    split = op.split
    given = op.split_inputs(inputs)
    known = initial_values(given.varying)
    if known is None:
        return
    reference = op.reference
    constants = [pt.constant(v) for v in known]
    batch_ndim = op.batch_ndim
    n_rows = math.prod(np.shape(known[0])[:batch_ndim]) if known else 1
    # The energies of all rows, and what the energy makes of x on the way to them.
    shapes = [s.type.shape[1:] for s in split.slots] or [reference.event_shape]
    width = max(math.prod(n or 1 for n in shape) for shape in shapes)
    check_memory(
        reference.points_per_row,
        5 + 3 * n_rows * width,
        f"The energy is evaluated at all of them for {n_rows} row{'s' * (n_rows > 1)} of "
        "parameters: use fewer draws.",
    )
    [values] = evaluate([op.log_weights(*constants, *given.arrays)])
    where = ", ".join(
        f"{n} = {np.array2string(np.asarray(v), threshold=4, precision=6)}"
        for n, v in zip(names, known, strict=False)
    )
    rows = values.reshape(-1, values.shape[-1])
    if values.shape[-1] != reference.points_per_row:
        raise ValueError(
            f"The energies of {reference.points_per_row} points have shape {values.shape}. An "
            "energy maps (*batch, *event) to (*batch,)."
        )
    for bad, what, remedy in (
        (
            np.isnan(rows),
            "NaN",
            "Guard the argument of the log, root or ratio with pt.switch, or keep the parameters "
            "where the energy is a number, by their prior, initval= or domain=",
        ),
        (np.isposinf(rows), "−inf", "An energy of −inf has infinite weight; check its sign"),
    ):
        if bad.any():
            index = int(np.argwhere(bad)[0, 1])
            raise ValueError(
                f"The energy is {what} at {bad.any(axis=0).sum()} of {rows.shape[1]} reference "
                f"points, the first with index {index}, at {where}. {remedy}."
            )
    if np.isneginf(rows).all(axis=1).any():
        raise ValueError(
            f"The reference misses the support: the energy is +inf at all {rows.shape[1]} points, "
            f"at {where}. Choose a reference where the energy is finite, or parameters at which "
            "it is, by their prior or initval=."
        )
    one = op.split_inputs(known)
    _check_rows(op, [v[(0,) * batch_ndim] for v in one.params], one.captured)


def _check_rows(op, params, captured):
    """The energy of a few points must not change when the other points are taken away."""
    split, reference = op.split, op.reference
    if split.x.type.shape[0] is not None:  # an energy that takes one number of points only
        return
    few = min(7, reference.n_points)
    constants = [pt.constant(v) for v in (*params, *captured)]
    givens = dict(zip([*split.params, *split.captured], constants, strict=True))
    points = reference.points_at(params, slice(4 * few))
    alone, together = evaluate(
        [split.at(pt.constant(points[:few])), split.at(pt.constant(points))], givens
    )
    together = np.broadcast_to(together, (len(points),))[:few]
    alone = np.broadcast_to(alone, (few,))
    if not np.allclose(alone, together, rtol=1e-6, atol=1e-9, equal_nan=True):
        raise ValueError(
            "The energy mixes rows of the batch: the energies of the first "
            f"{few} points, shape {alone.shape}, change when {len(points) - few} more points are "
            "given. Reduce over event axes only, never over axis 0."
        )
