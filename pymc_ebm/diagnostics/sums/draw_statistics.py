"""Statistics of one normaliser at one posterior draw, of all its points at once or in blocks."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.sums.log_weights import LogWeights
from pymc_ebm.weights.normalised import ess, normalise
from pymc_ebm.weights.pareto_tails import TopLogWeights, pareto_k
from pymc_ebm.weights.running_totals import RunningTotals

__all__ = ["draw_statistics", "shared", "shares_of", "streamed_statistics"]

Statistics = dict[str, float]
Influence = Callable[[slice, NDArray], None]


def draw_statistics(
    log_weights: LogWeights, values: Sequence[NDArray], c: NDArray, add_influence: Influence
) -> Statistics:
    """Statistics of a normaliser, with the log weights of all rows and points in memory.

    Parameters
    ----------
    log_weights : LogWeights
    values : sequence of ndarray
        Of the parameters of `log_weights`.
    c : ndarray
        Amplification of each row, ``(R,)``.
    add_influence : callable
        ``add_influence(points, influence)`` receives Σ_r c_r w̄_mr of slices of the points.

    Returns
    -------
    dict of float
        As `compute_reference_stats` describes them.
    """
    reference = log_weights.reference
    rows = log_weights.all(values)
    log_z, weights = normalise(rows)
    shares = shares_of(c)
    coarse = reference.coarser(rows)
    level, likelihood, k_hat = np.zeros(()), np.zeros(()), -np.inf
    if reference.level != "exact":
        influence = reference.influence(reference.amplified(c, weights))
        add_influence(slice(0, reference.n_points), influence)
        # Influences are linear: that on the level is a share of that on the log-likelihood.
        total = c.sum()
        of_level = (
            influence / total
            if total != 0
            else reference.influence(reference.amplified(shares, weights))
        )
        level = reference.level_variance(of_level)
        likelihood = reference.variance(influence)
        k_hat = pareto_k(reference.tail(c, rows, weights))
    return {
        "log_partition": shared(shares, log_z),
        "log_partition_mcse": np.sqrt(level),
        "ess": ess(weights).min(),
        "pareto_k": k_hat,
        "amplification": c.sum(),
        "loglik_variance": likelihood,
        "zero_weight_share": np.isneginf(rows).mean(axis=1).max(),
        "edge_weight": reference.edge_weight(weights).max(),
        "quadrature_error": 0.0 if coarse is None else _change(normalise(coarse)[0], log_z),
    }


def streamed_statistics(
    log_weights: LogWeights, values: Sequence[NDArray], c: NDArray, add_influence: Influence
) -> Statistics:
    """`draw_statistics` in two passes over the points, of which a block is in memory."""
    reference, n_rows = log_weights.reference, len(c)
    totals, coarse, of_coarse = RunningTotals(n_rows), RunningTotals(n_rows), None
    without_weight, exact = np.zeros(n_rows), reference.level == "exact"
    for points, rows in log_weights.blocks(values):
        totals.add(rows)
        without_weight += np.isneginf(rows).sum(axis=1)
        of_coarse = reference.coarser(rows, points)
        if of_coarse is not None:
            coarse.add(of_coarse)
    worst, shares = int(np.argmin(totals.ess)), shares_of(c)
    level, likelihood = reference.group_spread(shares.sum()), reference.group_spread(c.sum())
    top, edge = TopLogWeights(reference.n_points), np.zeros(n_rows)
    for points, rows in log_weights.blocks(values):
        weights = totals.weights(rows)
        edge += reference.edge_weight(weights, points)
        if not exact:
            influence = c @ weights
            add_influence(points, influence)
            likelihood.add(points, influence)
            level.add(points, shares @ weights)
            top.add(rows[worst])
    return {
        "log_partition": shared(shares, totals.log_z),
        "log_partition_mcse": 0.0 if exact else np.sqrt(level.variance),
        "ess": totals.ess[worst],
        "pareto_k": -np.inf if exact else top.pareto_k(),
        "amplification": c.sum(),
        "loglik_variance": 0.0 if exact else likelihood.variance,
        "zero_weight_share": without_weight.max() / reference.n_points,
        "edge_weight": edge.max(),
        "quadrature_error": 0.0 if of_coarse is None else _change(coarse.log_z, totals.log_z),
    }


def shares_of(c: NDArray) -> NDArray:
    """Shares of the rows in a normaliser's level."""
    total = c.sum()
    # A normaliser that the log-probability ignores still has a value to show.
    return c / total if total != 0 else np.full(c.size, 1 / c.size)


def shared(shares: NDArray, log_z: NDArray) -> float:
    """Level of a normaliser: the mean of its rows by their shares."""
    # 0 × −inf is NaN, and a row without a share has no say.
    used = shares != 0
    return shares[used] @ log_z[used]


def _change(coarse: NDArray, fine: NDArray) -> float:
    """Change of log Ẑ by a coarser rule, in nats: an upper bound where the rules converge."""
    # Two empty sums agree; the failure of log Ẑ itself is reported as such.
    with np.errstate(invalid="ignore"):
        return float(np.where(coarse == fine, 0.0, np.abs(coarse - fine)).max())
