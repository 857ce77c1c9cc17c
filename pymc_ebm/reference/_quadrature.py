"""Gauss-Legendre quadrature in one to three dimensions."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import roots_legendre

from pymc_ebm.memory import check_memory
from pymc_ebm.reference.base import Reference


def quadrature(lower, upper, order: int = 200, *, complete: bool | None = None) -> Reference:
    """Gauss-Legendre nodes on a box, a_m = log(quadrature weight).

    Z(θ) = ∫ exp(−E(x|θ)) dx ≈ Σ_m w_m exp(−E(x_m|θ)), with the product rule of `order` nodes per
    dimension. An infinite side is mapped from t in (−1, 1): x = t/(1−t²) for the whole line,
    x = lower + (1+t)/(1−t) for a half line, and its mirror image, so the scale of x matters:
    standardise data that are far from 0 or much wider than 1, or give finite bounds. The rule on
    every second node comes along, by which `report` tells whether the nodes resolve the model.

    Parameters
    ----------
    lower, upper : float or sequence of 1 to 3 floats
        The box, in the units of x. Scalars make scalar events, sequences of length d events (d,).
    order : int
        Nodes per dimension.
    complete : bool, optional
        Whether the box is the whole space. By default so when no dimension has two finite bounds
        (a half line starts where the support does). Otherwise the outermost nodes of the finite
        dimensions are the edge, where weight counts as a failure. Pass True when the support of
        the model is the box.

    Returns
    -------
    Reference
        ``order**d`` points, exact.

    Raises
    ------
    ValueError
        More than three dimensions, lower not below upper, or an order that is not positive.
    MemoryError
        More points than fit in memory.

    References
    ----------
    .. [1] P. J. Davis, P. Rabinowitz (1984). Methods of Numerical Integration, section 2.7.

    Examples
    --------
    >>> import numpy as np
    >>> grid = quadrature(-np.inf, np.inf)
    >>> z = np.exp(grid.log_weights - grid.points**4).sum()
    >>> print(f"{z:.9f}")
    1.812804954
    """
    scalar = np.ndim(lower) == 0 and np.ndim(upper) == 0
    low, high = np.broadcast_arrays(
        np.atleast_1d(np.asarray(lower, dtype=float)), np.atleast_1d(np.asarray(upper, dtype=float))
    )
    _check(low, high, order)
    n_dim = len(low)
    # The half rule of one dimension comes from a square matrix.
    check_memory(
        order**n_dim,
        4 + 6 * n_dim + 4 * order**2 / order**n_dim,
        "Lower the order, or use draws: pymc_ebm.reference.independent.",
    )
    nodes, log_weights, edges = zip(
        *(_rule(a, b, order) for a, b in zip(low, high, strict=True)), strict=True
    )
    points = np.stack([g.ravel() for g in np.meshgrid(*nodes, indexing="ij")], axis=-1)
    log_weight = sum(g.ravel() for g in np.meshgrid(*log_weights, indexing="ij"))
    edge = np.any([g.ravel() for g in np.meshgrid(*edges, indexing="ij")], axis=0)
    halves = [_half_log_weights(w, order) for w in log_weights]
    coarse = sum(g.ravel() for g in np.meshgrid(*halves, indexing="ij"))
    if complete is None:
        complete = not edge.any()
    return Reference(
        points=points[:, 0] if scalar else points,
        log_weights=np.asarray(log_weight),
        groups=np.arange(len(points)),
        support=(lower, upper),  # type: ignore[arg-type]
        exact=True,
        complete=complete,
        edge=None if complete else edge,
        coarse_log_weights=np.asarray(coarse),
        description=f"quadrature of order {order} in {n_dim}-D",
    )


def _check(lower, upper, order):
    if lower.ndim != 1 or not 1 <= len(lower) <= 3:
        raise ValueError(
            f"Quadrature was asked for bounds of shape {lower.shape}, and works in 1 to 3 "
            "dimensions. Use pymc_ebm.reference.independent or fitted for more."
        )
    if not np.all(lower < upper):
        raise ValueError(
            f"The lower bound {lower.tolist()} is not below the upper bound {upper.tolist()}. "
            "Give lower < upper in each dimension."
        )
    if order < 1 or order != int(order):
        raise ValueError(
            f"The order is {order}. Give a positive number of nodes per dimension, such as 200."
        )


# A rule of a thousand nodes takes a tenth of a second, and each dimension asks for it twice.
@cache
def gauss_legendre(order: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights on (−1, 1), read-only."""
    rule = roots_legendre(order)
    for array in rule:
        array.flags.writeable = False
    return rule


@cache
def half_rule(order: int) -> np.ndarray:
    """Weights on (−1, 1) of the rule that interpolates at every second Gauss–Legendre node.

    Zero at the other nodes. Its difference from the whole rule tells how far that has converged.

    Examples
    --------
    >>> t, _ = gauss_legendre(9)
    >>> round(float(half_rule(9) @ t**4), 6)
    0.4
    """
    half = gauss_legendre(order)[0][::2]
    moments = np.zeros(len(half))
    moments[0] = 2.0
    weights = np.zeros(order)
    weights[::2] = np.linalg.solve(np.polynomial.legendre.legvander(half, len(half) - 1).T, moments)
    weights.flags.writeable = False
    return weights


def _half_log_weights(log_weights, order):
    """Log weights of the half rule; −inf at every second node."""
    fine = gauss_legendre(order)[1]
    # The slopes of the map are the same in both rules.
    with np.errstate(divide="ignore"):
        return log_weights + np.log(half_rule(order)) - np.log(fine)


def _rule(lower: float, upper: float, order: int):
    """Nodes, log weights and edge marks in one dimension."""
    t, weight = gauss_legendre(order)
    edge = np.zeros(order, dtype=bool)
    if np.isinf(lower) and np.isinf(upper):
        x = t / (1 - t**2)
        slope = (1 + t**2) / (1 - t**2) ** 2
    elif np.isinf(upper):
        x = lower + (1 + t) / (1 - t)
        slope = 2 / (1 - t) ** 2
    elif np.isinf(lower):
        x = upper - (1 - t) / (1 + t)
        slope = 2 / (1 + t) ** 2
    else:
        x = lower + (upper - lower) * (1 + t) / 2
        slope = np.full(order, (upper - lower) / 2)
        edge[[0, -1]] = True
    return x, np.log(weight) + np.log(slope), edge
