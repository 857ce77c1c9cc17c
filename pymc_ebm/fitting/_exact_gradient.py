"""Stochastic gradient descent with draws of the model itself; the normaliser never appears."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.fitting._geyer import largest_share
from pymc_ebm.fitting.minimise import inverse, newton_decrement
from pymc_ebm.fitting.model_draws import ModelDraws
from pymc_ebm.fitting.problem import Problem
from pymc_ebm.fitting.solution import Solution
from pymc_ebm.sampling._importance_resampling import importance_resampling
from pymc_ebm.sampling._independent_metropolis import independent_metropolis

__all__ = ["exact_gradient"]


def exact_gradient(
    problem: Problem,
    start: NDArray,
    *,
    advance: Callable[[NDArray], None],
    random_seed=None,
    sampler: Callable[..., Any] = independent_metropolis,
    draws: int = 100,
    iterations: int = 300,
    persistent: bool = False,
    last_draws: int = 20,
    mcse_share: float = 0.5,
) -> Solution:
    r"""Stochastic gradient descent with draws y of p(x | θ) in place of Z (eqs. 14 and 17).

    .. math:: ∇J = \sum_n ∇E(x_n \mid θ) - \sum_r c_r \frac1M \sum_m ∇E(y_{mr} \mid θ)

    Steps are preconditioned by the curvature that the draws show, and
    shrink as t^{−0.7}; the last half of the iterates is averaged (Polyak and Ruppert), and one
    Newton step with the averaged gradient follows. J itself is not estimated (eq. 15).

    Parameters
    ----------
    problem : Problem
    start : ndarray
        ``(K,)``.
    advance : callable
        Called after every iteration.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    sampler : callable
        A function of `pymc_ebm.sampling` (or a ``functools.partial`` of one), used with the
        model's reference; or your own exact sampler ``sampler(rng, draws, *params)``, which
        returns ``(draws, *event)``.
    draws : int
        Draws of every iteration, for each row of parameters.
    iterations : int
    persistent : bool, default False
        Start the chains of an iteration where those of the last one ended (persistent contrastive
        divergence): a few steps then serve. The sampler must take ``initvals=``.
    last_draws : int
        Draws behind the reported covariance, in multiples of those of an iteration.
    mcse_share : float
        Largest mcse/se of a parameter that is good enough: where draws depend on one another for
        long, the standard error that they tell is not right either.

    Returns
    -------
    Solution
        `objective` is NaN. `monte_carlo` is from the spread of the averaged gradients.

    Raises
    ------
    ValueError
        A likelihood that is not linear in log Z, such as a mixture's: its gradient needs Z.
        Fewer than 2 draws or 10 iterations; draws of another shape; iterates that diverge.

    References
    ----------
    L. Younes (1988), Ann. Inst. H. Poincaré 24, 269–294; B. Polyak, A. Juditsky (1992), SIAM J.
    Control Optim. 30, 838–855; T. Tieleman (2008), ICML, for persistent chains.
    """
    # Half of them are averaged, and two batches of these show the spread.
    fewest = 10
    if draws < 2 or iterations < fewest:
        raise ValueError(
            f"There are {iterations} iterations of {draws} draws, too few for a spread. "
            f"Use at least {fewest} iterations of 2 draws."
        )
    if getattr(sampler, "func", sampler) is importance_resampling and not all(
        reference.level == "exact" for reference in problem.references
    ):
        raise ValueError(
            "importance_resampling draws the reference's own points again, and their error would "
            'not be seen. Use independent_metropolis or gibbs, or method="geyer".'
        )
    rng = np.random.default_rng(random_seed)
    model = problem.once("model_draws", lambda: ModelDraws(problem))
    model.check_linear(start)
    u, path, gradients = start, [start], []
    curvature = np.zeros((len(u), len(u)))
    states: Any = None
    for t in range(iterations):
        points = model.draw(u, draws, sampler, rng, states)
        states = points if persistent else None
        gradient = model.gradient(u, points)
        if not np.isfinite(gradient).all():
            raise ValueError(
                f"The gradient is {gradient} at iteration {t}. Start closer, give every parameter "
                'an energy to enter, or use method="geyer".'
            )
        # The first draws are made far from the estimate, and soon forgotten.
        curvature += (model.hessian(u, points) - curvature) / min(t + 1, 50)
        u = u - _step(curvature, gradient, model.amplification(u)) * (1 + t / 10) ** -0.7
        path.append(u)
        gradients.append(gradient)
        advance(u)
    window = iterations // 2
    mean = np.mean(path[-window - 1 : -1], axis=0)
    points = model.draw(mean, last_draws * draws, sampler, rng, None)
    hessian = model.hessian(mean, points)
    covariance = inverse(hessian)
    noise = np.array(gradients[-window:]) - (np.array(path[-window - 1 : -1]) - mean) @ hessian
    u = mean - covariance @ noise.mean(axis=0)
    monte_carlo = covariance @ _covariance_of_mean(noise) @ covariance
    # In a settled run the last Newton step is of the size of the average's own error. NaN is not.
    nats, _ = newton_decrement(hessian, hessian @ (u - mean))
    settled = bool(nats < max(1e-2, 10 * np.trace(monte_carlo @ hessian)))
    reason = (
        f"The averages of {window} iterations have settled."
        if settled
        else f"The iterates still drift after {iterations} iterations. Raise iterations."
    )
    solution = Solution(u, covariance, monte_carlo, np.nan, settled, reason, [*path, u])
    share = largest_share(solution)
    if settled and share > mcse_share:
        reason = (
            f"The draws add {100 * share:.3g}% of a standard error, more than "
            f"{100 * mcse_share:.3g}%, and may misjudge that error too. Raise draws, or give a "
            "reference or a sampler whose draws mix better."
        )
        return replace(solution, converged=False, reason=reason)
    return solution


def _step(curvature, gradient, amplification):
    """|H|⁻¹g, shortened so that one observation's model moves by half a nat, and u by 1, at most.

    Far from the estimate H need not be positive, and where draws are all alike it is flat.
    """
    sizes, axes = np.linalg.eigh((curvature + curvature.T) / 2)
    sizes = np.maximum(np.abs(sizes), max(1e-6 * np.abs(sizes).max(), 1e-12))
    step = axes @ (axes.T @ gradient / sizes)
    nats = sizes @ (axes.T @ step) ** 2 / (2 * amplification)
    longest = np.abs(step).max()
    # Each step moves the model of one observation by at most this many nats.
    shorter = min(np.sqrt(0.5 / max(nats, 1e-300)), 1 / max(longest, 1e-300))
    return step * min(1.0, shorter)


def _covariance_of_mean(noise) -> NDArray:
    """Covariance of the mean of a stationary series ``(T, K)``, by √T batches."""
    size = max(int(np.sqrt(len(noise))), 1)
    n_batches = len(noise) // size
    batches = noise[-n_batches * size :].reshape(n_batches, size, -1).mean(axis=1)
    return np.atleast_2d(np.cov(batches, rowvar=False)) / n_batches
