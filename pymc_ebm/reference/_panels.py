"""Composite Gauss–Kronrod rules in one and two dimensions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray
from pytensor.graph.utils import MissingInputError

from pymc_ebm.energy.energy import as_energy
from pymc_ebm.energy.point_energies import PointEnergies
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.composite.axes import Axes
from pymc_ebm.reference.composite.bisect import Masses, Panels
from pymc_ebm.reference.composite.boxes import floor
from pymc_ebm.reference.composite.minima import minima
from pymc_ebm.reference.composite.rule import gauss_kronrod
from pymc_ebm.space.base import Space
from pymc_ebm.space.named import normalise_support

# Nodes of the Gauss rules along each axis, by dimensions, and the most nodes.
_ORDERS = {1: 7, 2: 3}
MOST_DIMENSIONS = len(_ORDERS)
_MOST_NODES = {1: 2**14, 2: 2**16}


class Unresolved(ValueError):
    """Panels that do not give log Z well enough, with what they would do to the log-likelihood.

    Attributes
    ----------
    nats : float
        Error that the log-likelihood is expected to have at an anchor.
    n_nodes : int
    """

    def __init__(self, message: str, nats: float, n_nodes: int):
        super().__init__(message)
        self.nats, self.n_nodes = nats, n_nodes


def panels(
    energy,
    anchors: Sequence[Sequence],
    data,
    *,
    far_anchors: Sequence[Sequence] = (),
    support=None,
    signature: str | None = None,
    breakpoints=(),
    tolerance: float | None = None,
    far_tolerance: float = 1e-2,
    most_nodes: int | None = None,
    most_nats: float = 0.1,
) -> Reference:
    r"""Gauss–Kronrod rules on panels that are halved until they resolve the model at anchors.

    Z(θ) = ∫ exp(−E(x|θ)) dx on coordinates t, x = ℓ(c + A sinh t): c and A are a median and a
    root of the covariance of the data, ℓ maps the line into the support. Each panel carries 15
    nodes, or 7 × 7 in two dimensions, of which Gauss's rule takes 7, or 3 × 3; their difference
    tells the error at any θ. Where data are, panels have at most a width whatever the anchors
    say, so that parameters far from them find their mass.

    Parameters
    ----------
    energy : callable
        ``energy(x, *params)``, as for `log_partition`.
    anchors : sequence of parameter rows
        Parameters at which log Z must be right: the mode, and several around it in all directions
        as far as the posterior reaches. Each is a sequence of one value per parameter. At the first
        panels end at the energy's minima.
    data : array_like
        ``(N,)``, or ``(N, 1)`` or ``(N, 2)`` for events that are vectors. They, or draws of the
        model, say where it lies.
    far_anchors : sequence of parameter rows
        Parameters at which log Z must be right but roughly.
    support : optional
        As in `Reference`.
    signature : str, optional
        Core dimensions of the parameters; scalars by default.
    breakpoints : array_like, shape (B,)
        Where the energy bends or jumps whatever the parameters, in one dimension.
    tolerance : float, optional
        Largest difference of the two rules' log Z at an anchor, in nats; 2·10⁻³ over the number of
        data by default, at most 10⁻⁵.
    far_tolerance : float
        The same at far anchors, as far as a quarter of `most_nodes` allows.
    most_nodes : int, optional
        16,384 in one dimension and 65,536 in two by default.
    most_nats : float
        Refuse where the difference times the number of data is larger than this at an anchor.

    Returns
    -------
    Reference
        Exact; each panel's nodes are a group.

    Raises
    ------
    Unresolved
        More nodes needed, as where an energy jumps at a place that moves with the parameters; or
        mass at the end of the axes, as where Z is infinite. A ValueError.
    ValueError
        Events of more than two numbers; no anchors; data outside the support; energies that
        capture variables, or take one number of points only.

    References
    ----------
    R. Piessens et al. (1983), "QUADPACK"; P. Gonnet (2012), "A review of error estimation in
    adaptive quadrature".

    Examples
    --------
    >>> import numpy as np
    >>> data = np.random.default_rng(1).normal(0, 2, 100)
    >>> energy = lambda x, s: x**2 / (2 * s**2)
    >>> q = panels(energy, [(s,) for s in (1.5, 2.0, 2.5)], data)
    >>> z = np.exp(q.log_weights - q.points**2 / 8).sum()
    >>> print(f"{z / np.sqrt(8 * np.pi):.12f}")
    1.000000000000
    """
    data = np.asarray(data, dtype=float)
    event = data.shape[1:]
    if math.prod(event) not in _ORDERS or not len(data):
        raise ValueError(
            f"The data have shape {data.shape}, and panels hold one or two numbers an event. Use "
            "ebm.reference.fitted for more."
        )
    if not len(anchors):
        raise ValueError("There are no anchors. Give parameter rows around the posterior's mode.")
    try:
        energies = as_energy(energy, signature).of_points(event, data.dtype, anchors[0], len(data))
    except MissingInputError as error:
        raise ValueError(
            "The energy uses variables of a model. Make them its parameters, and give anchors them."
        ) from error
    if energies.split.x.type.shape[0] is not None:
        raise ValueError(
            f"The energy takes {len(data)} points and no other number of them. Make it by "
            "ebm.energies.from_jax, or use ebm.reference.fitted."
        )
    return lay_panels(
        energies,
        data,
        anchors,
        far_anchors,
        support=support,
        breakpoints=breakpoints,
        tolerance=tolerance,
        far_tolerance=far_tolerance,
        most_nodes=most_nodes,
        most_nats=most_nats,
    )


def lay_panels(
    energies: PointEnergies,
    data: NDArray,
    anchors: Sequence[Sequence],
    far_anchors: Sequence[Sequence] = (),
    *,
    support=None,
    breakpoints=(),
    tolerance: float | None = None,
    far_tolerance: float = 1e-2,
    most_nodes: int | None = None,
    most_nats: float = np.inf,
) -> Reference:
    """`panels` of an energy that is compiled, of any number of points."""
    support = normalise_support(support)
    event = data.shape[1:]
    rows = data.reshape(len(data), -1)
    n_dim = rows.shape[1]
    if not support.contains(data, len(event)).all():
        raise ValueError(
            f"The data reach from {rows.min():g} to {rows.max():g}, outside the support {support}. "
            "Remove these, or widen the support."
        )
    axes = Axes(rows, *support.of_events(event).bounds_of(n_dim))
    at = lambda thetas: partial(_at, energies, thetas, event)
    ends = np.empty(0)
    if n_dim == 1:
        modes = minima(partial(_along, axes, at(anchors[:1])), axes.end[0])
        ends = np.concatenate(
            [modes, axes.coordinates(np.reshape(breakpoints, (-1, 1)).astype(float))[:, 0]]
        )
    grid = Panels(
        axes,
        gauss_kronrod(_ORDERS[n_dim], n_dim),
        floor(axes.end, axes.coordinates(rows), ends),
    )
    most_nodes = most_nodes or _MOST_NODES[n_dim]
    tolerance = tolerance or min(1e-5, 2e-3 / len(data))
    near = len(anchors)
    wanted = np.repeat([tolerance, far_tolerance], [near, len(far_anchors)])
    # First what must be right; the others get what a quarter of the nodes leaves.
    grid.bisect(at(anchors), wanted[:near], most_nodes)
    masses = grid.bisect(at([*anchors, *far_anchors]), wanted, most_nodes // 4)
    _check_resolved(grid, masses, near, len(data), most_nats)
    return _reference(grid, masses.calibration(near), at(anchors), event, support)


def _at(energies: PointEnergies, thetas, event: tuple[int, ...], points: NDArray) -> NDArray:
    """E of points ``(M, D)`` at each of several parameters, ``(A, M)``."""
    return energies.at_rows(points.reshape(-1, *event))(thetas)


def _along(axes: Axes, energies: Callable, t: NDArray) -> NDArray:
    """E at coordinates ``(M,)`` of one dimension; NaN where rounding leaves the space."""
    points, log_slopes = axes.place(t[:, None])
    return np.where(np.isneginf(log_slopes), np.nan, energies(points)[0])


def _check_resolved(grid: Panels, masses: Masses, near: int, n_data: int, most_nats: float):
    """Refuse panels that are too coarse, or a model that reaches beyond them."""
    mass, change = (shares[:, :near] for shares in masses.shares())
    outside = (mass * grid.at_an_end()[:, None]).sum(axis=0).max()
    nats = n_data * change.sum(axis=0).max()
    n_nodes = grid.n_nodes
    if n_data * outside > most_nats:
        raise Unresolved(
            f"A share {outside:.2g} of the normaliser lies at the ends of all numbers, at an "
            "anchor: it may be infinite. Use parameters for which exp(−energy) has a finite "
            "integral, or give the support.",
            n_data * outside,
            n_nodes,
        )
    if nats > most_nats:
        raise Unresolved(
            f"{n_nodes} nodes give the log-likelihood to {nats:.2g} nats only, and "
            f"{most_nats:g} is the most allowed. Where the energy jumps or bends at a known place, "
            "name it in breakpoints=; if not, raise most_nodes= or use ebm.reference.fitted.",
            nats,
            n_nodes,
        )


def _reference(
    grid: Panels, shares: NDArray, energies: Callable, event: tuple[int, ...], support: Space
) -> Reference:
    """The nodes; of the coarser rule so much that it differs by `shares` of |K − G|."""
    rule, boxes = grid.rule, grid.boxes
    n_panels, n_dim = boxes.lower.shape
    points, log_slopes = grid.nodes(boxes)
    groups = np.repeat(np.arange(n_panels), len(rule.weights))
    coarse = rule.weights + shares[:, None] * (rule.coarse - rule.weights)
    with np.errstate(divide="ignore"):
        log_weights = (log_slopes + np.log(rule.weights)).ravel()
        log_coarse = (log_slopes + np.log(coarse)).ravel()
    # Coordinates t beyond which an energy may be inf − inf.
    far = np.abs(grid.coordinates(boxes)).max(axis=2).ravel() > 12.0
    of_points = energies(points)
    no_number = far & np.isnan(of_points).any(axis=0)
    # Energies and numbers of which some power overflows.
    enormous = 1e100
    # There is no weight, and slopes that overflow times zero are NaN. Elsewhere inf is a wall.
    overflows = np.isfinite(of_points) | (np.abs(points).max(axis=1) > enormous)
    no_number |= ((of_points > enormous) & overflows).all(axis=0)
    used = ~np.isneginf(log_weights) & ~no_number
    return Reference(
        points=points[used].reshape(-1, *event),
        log_weights=log_weights[used],
        groups=np.unique(groups[used], return_inverse=True)[1],
        support=support,
        exact=True,
        coarse_log_weights=log_coarse[used],
        description=f"{n_panels} panels in {n_dim}-D",
    )
