"""Geyer's Monte Carlo maximum likelihood, with a reference that is moved to the estimate."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.hull._hull import hull_verdicts
from pymc_ebm.fitting.minimise import Minimum, inverse, minimise
from pymc_ebm.fitting.problem import Problem
from pymc_ebm.fitting.solution import Solution
from pymc_ebm.fitting.unresolved import unresolved
from pymc_ebm.reference._fitted import fitted
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.base import Space
from pymc_ebm.space.box import Support
from pymc_ebm.space.sites import Sites
from pymc_ebm.space.whole_numbers import WholeNumbers

__all__ = [
    "check_maximum",
    "geyer",
    "largest_share",
    "likelihood_solution",
    "no_maximum",
    "unbounded",
]


def geyer(
    problem: Problem,
    start: NDArray,
    *,
    advance: Callable[[NDArray], None],
    random_seed=None,
    recenter: bool = True,
    mcse_share: float = 0.1,
    max_draws: int = 2**20,
    max_recenters: int = 10,
) -> Solution:
    r"""Minimise J_BL(θ) = Σ_n E(x_n | θ) + N log Ẑ(θ) (eq. 9) by a quasi-Newton method.

    While the reference adds more than a share of the standard error to a parameter, a new one is
    fitted to points resampled at the estimate (the paper's section 3.2), with more draws, and J_BL
    is minimised again from there. Exact references, q(y|θ), which follows the parameters by
    itself, chains, and those of energies that take a fixed number of points (``wrap_jax``) stay as
    they are.

    Parameters
    ----------
    problem : Problem
    start : ndarray
        ``(K,)``.
    advance : callable
        Called after every iteration.
    random_seed : optional
        Of the new references.
    recenter : bool, default True
    mcse_share : float
        Largest mcse/se of a parameter that is good enough.
    max_draws : int
        Most points of a new reference.
    max_recenters : int

    Returns
    -------
    Solution

    Raises
    ------
    ValueError
        Where J_BL has no minimum: the observed statistics lie outside the hull of the points'.
        Integer points without a stated support, where the model ends at the last of them.

    References
    ----------
    C. J. Geyer (1994), "On the convergence of Monte Carlo maximum likelihood calculations",
    J. R. Stat. Soc. B 56, 261–274.
    """
    rng = np.random.default_rng(random_seed)
    own = list(problem.references)
    movable = [
        i
        for i, reference in enumerate(own)
        if recenter
        and reference.refittable
        # Some energies, those of wrap_jax, take one number of points only.
        and problem.nodes[i].op.split.x.type.shape[0] is None
    ]
    path: list[NDArray] = []
    found: list[tuple[float, Solution]] = []
    at_limit = False
    try:
        for n_moved in range(max_recenters + 1):
            minimum = minimise(problem.loss, start, advance)
            path += minimum.path
            check_maximum(problem, minimum)
            solution = likelihood_solution(problem, minimum, path)
            share = largest_share(solution)
            found.append((share, solution))
            enough = share <= mcse_share or n_moved == max_recenters or minimum.problem
            if not movable or enough or (at_limit and share > 0.7 * found[-2][0]):
                break
            start = minimum.u
            growth = float(np.clip((share / mcse_share) ** 2, 1, 8))
            weights = problem.weights(minimum.u)
            at_limit = True
            for i in movable:
                rows = weights[i].size // problem.references[i].n_points
                # Rows of parameters times points of a new reference: 128 MiB an array.
                limit = min(max_draws, 2**24 // rows)
                draws = _power_of_two(growth * problem.references[i].n_points, limit)
                at_limit &= 2 * draws > limit
                problem.set_reference(i, _refit(problem.references[i], weights[i], draws, rng))
    finally:
        # The model still has its own references, and the problem may be solved again.
        for i in movable:
            problem.set_reference(i, own[i])
    least, best = min(found, key=lambda one: one[0])
    if movable and least > mcse_share:
        reason = (
            f"The reference still adds {100 * least:.3g}% of a standard error, more than "
            f"{100 * mcse_share:.3g}%, after {len(found) - 1} new references of at most "
            f"{max_draws} draws. Allow more draws, or start from a better reference: for lattices "
            "and networks reference.pooled."
        )
        return replace(best, converged=False, reason=reason, path=path)
    of_others = [r for r in own if not (r.refittable or r.follows_parameters or r.level == "exact")]
    if recenter and least > mcse_share and of_others:
        reason = (
            f"The draws add {100 * least:.3g}% of a standard error, more than "
            f"{100 * mcse_share:.3g}%. {of_others[0].larger((least / mcse_share) ** 2)}"
        )
        return replace(best, converged=False, reason=reason, path=path)
    return replace(best, path=path)


def likelihood_solution(
    problem: Problem, minimum: Minimum, path: list[NDArray], held: bool = False
) -> Solution:
    """Inverse Hessian for sampling, and H⁻¹VH⁻¹ for the references (Geyer's sandwich).

    With `held` for a root of the gradient of ``problem.held_loss``.
    """
    covariance = inverse(minimum.hessian)
    monte_carlo = covariance @ problem.gradient_variance(minimum.u, held) @ covariance
    wrong = minimum.problem or unresolved(problem, minimum.u, covariance)
    reason = wrong or "The gradient vanishes and the Hessian is positive definite."
    return Solution(
        minimum.u,
        covariance,
        monte_carlo,
        minimum.value,
        not wrong,
        reason,
        path,
        recession=minimum.recession,
    )


def largest_share(solution: Solution) -> float:
    """Largest mcse/se of a parameter; inf where one is not known."""
    shares = np.sqrt(np.diag(solution.monte_carlo) / np.diag(solution.covariance))
    return float(shares.max()) if np.isfinite(shares).all() else np.inf


def check_maximum(problem: Problem, minimum: Minimum) -> None:
    """Raise ValueError where it may be random points that leave J_BL without a minimum."""
    # Data on the edge of what a model can give are not far from its supremum.
    edge = minimum.recession is not None and minimum.recession.fall < 1
    random = any(reference.level != "exact" for reference in problem.references)
    if minimum.problem and random and not edge:
        raise ValueError(no_maximum(problem, minimum.u, minimum.problem))


def no_maximum(problem: Problem, u: NDArray, what: str) -> str:
    """The message that an estimated likelihood has no maximum, with the remedy."""
    found = (
        f"The estimated likelihood has no maximum: {what or 'it grows without bound'}, with "
        f"{problem.least_ess(u):.3g} effective points left. "
    )
    remedy = "widen or re-centre the reference, or start closer with initval=."
    if unbounded(problem):
        return (
            f"{found}The statistics of the data lie outside the hull of those of the reference's "
            f"points: {remedy}"
        )
    return (
        f"{found}If these are few, the statistics of the data may lie outside those of the "
        f"reference's points: {remedy} If not, the model does not identify its parameters."
    )


def unbounded(problem: Problem) -> bool:
    """Whether the hull proves it: where other terms share the parameters, they may bound J."""
    terms = [*problem.model.observed_RVs, *problem.model.potentials]
    if problem.include_prior or len(terms) != 1 or len(problem.nodes) != 1:
        return False
    name = terms[0].name
    verdicts = hull_verdicts(problem.normalisers, references={name: problem.references[0]})
    return name in verdicts and verdicts[name].verdict == "outside"


def _refit(reference, weights, draws, rng) -> Reference:
    """A reference fitted to points that follow p(x | θ), by weights ``(*batch, M)``."""
    weights = weights.reshape(-1, reference.n_points).mean(axis=0)
    chosen = rng.choice(
        reference.n_points, min(4096, reference.n_points), p=weights / weights.sum()
    )
    return fitted(
        reference.points[chosen],
        draws,
        support=_space(reference, weights),
        event_ndim=len(reference.event_shape),
        random_seed=rng,
    )


def _space(reference: Reference, weights: NDArray) -> Space | None:
    """The space of a new reference: counts begin at 0.

    Integers without a stated support may end at the last point, as colours do, or go on, as counts
    do, and may begin at a first above 0. It makes no difference where p is negligible at the end;
    elsewhere only the user can tell.
    """
    if reference.space != WholeNumbers():
        return reference.support
    states = Sites.looks_like(reference.points)
    if states is not None:
        return states
    values = np.unique(reference.points)
    last = np.isin(reference.points, values[-1:] if values[0] == 0 else values[[0, -1]])
    share = weights @ last.reshape(len(last), -1).any(axis=1)
    # A truncation there changes nothing below.
    if share > 1e-3:
        raise ValueError(
            f"The reference has no stated support, its points run from {values[0]} to "
            f"{values[-1]}, and {100 * share:.3g}% of the model is at the end, so a new reference "
            f"would need to know whether the values go on. Give the reference support="
            f"({values[0]}, {values[-1]}) or ({values[0]}, np.inf), or use recenter=False."
        )
    return Support(0.0, np.inf) if values[0] >= 0 else None


def _power_of_two(draws: float, most: int) -> int:
    return int(2 ** np.floor(np.log2(max(min(draws, most), 64))))
