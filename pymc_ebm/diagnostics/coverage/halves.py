"""Whether two halves of a reference's points agree on how log Z changes with the parameters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.groups import group_variance
from pymc_ebm.weights.normalised import normalise

__all__ = ["compare_halves"]


def compare_halves(
    reference: Reference, log_weights: NDArray, every: int = 1
) -> tuple[float, float]:
    r"""Compare differences of log Ẑ between parameter values, by two halves of the groups.

    .. math:: Δ_s = \log \frac{\hat Z_A(θ_s)}{\hat Z_A(θ_0)}
              − \log \frac{\hat Z_B(θ_s)}{\hat Z_B(θ_0)}

    Its variance comes from the spread of the groups within the halves. Chains that have not mixed
    show a Δ beyond it, where the spread within each chain is small. The halves are the earlier and
    the later groups: of a chain in time, of pooled chains at each anchor. Of independent draws,
    whose order says nothing, they are drawn at random.

    Parameters
    ----------
    reference : Reference
    log_weights : ndarray
        a_m − E(y_m | θ_s) in nats, ``(S, M)``.
    every : int
        Which points these are: each k-th.

    Returns
    -------
    nats : float
        Largest absolute Δ; NaN where there are too few groups or values to tell.
    p : float
        Probability of a difference as significant as the largest, by Student's t and Bonferroni;
        1 where none was computed.
    """
    groups = reference.groups[::every]
    strata = reference.strata()[::every]
    alone = reference.n_groups == reference.n_points
    side = _sides(groups, strata, np.random.default_rng(0) if alone else None)
    if side is None or len(log_weights) < 2:
        return np.nan, 1.0
    changes, variance, freedom = [], np.zeros(len(log_weights) - 1), 0
    for half in (0, 1):
        mine = side == half
        labels, of_stratum = groups[mine], strata[mine]
        # Every anchor counts as in the whole, however its groups were divided.
        share = np.bincount(of_stratum) / np.bincount(strata)
        log_z, weights = normalise(log_weights[:, mine] - np.log(share)[of_stratum])
        changes.append(log_z[1:] - log_z[0])
        for k in range(len(share)):
            known, numbers = np.unique(labels[of_stratum == k], return_inverse=True)
            variance += group_variance((weights[1:] - weights[0])[:, of_stratum == k], numbers)
            freedom += len(known) - 1
    apart = np.abs(changes[0] - changes[1])
    if not np.isfinite(apart).all():
        return np.nan, 1.0
    # Equal parameters differ by rounding alone.
    z = apart / np.sqrt(np.maximum(variance, 1e-20))
    return float(apart.max()), float(min(1.0, 2 * len(z) * stats.t(freedom).sf(z.max())))


def _sides(groups: NDArray, strata: NDArray, rng: np.random.Generator | None) -> NDArray | None:
    """0 and 1 for earlier and later groups, or by chance, −1 for one between; None for few."""
    side = np.full(len(groups), -1)
    for k in range(strata.max() + 1):
        mine = strata == k
        known, rank = np.unique(groups[mine], return_inverse=True)
        half = len(known) // 2
        if rng is not None:
            rank = rng.permutation(len(known))[rank]
        # Groups in half of a chain whose spread says anything.
        if half < 2:
            return None
        side[mine] = np.where(rank < half, 0, np.where(rank >= len(known) - half, 1, -1))
    return side
