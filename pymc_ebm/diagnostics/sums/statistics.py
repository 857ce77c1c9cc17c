"""Sums over the points of a normaliser, wherever they are."""

from collections.abc import Sequence

from numpy.typing import NDArray

from pymc_ebm.diagnostics.normalisers.find import Normaliser
from pymc_ebm.diagnostics.sums.draw_statistics import (
    Influence,
    Statistics,
    draw_statistics,
    streamed_statistics,
)
from pymc_ebm.diagnostics.sums.log_weights import LogWeights
from pymc_ebm.diagnostics.sums.sharded_log_weights import ShardedLogWeights
from pymc_ebm.distributed import ShardedReference

__all__ = ["log_weights_of", "statistics_at"]


def log_weights_of(normaliser: Normaliser) -> LogWeights | ShardedLogWeights:
    """The points of a normaliser: here, or in shards on other machines."""
    if isinstance(normaliser.reference, ShardedReference):
        return ShardedLogWeights(normaliser)
    return LogWeights(normaliser)


def statistics_at(
    log_weights: LogWeights | ShardedLogWeights,
    values: Sequence[NDArray],
    c: NDArray,
    add_influence: Influence,
) -> Statistics:
    """Statistics of a normaliser at one draw, of all its points at once where they fit.

    Parameters
    ----------
    log_weights : LogWeights or ShardedLogWeights
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
    if isinstance(log_weights, ShardedLogWeights):
        return log_weights.statistics(values, c, add_influence)
    of_draw = draw_statistics if log_weights.fits(values) else streamed_statistics
    return of_draw(log_weights, values, c, add_influence)
