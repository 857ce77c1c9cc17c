"""What truncated sums and the nodes of a quadrature leave out at an estimate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky

from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.fitting.problem import Problem
from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.normalised import ess, normalise

__all__ = ["unresolved"]

# Of a standard error, over which changes of the likelihood are taken for linear.
_STEP = 0.1


def unresolved(problem: Problem, u: NDArray, covariance: NDArray) -> str:
    """Say where exact references cut off or do not resolve the model, empty where they serve.

    The change of the loss that dropping the edge, or half of the nodes, makes has a slope, which
    moves the estimate by that times the covariance.

    Parameters
    ----------
    problem : Problem
    u : ndarray
        The estimate, ``(K,)``.
    covariance : ndarray
        Of sampling, ``(K, K)``.
    """
    names = {i: name for name, nodes in problem.nodes_of.items() for i in nodes}
    rules = [
        i
        for i, reference in enumerate(problem.references)
        if reference.level == "exact"
        and not (reference.complete and reference.coarse_log_weights is None)
    ]
    if not rules:
        return ""
    try:
        root = cholesky(covariance, lower=True)
    except (LinAlgError, ValueError):  # there is no estimate
        return ""
    function = problem.once("exact rules", lambda: _compiled(problem, rules))
    steps = _STEP * root.T
    changes = lambda places: np.array([_changes(problem, rules, function(v)) for v in places])
    # Of each rule by its edge and by its nodes, in standard errors.
    shifts = np.linalg.norm(changes(u + steps) - changes(u - steps), axis=0) / (2 * _STEP)
    outputs = function(u)
    for i, (edge, nodes), log_weights in zip(rules, shifts, outputs, strict=False):
        reference, name = problem.references[i], names[i]
        words = _of_edge(reference, name, edge) or _of_nodes(reference, name, nodes, log_weights)
        if words:
            return words
    return ""


def _compiled(problem: Problem, rules: list[int]):
    """Log weights of the rules, and then their amplifications."""
    nodes = [problem.nodes[i] for i in rules]
    log_weights = [node.op.log_weights(*node.inputs) for node in nodes]
    return compiled(
        [problem.u], [*log_weights, *[problem.amplification_graphs[i] for i in rules]], VECTORISED
    )


def _changes(problem: Problem, rules: list[int], outputs: list[NDArray]) -> list[list[float]]:
    """Nats by which the loss changes without the edge, and by the coarser rule, of each rule."""
    found = []
    for i, log_weights, c in zip(rules, outputs, outputs[len(rules) :], strict=False):
        reference = problem.references[i]
        log_z, weights = normalise(log_weights)
        edge = np.log1p(-np.minimum(reference.edge_weight(weights), 1 - 1e-9))
        coarse = reference.coarser(log_weights)
        change = 0.0 if coarse is None else normalise(coarse)[0] - log_z
        found.append([float(np.sum(c * edge)), float(np.sum(c * change))])
    return found


def _of_edge(reference: Reference, name: str, shift: float) -> str:
    if reference.complete:
        return ""
    remedy = f"Widen the space of {name} with reference=, or state complete=True if it ends there."
    if reference.edge is None:
        return f"The space of {name} is truncated and its edge is not known. {remedy}"
    # A heavy tail goes on beyond the edge for as long as before it.
    shift *= reference.n_points / max(reference.edge.sum(), 1)
    if shift <= Limits().added_share:
        return ""
    return (
        f"The truncated space of {name} cuts off mass, which may move the estimate by "
        f"{100 * shift:.3g}% of a standard error. {remedy}"
    )


def _of_nodes(reference: Reference, name: str, shift: float, log_weights: NDArray) -> str:
    if reference.coarse_log_weights is None:
        return ""
    # By symmetry half of the nodes may agree with all though the model falls in between.
    least, limits = float(ess(normalise(log_weights)[1]).min()), Limits()
    if shift <= limits.added_share and least >= limits.effective_nodes:
        return ""
    return (
        f"The nodes of {name} do not resolve the model: half of them move the estimate by "
        f"{100 * shift:.3g}% of a standard error, and {least:.3g} are effective. Raise the order "
        f"of the quadrature of {name}, or give bounds near the data."
    )
