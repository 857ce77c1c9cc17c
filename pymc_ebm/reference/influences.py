"""What the points of a reference do to a result, and the error that this gives it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.reference.chains.pool import Pool
from pymc_ebm.weights.group_sums import GroupSpread, GroupSums
from pymc_ebm.weights.groups import group_covariance, group_variance
from pymc_ebm.weights.normalised import ess

__all__ = ["Influences"]


class Influences:
    """Part of a `Reference`: its errors, from the influences of its points."""

    groups: NDArray
    exact: bool
    unused_draws: int
    pool: Pool | None
    level_mcse: float

    def amplified(self, c, weights):
        """Influence of the weights on the log-likelihood, Σ_r c_r w̄_mr.

        Parameters
        ----------
        c : ndarray or graph, shape (R,)
        weights : ndarray or graph, shape (R, M)
            Normalised.

        Returns
        -------
        ndarray or graph
            One number for each point.
        """
        return c @ weights

    def tail(self, c: NDArray, log_weights: NDArray, weights: NDArray) -> NDArray:
        """Log weights of which k-hat is asked: those of the row with the least effective points.

        Parameters
        ----------
        c : ndarray, shape (R,)
        log_weights, weights : ndarray, shape (R, M)
        """
        return log_weights[int(np.argmin(ess(weights)))]

    def influence(self, of_weights: NDArray) -> NDArray:
        """Influence of the points on a result, from that of their weights, ``(..., M)``.

        They differ for pooled chains alone, whose a_m the points have estimated themselves.
        """
        return of_weights if self.pool is None else self.pool.influence(of_weights)

    def level_variance(self, influence: NDArray) -> NDArray:
        """`variance` of log Ẑ itself, with what an estimate given for its level adds."""
        return self.variance(influence) + self.level_mcse**2

    def variance(self, influence: NDArray) -> NDArray:
        """Variance of results from the influences of the points on them, ``(..., M)`` to ``(...)``.

        Unused draws count. 0 for exact rules, NaN for a single group, whose spread is unknown.
        """
        if self.exact:
            return np.zeros(np.shape(influence)[:-1])
        return group_variance(influence, self.groups, self.unused_draws)

    def covariance(self, influence: NDArray) -> NDArray:
        """Covariance ``(K, K)`` of results from the influences on them, ``(K, M)``."""
        if self.exact:
            return np.zeros((len(influence), len(influence)))
        return group_covariance(influence, self.groups, self.unused_draws)

    def group_sums(self, most: int | None = None, results: tuple[int, ...] = ()) -> GroupSums:
        """Running sums by group of influences on `results`, in at most `most` groups."""
        return GroupSums(self.groups, self.unused_draws, most=most, results=results)

    def group_spread(self, total: float) -> GroupSpread:
        """Running `variance` of influences whose sum is known."""
        return GroupSpread(self.groups, total, self.unused_draws)

    def strata(self) -> NDArray:
        """The anchor that made each point, ``(M,)`` from 0; 0 for all where there is one law."""
        return np.zeros(len(self.groups), dtype=int) if self.pool is None else self.pool.strata()
