"""A quadrature over a whole curved space, by the rule that the space knows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import logsumexp

from pymc_ebm.energy.point_energies import PointEnergies
from pymc_ebm.reference._panels import Unresolved
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.base import Space
from pymc_ebm.space.named import normalise_support

__all__ = ["lay_rule", "rule", "rule_error"]

# The first order and the last; nodes are their square in two dimensions.
_ORDERS = 16, 2**12


def rule(space, order: int = 64) -> Reference:
    """Nodes and weights of a quadrature over a circle, a torus or a sphere.

    The trapezoid rule for an angle, its product for two; for unit vectors of three numbers
    Clenshaw–Curtis in the third times the trapezoid rule around. Errors fall exponentially with the
    order for smooth energies. The rule of half the order comes along, by which `report` tells
    whether the nodes resolve the model.

    Parameters
    ----------
    space : Space or str
        Such as ``pymc_ebm.space.sphere(3)`` or ``"circle"``.
    order : int
        Intervals along an axis, an even number; a sphere has twice as many around.

    Returns
    -------
    Reference
        Exact and complete.

    Raises
    ------
    ValueError
        A space for which no rule is known, or an order that is odd or not positive.

    Examples
    --------
    >>> import numpy as np
    >>> q = rule("circle", 32)
    >>> bessel = np.exp(q.log_weights + np.cos(q.points)).sum() / (2 * np.pi)
    >>> round(float(bessel / np.i0(1.0)), 12)
    1.0
    """
    space = normalise_support(space)
    if order < 2 or order % 2:
        raise ValueError(f"The order is {order}. Give an even number of intervals, such as 64.")
    made = space.rule(order)
    if made is None:
        raise ValueError(
            f"No rule is known for {space}. Use ebm.reference.rule with a circle or with "
            "pymc_ebm.space.sphere(3), and ebm.reference.annealed for others."
        )
    points, log_weights, coarse = made
    return Reference(
        points=points,
        log_weights=log_weights,
        groups=np.arange(len(points)),
        support=space.of_data(points),
        exact=True,
        coarse_log_weights=coarse,
        description=f"a rule of order {order}",
    )


def rule_error(reference: Reference, log_weights) -> float:
    """Change of log Ẑ by the rule of half the order, in nats, at a_m − E(y_m | θ) ``(M,)``."""
    coarse = reference.coarser(log_weights)
    with np.errstate(invalid="ignore"):
        found = abs(logsumexp(coarse) - logsumexp(log_weights))
    return float(found) if np.isfinite(found) else np.inf


def lay_rule(
    energies: PointEnergies,
    space: Space,
    anchors: Sequence[Sequence],
    far_anchors: Sequence[Sequence] = (),
    *,
    tolerance: float = 1e-5,
    far_tolerance: float = 1e-2,
) -> Reference:
    """The rule of the least order whose half agrees at anchors; far ones need not be resolved.

    Raises
    ------
    Unresolved
        More nodes needed than are worth while.
    """
    order, last = _ORDERS
    while True:
        reference = rule(space, order)
        at = energies.at_rows(reference.points)
        errors = [
            rule_error(reference, reference.log_weights - found)
            for found in at([*anchors, *far_anchors])
        ]
        near, far = max(errors[: len(anchors)]), max(errors[len(anchors) :], default=0.0)
        enough = near <= tolerance and far <= far_tolerance
        in_one_more = reference.n_points * 2 ** (2 if len(reference.event_shape) else 1)
        if enough or order == last or in_one_more > 2**18:
            break
        order *= 2
    if near > tolerance:
        raise Unresolved(
            f"{reference.n_points} nodes give log Z to {near:.2g} nats only, and {tolerance:.2g} "
            "is wanted. Use ebm.reference.annealed.",
            near,
            reference.n_points,
        )
    return reference
