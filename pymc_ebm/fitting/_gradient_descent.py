"""Gradient descent with the estimated gradient and a step schedule."""

import itertools
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.fitting._geyer import check_maximum, likelihood_solution, no_maximum
from pymc_ebm.fitting.minimise import Minimum, ended, newton_decrement
from pymc_ebm.fitting.problem import Problem
from pymc_ebm.fitting.solution import Solution

__all__ = ["gradient_descent"]


def gradient_descent(
    problem: Problem,
    start: NDArray,
    *,
    advance: Callable[[NDArray], None],
    random_seed=None,
    learning_rate: float | Callable[[int], float] | Literal["barzilai_borwein"] = (
        "barzilai_borwein"
    ),
    gradient: Literal["derivative", "expectation"] = "derivative",
    max_iterations: int = 5000,
    tolerance: float = 1e-8,
) -> Solution:
    r"""Gradient descent :math:`u_t = u_{t-1} - α_t ∇J(u_{t-1})` (eq. 6).

    Steps are made in the unconstrained space, so that none leaves the domain of a parameter.

    Parameters
    ----------
    problem : Problem
    start : ndarray
        ``(K,)``.
    advance : callable
        Called after every iteration.
    random_seed : optional
        Not used: with its reference fixed, J_BL is deterministic.
    learning_rate : float, callable or "barzilai_borwein"
        α in units of u² per nat: a constant, a schedule such as ``lambda t: 0.1 / (1 + t / 50)``
        of the iteration t = 0, 1, ..., or the step of Barzilai and Borwein, ‖Δu‖²/(Δu·Δ∇J), with
        a nonmonotone safeguard where there is a function to fall.
    gradient : {"derivative", "expectation"}
        The derivative of the computed J_BL (section 4), or the exact gradient with its expectation
        estimated by normalised weights (section 5, eq. 18). They agree for a fixed reference. For
        q(y|θ) the second holds the points where they are, and is the derivative of no function:
        it is followed to its root, without the safeguard.
    max_iterations : int
    tolerance : float
        Nats that Newton's step still promises where the descent has arrived; 1e-8 is a distance
        of 1.4e-4 standard errors.

    Returns
    -------
    Solution

    Raises
    ------
    ValueError
        Where the iterations diverge, or J_BL has no minimum as the reference misses the data.

    References
    ----------
    J. Barzilai, J. Borwein (1988), IMA J. Numer. Anal. 8, 141–148; M. Raydan (1997), SIAM J.
    Optim. 7, 26–33.
    """
    if gradient not in ("derivative", "expectation"):
        raise ValueError(f"gradient is {gradient!r}. Use 'derivative' or 'expectation'.")
    if isinstance(learning_rate, str) and learning_rate != "barzilai_borwein":
        raise ValueError(
            f"learning_rate is {learning_rate!r}. Use a number, a function of the iteration, or "
            "'barzilai_borwein'."
        )
    held = gradient == "expectation"
    value_and_gradient = (problem.held_loss if held else problem.loss).value_and_gradient
    if learning_rate == "barzilai_borwein":
        steps = _barzilai_borwein(value_and_gradient, start, guarded=not held)
    else:
        steps = _scheduled(value_and_gradient, start, learning_rate)
    path, u = [start], start
    decrement = np.nan
    for t, (u, slope) in enumerate(steps):
        # No parameter is as large; the iterates of an unbounded loss are.
        if not (np.abs(u).max() < 1e50 and np.isfinite(slope).all()):
            if learning_rate == "barzilai_borwein":
                raise ValueError(no_maximum(problem, path[-1], "its slope never ends"))
            norm = np.linalg.norm(slope)
            raise ValueError(
                f"Gradient descent diverged at iteration {t}, with |∇J| = {norm:.3g}. "
                "Use a smaller learning_rate, or 'barzilai_borwein'."
            )
        if t:
            path.append(u)
            advance(u)
        if t % 10 == 0 or t == max_iterations:
            hessian = problem.loss.hessian(u)
            decrement, _ = newton_decrement(hessian, slope)
            if decrement <= tolerance or t == max_iterations:
                break
    else:  # the steps of Barzilai and Borwein have come to their end
        hessian = problem.loss.hessian(u)
        decrement, _ = newton_decrement(hessian, slope)
    wrong = "" if decrement <= tolerance else f"stopped after {len(path) - 1} iterations"
    if wrong and not np.isnan(decrement):
        wrong += f", {np.sqrt(2 * decrement):.3g} standard errors away; raise max_iterations"
    value = float(problem.loss.value_and_gradient(u)[0])
    minimum = ended(problem.loss, start, Minimum(u, value, hessian, path, wrong))
    if minimum.recession is not None:
        check_maximum(problem, minimum)
    return likelihood_solution(problem, minimum, path, held)


def _scheduled(value_and_gradient, u, rate):
    """Points and gradients of steps whose lengths are known beforehand."""
    for t in itertools.count():
        _, gradient = value_and_gradient(u)
        yield u, gradient
        u = u - (rate(t) if callable(rate) else rate) * gradient


def _barzilai_borwein(value_and_gradient, u, guarded):
    """Points and gradients of Barzilai and Borwein's steps, halved where values rise too far."""
    value, gradient = value_and_gradient(u)
    rate = 0.1 / max(float(np.linalg.norm(gradient)), 1e-12)
    values = [value]
    while True:
        yield u, gradient
        while True:
            u_new = u - rate * gradient
            value_new, gradient_new = value_and_gradient(u_new)
            fall = 1e-4 * rate * float(gradient @ gradient)
            # A rounding error's worth of rise must not stop the last steps.
            rounding = 1e-12 * abs(value)
            # Barzilai and Borwein's steps do not fall at every iteration; these many values may be
            # exceeded.
            if not guarded or value_new <= max(values[-10:]) - fall + rounding:
                break
            rate /= 2
            if rate < 1e-300:
                return
        moved, changed = u_new - u, gradient_new - gradient
        u, value, gradient = u_new, value_new, gradient_new
        values.append(value)
        curvature = float(moved @ changed)
        rate = float(moved @ moved) / curvature if curvature > 0 else 2 * rate
