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
from pymc_ebm.diagnostics.sums.point_sweep import PointSweep
from pymc_ebm.diagnostics.sums.shard_sweep import ShardSweep
from pymc_ebm.distributed import ShardedReference

__all__ = ["Sweep", "statistics_at", "sweep_of"]

Sweep = PointSweep | ShardSweep


def sweep_of(normaliser: Normaliser) -> Sweep:
    """The points of a normaliser: here, or in shards on other machines."""
    if isinstance(normaliser.reference, ShardedReference):
        return ShardSweep(normaliser)
    return PointSweep(normaliser)


def statistics_at(
    sweep: Sweep, values: Sequence[NDArray], c: NDArray, add_influence: Influence
) -> Statistics:
    """Statistics of a normaliser at one draw, of all its points at once where they fit.

    Parameters
    ----------
    sweep : Sweep
    values : sequence of ndarray
        Of the parameters of `sweep`.
    c : ndarray
        Amplification of each row, ``(R,)``.
    add_influence : callable
        ``add_influence(points, influence)`` receives Σ_r c_r w̄_mr of slices of the points.

    Returns
    -------
    dict of float
        As `compute_reference_stats` describes them.
    """
    if isinstance(sweep, ShardSweep):
        return sweep.statistics(values, c, add_influence)
    of_draw = draw_statistics if sweep.fits(values) else streamed_statistics
    return of_draw(sweep, values, c, add_influence)
