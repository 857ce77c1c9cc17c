"""Minimising a smooth loss: quasi-Newton steps, then Newton's to full precision."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.optimize import minimize

from pymc_ebm.fitting.loss import SmoothLoss
from pymc_ebm.fitting.recession import Recession, recession

__all__ = ["Minimum", "ended", "inverse", "minimise", "newton_decrement"]


# Nats per unit² of an unconstrained parameter above which a loss is plainly bent.
_BENT = 1e-3


class Minimum(NamedTuple):
    """Where a minimisation ended.

    Attributes
    ----------
    u : ndarray
        ``(K,)``.
    value : float
        The loss there, in nats.
    hessian : ndarray
        ``(K, K)``.
    path : list of ndarray
        u after every iteration.
    problem : str
        What is wrong, empty at a minimum.
    recession : Recession, optional
        Where the loss falls for ever.
    """

    u: NDArray
    value: float
    hessian: NDArray
    path: list[NDArray]
    problem: str
    recession: Recession | None = None


def minimise(
    loss: SmoothLoss, start: NDArray, callback: Callable[[NDArray], None] = lambda u: None
) -> Minimum:
    """Minimise by BFGS, then polish by Newton's method with the exact Hessian.

    Parameters
    ----------
    loss : SmoothLoss
    start : ndarray
        ``(K,)``.
    callback : callable, optional
        Called with u after every iteration.

    Returns
    -------
    Minimum

    Raises
    ------
    ValueError
        A loss that is not finite at the start.
    """
    path = [start]

    def note(u):
        path.append(np.array(u))
        callback(u)

    value, _ = loss.value_and_gradient(start)
    if not np.isfinite(value):
        raise ValueError(
            f"The loss is {value} at the initial values. Give others, in the domain of the "
            "parameters and where the reference covers the model, with start= or initval=."
        )

    def of_step(u):
        # The line search steps back from inf, and goes on at NaN.
        value, gradient = loss.value_and_gradient(u)
        return np.inf if np.isnan(value) else value, gradient

    with np.errstate(all="ignore"):
        u = minimize(of_step, start, jac=True, method="BFGS", callback=note).x
    value, gradient = loss.value_and_gradient(u)
    for _ in range(20):
        hessian = loss.hessian(u)
        decrement, step = newton_decrement(hessian, gradient)
        # Half the squared distance to the minimum, in standard errors, that counts as arrived.
        if not decrement > 1e-10:
            break
        u_new = u - step
        value_new, gradient_new = loss.value_and_gradient(u_new)
        if not value_new <= value:
            break
        u, value, gradient = u_new, value_new, gradient_new
        note(u)
    wrong = _what_is_wrong(decrement, value)
    return ended(loss, start, Minimum(u, float(value), hessian, path, wrong))


def ended(loss: SmoothLoss, start: NDArray, end: Minimum) -> Minimum:
    """The end of a search from `start`, and whether the loss falls for ever from it."""
    # Where it bends by less than a datum's share, it may be about to end in a plain.
    far = None
    if end.problem or np.linalg.eigvalsh(end.hessian)[0] < _BENT:
        far = recession(loss, start, end.u, end.hessian)
    if far is None:
        return end
    return end._replace(problem="it has no finite minimum", recession=far)


def newton_decrement(hessian: NDArray, gradient: NDArray) -> tuple[float, NDArray]:
    """Half of gᵀH⁻¹g, the fall that Newton's step promises in nats, and the step H⁻¹g.

    NaN where the Hessian is not positive definite.
    """
    try:
        step = cho_solve(cho_factor(hessian), gradient)
    except (LinAlgError, ValueError):
        return np.nan, np.full_like(gradient, np.nan)
    return float(gradient @ step / 2), step


def inverse(hessian: NDArray) -> NDArray:
    """Inverse of a positive definite matrix; NaN where it is not."""
    try:
        return cho_solve(cho_factor(hessian), np.eye(len(hessian)))
    except (LinAlgError, ValueError):
        return np.full_like(hessian, np.nan)


def _what_is_wrong(decrement, value) -> str:
    if not np.isfinite(value):
        return f"the loss is {value}"
    if np.isnan(decrement):
        return "the loss is flat or falls in some direction: its Hessian is not positive definite"
    if decrement > 1e-6:
        return f"the loss still falls by {decrement:.3g} nats in Newton's step"
    return ""
