"""Hyvärinen's score matching, for continuous x on the whole space."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.replace import graph_replace

from pymc_ebm.distribution.observed_ebm import ObservedEBM
from pymc_ebm.fitting.energies_and_data import energies_and_data
from pymc_ebm.fitting.loss import Loss
from pymc_ebm.fitting.minimise import minimise
from pymc_ebm.fitting.problem import Problem
from pymc_ebm.fitting.sandwich import compile_scores, sandwich
from pymc_ebm.fitting.smoothness import Smoothness
from pymc_ebm.fitting.solution import Solution

__all__ = ["score_matching"]


def score_matching(
    problem: Problem,
    start: NDArray,
    *,
    advance: Callable[[NDArray], None],
    random_seed=None,
) -> Solution:
    r"""Match the gradients of log p and of the log data density in x; log Z drops out.

    .. math:: J = \sum_n \sum_i \tfrac12 (∂_i E(x_n \mid θ))^2 - ∂_i^2 E(x_n \mid θ)

    Parameters
    ----------
    problem : Problem
    start : ndarray
        ``(K,)``.
    advance : callable
        Called after every iteration.
    random_seed : optional
        Not used.

    Returns
    -------
    Solution
        Without Monte Carlo error: no reference takes part. J has no unit of information.

    Raises
    ------
    ValueError
        A model that is not all EBMs; discrete data; a bounded support, where the integration by
        parts leaves a boundary term; an energy that jumps or has a kink between data, as of
        ``abs(x)``, ``pt.maximum`` or a ReLU, whose second derivative lacks what the kink adds.

    References
    ----------
    A. Hyvärinen (2005), "Estimation of non-normalized statistical models by score matching",
    JMLR 6, 695–709.
    """
    loss, scores, smoothness = problem.once("score_matching", lambda: _compile(problem))
    # A kink may have no weight at the start, and be beyond the data at other parameters.
    _check_smooth(smoothness, start + np.random.default_rng(0).normal(size=start.shape))
    minimum = minimise(loss, start, advance)
    _check_smooth(smoothness, minimum.u)
    covariance = sandwich(minimum.hessian, np.concatenate([s(minimum.u) for s in scores]))
    return Solution(
        minimum.u,
        covariance,
        np.zeros_like(covariance),
        minimum.value,
        not minimum.problem,
        minimum.problem or "The gradient vanishes and the Hessian is positive definite.",
        minimum.path,
        recession=minimum.recession,
    )


def _compile(problem: Problem) -> tuple[Any, ...]:
    ebms = energies_and_data(problem, "score_matching")
    terms = [_terms(ebm) for ebm in ebms]
    loss = Loss(pt.add(*[t.sum() for t in terms], 0.0), problem.u)
    scores = [compile_scores(t, problem.u) for t in terms]
    return loss, scores, [Smoothness(ebm, problem.u) for ebm in ebms]


def _check_smooth(smoothness: list[Smoothness], u: NDArray) -> None:
    for one in smoothness:
        jumping = one.jump(u)
        if jumping:
            raise ValueError(
                f"Score matching needs an energy that is smooth in x, and that of {one.ebm.name} "
                f"has a jump of its {jumping} between data, as abs(x), a ReLU or a step has. Use "
                'method="geyer".'
            )


def _terms(ebm: ObservedEBM):
    """One term for each observation, ``(N,)``."""
    space = ebm.reference.space
    if ebm.reference.discrete:
        raise ValueError(
            f"Score matching differentiates in x, and the data of {ebm.name} are discrete. Use "
            'method="pseudolikelihood".'
        )
    if space.bounded:
        raise ValueError(
            f"Score matching needs densities that vanish at the ends of the space, and {ebm.name} "
            f'has the support {space}. Transform the data to the whole line, or use "geyer".'
        )
    x = pt.tensor("x", dtype="float64", shape=ebm.value.type.shape)
    slope = pt.grad(ebm.energies(x).sum(), x)
    batch_ndim = x.ndim - ebm.event_ndim
    terms = 0.5 * _over_event(slope**2, ebm.event_ndim)
    for index in np.ndindex(ebm.reference.event_shape):
        at = (slice(None),) * batch_ndim + index
        # Rows do not mix, so the derivative of the sum is each row's own.
        terms -= pt.grad(slope[at].sum(), x)[at]
    [terms] = graph_replace([terms], {x: pt.as_tensor(ebm.value).astype("float64")}, strict=False)
    return ebm.within_domain(terms.ravel())


def _over_event(x, event_ndim):
    return x.sum(axis=tuple(range(x.ndim - event_ndim, x.ndim))) if event_ndim else x
