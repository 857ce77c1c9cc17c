"""What energies must be at the points of a reference, checked where a model starts."""

import math
from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.replace import graph_replace

from pymc_ebm.energy.split import evaluate
from pymc_ebm.memory import check_memory
from pymc_ebm.partition.weights_graph import WeightsGraph
from pymc_ebm.reference.base import Reference

__all__ = ["check_log_weights", "check_reference"]

# Points whose energies are looked at alone, and with thrice as many others.
_FEW = 7


def check_reference(reference) -> None:
    """Raise TypeError where a reference is none, a distribution for example."""
    if not isinstance(reference, Reference):
        raise TypeError(
            f"reference is a {type(reference).__name__}, not a Reference. Make one with "
            "pymc_ebm.reference, for example reference.independent(pm.Normal.dist(0, 3))."
        )


def check_log_weights(
    graph: WeightsGraph, names, known: Sequence[NDArray] | None
) -> NDArray | None:
    """Refuse NaN, −inf and all-(+inf) energies, and energies that mix rows, at initial values.

    Parameters
    ----------
    graph : WeightsGraph
    names : sequence of str
        Of the parameters.
    known : sequence of ndarray or None
        Initial values of parameters and captured variables, where they have any.

    Returns
    -------
    ndarray or None
        a_m − E(y_m | θ) there, ``(*batch, M)``.
    """
    if known is None:
        return None
    split, reference = graph.split, graph.reference
    batch_ndim = graph.batch_ndim
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
    values, *of_some = evaluate([graph.at([*map(pt.constant, known)]), *_of_some(graph, known)])
    where = ", ".join(
        f"{n} = {np.array2string(np.asarray(v), threshold=4, precision=6)}"
        for n, v in zip(names, known, strict=False)
    )
    if values.shape[-1] != reference.points_per_row:
        raise ValueError(
            f"The energies of {reference.points_per_row} points have shape {values.shape}. An "
            "energy maps (*batch, *event) to (*batch,)."
        )
    rows = values.reshape(-1, values.shape[-1])
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
    _check_rows(*of_some)
    _check_statistics(graph, known)
    return values


def _check_statistics(graph: WeightsGraph, known: Sequence[NDArray]) -> None:
    """A point of weight 0 whose statistic is infinite may have a slope of 0 · ∞, which is NaN."""
    if graph.reference.follows_parameters:
        return
    finite = np.ones(graph.reference.n_points, dtype=bool)
    for statistic in graph.given.arrays[1:]:
        # Their sum tells without an array of all of them.
        if not np.isfinite(np.sum(statistic.data)):
            finite &= np.isfinite(np.asarray(statistic.data).reshape(len(finite), -1)).all(axis=1)
    if finite.all():
        return
    varying = [v.type() for v in graph.given.varying]
    slopes = pt.grad(
        pt.logsumexp(graph.at(varying), axis=-1).sum(),
        [v for v in varying if v.dtype.startswith("float")],
        disconnected_inputs="ignore",
    )
    givens = dict(zip(varying, map(pt.constant, known), strict=True))
    if any(np.isnan(slope).any() for slope in evaluate(slopes, givens)):
        raise ValueError(
            f"A parameter multiplies a statistic that is infinite at {(~finite).sum()} of "
            f"{len(finite)} reference points, so that the gradient is NaN. Write the product "
            "inside, pt.switch(x > 0, a * x, np.inf) for a * pt.switch(x > 0, x, np.inf), or "
            "give support=."
        )


def _of_some(graph: WeightsGraph, known: Sequence[NDArray]) -> list:
    """Graphs of the energies of a few points alone, and with others."""
    split = graph.split
    if split.x.type.shape[0] is not None:  # an energy that takes one number of points only
        return []
    n_params = len(split.params)
    first = [v[(0,) * graph.batch_ndim] for v in known[:n_params]]
    points = graph.reference.points_at(first, slice(4 * _FEW))
    parameters = [*split.params, *split.captured]
    graphs = []
    for some in (points[:_FEW], points):
        values = [*split.statistics_at(some), *first, *known[n_params:]]
        givens = dict(zip([*split.slots, *parameters], map(pt.constant, values), strict=True))
        energies = graph_replace(split.value, givens, strict=False)
        graphs.append(pt.broadcast_to(energies, (len(some),)))
    return graphs


def _check_rows(alone: NDArray | None = None, together: NDArray | None = None) -> None:
    """The energy of a few points must not change when the other points are taken away."""
    if alone is None or together is None:
        return
    few = len(alone)
    if not np.allclose(alone, together[:few], rtol=1e-6, atol=1e-9, equal_nan=True):
        raise ValueError(
            "The energy mixes rows of the batch: the energies of the first "
            f"{few} points, shape {alone.shape}, change when {len(together) - few} more points are "
            "given. Reduce over event axes only, never over axis 0."
        )
