"""J recovered from its gradient along a path: section 5, remark c, of the paper."""

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from pymc_ebm.diagnostics.normalisers.own_scale import on_own_scale
from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.fitting.model_draws import ModelDraws
from pymc_ebm.fitting.problem import Problem
from pymc_ebm.given import model_given
from pymc_ebm.reference._quadrature import gauss_legendre, half_rule
from pymc_ebm.sampling._independent_metropolis import independent_metropolis

__all__ = ["PathIntegral", "path_integral"]


class PathIntegral(NamedTuple):
    """A difference of J, with its error.

    Attributes
    ----------
    value : float
        J(θ1) − J(θ0), in nats.
    mcse : float
        Monte Carlo standard error of the draws, in nats.
    positions : ndarray
        Nodes on the path, from 0 at θ0 to 1 at θ1.
    slopes : ndarray
        dJ/dt at the nodes, in nats.
    """

    value: float
    mcse: float
    positions: NDArray
    slopes: NDArray


def path_integral(
    theta0: dict[str, Any],
    theta1: dict[str, Any],
    *,
    model: pm.Model | None = None,
    sampler: Callable[..., Any] = independent_metropolis,
    draws: int = 1000,
    nodes: int = 10,
    random_seed=None,
    runs: int = 5,
) -> PathIntegral:
    r"""J(θ1) − J(θ0) from draws of the model alone: its weights would need Z (eq. 15).

    .. math:: J(θ_1) - J(θ_0) = \int_0^1 (θ_1 - θ_0) \cdot ∇J(θ_0 + t(θ_1 - θ_0)) \, dt

    with ∇J by eq. 14 at the nodes of a Gauss–Legendre rule, in the constrained space.

    Parameters
    ----------
    theta0, theta1 : dict
        Values of every free variable by name.
    model : pm.Model, optional
        The model of the context by default.
    sampler : callable
        As for `exact_gradient`.
    draws : int
        Draws at each node, for each row of parameters.
    nodes : int
        Nodes of the rule, exact for slopes that are polynomials of degree 2·nodes − 1 in t.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    runs : int
        Independent runs of the sampler at a node, 2 at least, whose spread shows its
        autocorrelation too.

    Returns
    -------
    PathIntegral

    Raises
    ------
    ValueError
        Values that are unknown, missing, of another shape or that their prior excludes, fewer than
        two runs, and what `exact_gradient` refuses.

    Warns
    -----
    UserWarning
        Half of the nodes give another integral: the rule does not resolve the slope.

    Examples
    --------
    The mean of a Gaussian of known variance, with its own exact sampler:

    >>> import numpy as np, pymc as pm, pymc_ebm as ebm
    >>> x = np.array([0.2, 1.1, 0.5, -0.4])
    >>> with pm.Model():
    ...     mu = pm.Flat("mu")
    ...     q = ebm.reference.independent(pm.Normal.dist(0, 3), random_seed=1)
    ...     y = ebm.EBM("y", mu, energy=lambda x, m: (x - m) ** 2 / 2, reference=q, observed=x)
    ...     found = ebm.fitting.path_integral(
    ...         {"mu": 0.0},
    ...         {"mu": 2.0},
    ...         sampler=lambda rng, draws, mu: rng.normal(mu, 1, draws),
    ...         random_seed=1,
    ...     )
    >>> truth = ((x - 2) ** 2 - x**2).sum() / 2
    >>> bool(abs(found.value - truth) < 4 * found.mcse)
    True
    """
    if runs < 2:
        raise ValueError(f"runs is {runs}, and the error is that of their spread. Give 2 or more.")
    model = model_given(model)
    problem = Problem(on_own_scale(model))
    ends = [problem.flat(_point(problem, theta)) for theta in (theta0, theta1)]
    _check_possible(problem, ends)
    direction = ends[1] - ends[0]
    model_draws = ModelDraws(problem)
    model_draws.check_linear(ends[0])
    rng = np.random.default_rng(random_seed)
    positions, weights = gauss_legendre(nodes)
    positions, weights = (1 + positions) / 2, weights / 2
    slopes, variances = [], []
    for t in positions:
        u = ends[0] + t * direction
        found = []
        for _ in range(runs):
            points = model_draws.draw(u, -(-draws // runs), sampler, rng, None)
            found.append(direction @ model_draws.gradient(u, points))
        slopes.append(np.mean(found))
        variances.append(np.var(found, ddof=1) / runs)
    value, mcse = weights @ slopes, np.sqrt(weights**2 @ variances)
    change = half_rule(nodes) / 2 - weights
    away, noise = abs(change @ slopes), np.sqrt(change**2 @ variances)
    if away > 4 * noise + 1e-9 * abs(value):
        warnings.warn(
            f"Half of the {nodes} nodes change the integral by {away:.3g} nats, beyond the error "
            f"of the draws, {noise:.3g}: the slope is not resolved. Raise nodes.",
            UserWarning,
            stacklevel=2,
        )
    return PathIntegral(float(value), float(mcse), positions, np.array(slopes))


def _check_possible(problem, ends) -> None:
    """Both ends must be possible parameters: a likelihood goes on where they are not."""
    log_priors = problem.in_u(problem.model.logp(vars=problem.free, sum=False))
    function = compiled([problem.u], log_priors, VECTORISED)
    for u in ends:
        for rv, log_prior in zip(problem.free, function(u), strict=True):
            if np.isneginf(log_prior).any():
                value = problem.constrained(u)[rv.name]
                raise ValueError(
                    f"The path has {rv.name} = {np.array2string(value, threshold=6)} at an end, "
                    "which its prior excludes. Give possible values."
                )


def _point(problem, theta) -> dict[str, NDArray]:
    unknown = set(theta) - {rv.name for rv in problem.free}
    if unknown:
        raise ValueError(
            f"The path has {', '.join(sorted(unknown))}, which the model has not. Its free "
            f"variables are {', '.join(rv.name for rv in problem.free)}."
        )
    missing = {rv.name for rv in problem.free} - set(theta)
    if missing:
        raise ValueError(
            f"The path has no value of {', '.join(sorted(missing))}. Give every free variable."
        )
    for rv in problem.free:
        shape, given = problem.start[rv.name].shape, np.shape(theta[rv.name])
        if given != shape:
            raise ValueError(
                f"{rv.name} has shape {shape}, and the path gives it {given}. Give it its "
                "own shape."
            )
    return {rv.name: np.asarray(theta[rv.name], dtype=float) for rv in problem.free}
