"""`find_MLE`, the entry to every method of point estimation."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm

from pymc_ebm.fitting._exact_gradient import exact_gradient
from pymc_ebm.fitting._geyer import geyer, unbounded
from pymc_ebm.fitting._gradient_descent import gradient_descent
from pymc_ebm.fitting._noise_contrastive import noise_contrastive
from pymc_ebm.fitting._pseudolikelihood import pseudolikelihood
from pymc_ebm.fitting._score_matching import score_matching
from pymc_ebm.fitting.estimate import PointEstimate
from pymc_ebm.fitting.problem import Problem
from pymc_ebm.fitting.solution import Solution
from pymc_ebm.given import model_given
from pymc_ebm.progress import progress

__all__ = ["METHODS", "find_MLE", "solve"]

#: A function (problem, start, *, advance, random_seed, **options) -> Solution.
Method = Callable[..., Solution]

METHODS: dict[str, Method] = {
    "geyer": geyer,
    "gradient_descent": gradient_descent,
    "exact_gradient": exact_gradient,
    "noise_contrastive": noise_contrastive,
    "score_matching": score_matching,
    "pseudolikelihood": pseudolikelihood,
}
# These do not look at the reference's points.
_BLIND = {score_matching, pseudolikelihood}


def find_MLE(
    method: str | Method = "geyer",
    *,
    model: pm.Model | None = None,
    include_prior: bool = False,
    start: dict[str, Any] | None = None,
    random_seed=None,
    progressbar: bool = True,
    **options,
) -> PointEstimate:
    """Estimate the parameters of a model that contains energy-based likelihoods.

    =====================  ====================================================================
    method                 what is minimised
    =====================  ====================================================================
    "geyer"                J_BL, the likelihood with the estimated normaliser (eq. 9), by
                           quasi-Newton steps; the reference follows the estimate
    "gradient_descent"     J_BL by gradient steps of a schedule (eq. 6)
    "exact_gradient"       the likelihood, from draws of p(x|θ) alone, by stochastic steps
                           (eqs. 14 and 17)
    "noise_contrastive"    the classification of data and reference, log Z being a parameter
    "score_matching"       the distance of ∂ log p/∂x, for continuous x; no normaliser
    "pseudolikelihood"     the sites' conditional likelihoods, for discrete x; no normaliser
    =====================  ====================================================================

    Parameters
    ----------
    method : str or callable
        A name, or a function of one's own: ``method(problem, start, *, advance, random_seed,
        **options)`` gets the compiled `Problem` and the unconstrained start ``(K,)``, calls
        ``advance(u)`` after every iteration and returns a `Solution`.
    model : pm.Model, optional
        The model of the context by default. Potentials count as likelihood.
    include_prior : bool, default False
        Add the prior's log density, without Jacobians: the posterior mode, as ``pm.find_MAP``.
    start : dict, optional
        Initial values by variable name, in constrained space, as ``pm.find_MAP`` takes them.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    progressbar : bool, default True
    **options
        Options of the method: see the functions of `pymc_ebm.fitting`.

    Returns
    -------
    PointEstimate
        Estimates, their standard errors of sampling (`se`) and what the reference or the draws
        add (`mcse`), by variable name; those of Deterministics by the delta method.

    Raises
    ------
    TypeError
        An option that the method has not.
    ValueError
        An unknown method; a start of another shape; a model without continuous free variables or
        without data; a method that cannot serve the model; an estimated likelihood without a
        maximum.

    Examples
    --------
    >>> import numpy as np, pymc as pm, pymc_ebm as ebm
    >>> data = np.array([-1.0, 2.0, 0.5, -0.5, 1.5, -2.5])
    >>> with pm.Model():
    ...     sigma = pm.HalfFlat("sigma")
    ...     line = ebm.reference.quadrature(-np.inf, np.inf)
    ...     x = ebm.EBM(
    ...         "x", sigma, energy=lambda x, s: x**2 / (2 * s**2), reference=line, observed=data
    ...     )
    ...     fit = ebm.find_MLE(progressbar=False)
    >>> print(f"{fit.estimate['sigma']:.4f} {np.sqrt(np.mean(data**2)):.4f}")
    1.5275 1.5275
    >>> print(f"{fit.se['sigma'] / fit.estimate['sigma'] * np.sqrt(2 * 6):.3f}")
    1.000
    """
    own = _function_of(method)
    problem = Problem(model_given(model), include_prior)
    if own in (geyer, gradient_descent) and unbounded(problem):
        raise ValueError(
            "The estimated likelihood has no maximum: the statistics of the data lie outside the "
            "hull of those of the reference's points. To mend it, widen or re-centre the reference."
        )
    return solve(
        problem, method, start=start, random_seed=random_seed, progressbar=progressbar, **options
    )


def solve(
    problem: Problem,
    method: str | Method = "geyer",
    *,
    start: dict[str, Any] | None = None,
    random_seed=None,
    progressbar: bool = False,
    **options,
) -> PointEstimate:
    """`find_MLE` of a problem that is compiled already, for example after ``pm.set_data``.

    Parameters
    ----------
    problem : Problem
    method, start, random_seed, progressbar, **options
        As for `find_MLE`.

    Returns
    -------
    PointEstimate

    Raises
    ------
    ValueError
        As for `find_MLE`; whether the data lie in the hull of the points is not looked at.
    """
    own = _function_of(method)
    if own in _BLIND and any(reference.selected for reference in problem.references):
        raise ValueError(
            f"The method {own.__name__!r} knows nothing of the draws that a selection threw away. "
            f"Use {', '.join(sorted(n for n, m in METHODS.items() if m not in _BLIND))}."
        )
    name = method if isinstance(method, str) else getattr(own, "__name__", str(own))
    _check_options(name, own, options)
    with progress(progressbar) as bar:
        task = bar.add_task(f"find_MLE, {name}", total=None)
        solution = own(
            problem,
            problem.start_at(start),
            advance=lambda u: bar.advance(task),
            random_seed=random_seed,
            **options,
        )
    return _point_estimate(problem, name, solution)


def _check_options(name: str, own: Method, options: dict[str, Any]) -> None:
    parameters = inspect.signature(own).parameters.values()
    known = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    unknown = [option for option in options if option not in known]
    if unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        own_options = [n for n in known if n not in ("advance", "random_seed")]
        raise TypeError(
            f"The method {name!r} has no option {', '.join(unknown)}. Its options are "
            f"{', '.join(own_options) or 'none'}."
        )


def _function_of(method: str | Method) -> Method:
    if callable(method):
        return method
    if method not in METHODS:
        raise ValueError(
            f"The method {method!r} is unknown. Use one of {', '.join(METHODS)}, or a function "
            "that returns a Solution."
        )
    return METHODS[method]


def _point_estimate(problem, method, solution) -> PointEstimate:
    model = problem.model
    estimate = problem.constrained(solution.u)
    se = problem.standard_errors(solution.u, solution.covariance)
    mcse = problem.standard_errors(solution.u, solution.monte_carlo)
    reason = solution.reason
    if solution.recession is not None:
        estimate = solution.recession.limits(problem.constrained, solution.u)
        moved = _moved(problem, [*solution.path, solution.u][0], solution.recession.direction)
        se = {n: np.where(moved[n], np.inf, v) for n, v in se.items()}
        reason = _without_maximum(estimate, moved, solution.recession)
    steps = [problem.constrained(u) for u in solution.path]
    trace = {name: np.array([step[name] for step in steps]) for name in estimate}
    for name, numbers in solution.log_partition.items():
        key = f"{name}_log_partition"
        estimate[key], se[key], mcse[key] = (np.asarray(number) for number in numbers)
    return PointEstimate(
        method=method,
        estimate=estimate,
        se=se,
        mcse=mcse,
        objective=solution.objective,
        converged=solution.converged,
        reason=reason,
        trace=trace,
        dims={
            name: model.named_vars_to_dims[name]
            for name in estimate
            if name in model.named_vars_to_dims
        },
        coords={
            name: np.asarray(labels) for name, labels in model.coords.items() if labels is not None
        },
    )


def _moved(problem, u, direction) -> dict[str, np.ndarray]:
    """Which parameters change along a direction, by their slopes at u, where none is at its end."""
    along = problem.standard_errors(u, np.outer(direction, direction))
    of_parts = problem.standard_errors(u, np.diag(direction**2))
    return {name: slope > 1e-6 * of_parts[name] for name, slope in along.items()}


def _without_maximum(estimate, moved, recession) -> str:
    """That there is no finite maximum, and which parameters go where."""
    ways = [
        f"{name}{list(index) if index else ''} → {value[index]:.4g}"
        for name, value in estimate.items()
        for index in np.ndindex(value.shape)
        if moved[name][index]
    ]
    return (
        f"There is no finite maximum: the objective improves for ever, by {recession.fall:.2g} in "
        f"all, as {' and '.join(ways)}. The data lie on the edge of what the model can give. A "
        "prior bounds them: use include_prior=True, or pm.sample."
    )
