"""Sums over the points of a normaliser whose reference is in shards, made where the shards are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.normalisers.find import Normaliser
from pymc_ebm.diagnostics.sums.draw_statistics import shared, shares_of
from pymc_ebm.diagnostics.sums.log_weights import LogWeights
from pymc_ebm.distributed.shard import Shard
from pymc_ebm.distributed.sharded_reference import ShardedReference, shards_of
from pymc_ebm.weights.group_sums import GroupSums
from pymc_ebm.weights.groups import variance_of_sums
from pymc_ebm.weights.pareto_tails import TopLogWeights
from pymc_ebm.weights.running_totals import RunningTotals

__all__ = ["GroupsOfShards", "ShardedLogWeights"]

# Groups of all shards together, beyond which they are merged: their sums come here at every draw.
_MOST_GROUPS = 4096


@dataclass(frozen=True)
class GroupsOfShards:
    """What the errors of estimates need of a reference: its groups, here without their points."""

    fingerprint: str
    n_groups: int
    unused: int
    level: Literal["absolute"] = "absolute"
    level_mcse: float = 0.0

    def group_sums(self, most: int | None = None, results: tuple[int, ...] = ()) -> GroupSums:
        """As `Reference.group_sums`, of sums that each shard has made of its groups."""
        return GroupSums(np.arange(self.n_groups), self.unused, most=most, results=results)


class ShardedLogWeights:
    """Statistics of one normaliser, of which the shards return sums by group.

    Parameters
    ----------
    normaliser : Normaliser

    Attributes
    ----------
    parameters : list of Variable
        What the log weights depend on besides the reference: graphs of the model's values.
    reference : GroupsOfShards
    points_per_row : int
        Of all shards together.
    """

    def __init__(self, normaliser: Normaliser):
        node = normaliser.nodes[0]
        reference: ShardedReference = node.op.reference
        self.parameters = normaliser.inputs.params
        self._row = normaliser.row
        self._shards = shards_of(node)
        self._most = max(_MOST_GROUPS // reference.shards, 16)
        sizes = np.array(self._shards.each(_sizes, self._most))
        self.points_per_row, n_groups, unused = sizes.sum(axis=0).tolist()
        self.reference = GroupsOfShards(reference.fingerprint, n_groups, unused)

    def statistics(
        self,
        values: Sequence[NDArray],
        c: NDArray,
        add_influence: Callable[[slice, NDArray], None],
    ) -> dict[str, float]:
        """Statistics by two passes over the points, as `streamed_statistics` makes them.

        Parameters
        ----------
        values : sequence of ndarray
            Of the parameters.
        c : ndarray
            Amplification of each row, ``(R,)``.
        add_influence : callable
            ``add_influence(groups, influence)`` receives Σ_r c_r w̄_mr summed by group.

        Returns
        -------
        dict of float
        """
        totals = RunningTotals(len(c))
        without_weight = np.zeros(len(c))
        for part, zeros in self._shards.each(_totals, self._row, len(c), values):
            totals.merge(part)
            without_weight += zeros
        worst, shares = int(np.argmin(totals.ess)), shares_of(c)
        found = self._shards.each(
            _influences,
            self._row,
            values,
            totals,
            c,
            shares,
            worst,
            self._most,
            self.points_per_row,
        )
        of_likelihood, of_level, tops = zip(*found, strict=True)
        influence = np.concatenate(of_likelihood)
        add_influence(slice(0, self.reference.n_groups), influence)
        spread = lambda sums: float(variance_of_sums(sums, self.reference.unused))
        top = TopLogWeights(self.points_per_row)
        for part in tops:
            top.merge(part)
        return {
            "log_partition": shared(shares, totals.log_z),
            "log_partition_mcse": np.sqrt(spread(np.concatenate(of_level))),
            "ess": totals.ess[worst],
            "pareto_k": top.pareto_k(),
            "amplification": c.sum(),
            "loglik_variance": spread(influence),
            "zero_weight_share": without_weight.max() / self.points_per_row,
            "edge_weight": 0.0,
            "quadrature_error": 0.0,
        }


def _sizes(shard: Shard, most: int) -> tuple[int, int, int]:
    """Points, groups that are left after merging, and unused draws in proportion."""
    merged = shard.reference.group_sums(most)
    return shard.reference.n_points, merged.n_groups, merged.unused


def _totals(
    shard: Shard, row: int | None, n_rows: int, values: Sequence[NDArray]
) -> tuple[RunningTotals, NDArray]:
    """Σ w and Σ w² of a shard, and how many of its points have no weight, ``(R,)``."""
    totals, zeros = RunningTotals(n_rows), np.zeros(n_rows)
    for _, rows in _blocks(shard, row, values):
        totals.add(rows)
        zeros += np.isneginf(rows).sum(axis=1)
    return totals, zeros


def _influences(
    shard: Shard,
    row: int | None,
    values: Sequence[NDArray],
    totals: RunningTotals,
    c: NDArray,
    shares: NDArray,
    worst: int,
    most: int,
    n_points: int,
) -> tuple[NDArray, NDArray, TopLogWeights]:
    """Sums by group of Σ_r c_r w̄_r and of the level's; the largest weights of the worst row."""
    likelihood, level = shard.reference.group_sums(most), shard.reference.group_sums(most)
    top = TopLogWeights(n_points)
    for points, rows in _blocks(shard, row, values):
        weights = totals.weights(rows)
        likelihood.add(points, c @ weights)
        level.add(points, shares @ weights)
        top.add(rows[worst])
    return likelihood.sums, level.sums, top


def _blocks(
    shard: Shard, row: int | None, values: Sequence[NDArray]
) -> Iterator[tuple[slice, NDArray]]:
    made = lambda: LogWeights(Normaliser("", [shard.node], row))
    log_weights = shard.once(("log weights", row), made)
    if log_weights.fits(values):
        return iter([(slice(0, shard.reference.n_points), log_weights.all(values))])
    return log_weights.blocks(values)
