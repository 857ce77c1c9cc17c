"""Where the points of a reference are, and what any place weighs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.energy.split import evaluate
from pymc_ebm.reference.chains.pool import Pool
from pymc_ebm.reference.laws.proposal import Proposal
from pymc_ebm.space.law import Law

__all__ = ["PointWeights"]


class PointWeights:
    """Part of a `Reference`: its points and their log base weights, at θ and elsewhere."""

    points: NDArray
    log_weights: NDArray
    edge: NDArray | None
    coarse_log_weights: NDArray | None
    exact: bool
    n_groups: Any
    transport: Callable | None
    pool: Pool | None
    proposal: Law | Proposal | None

    def at(self, params: Sequence, base=None) -> tuple[Any, Any]:
        """Graphs of the points ``(M, *event)`` and of a_m ``(M,)`` at one row of parameters.

        Parameters
        ----------
        params : sequence of Variable
            In the order of the energy's, each of its core shape.
        base : Variable, optional
            Base points to move; this reference's own by default. Points that stay ignore it.
        """
        if self.transport is None:
            return pt.constant(self.points), pt.constant(self.log_weights)
        self.check_follows(len(params))
        points, log_weights = self.transport(
            pt.constant(self.points) if base is None else base, *params
        )
        return points, log_weights

    def check_follows(self, n_params: int) -> None:
        """Refuse points that follow other parameters than the `n_params` of an energy."""
        follows = getattr(self.transport, "n_params", n_params)
        if follows != n_params:
            raise ValueError(
                f"The function for q(y|θ) takes {follows} parameters, and the energy gets "
                f"{n_params}. Give it those of the energy, in their order."
            )

    def follows_like(self, other: PointWeights) -> bool:
        """Whether the points follow θ by the map that moves another one's, or none does."""
        return self.transport is other.transport

    def middle(self) -> NDArray:
        """The point nearest to the middle of all, ``(*event,)``; 0 where they move."""
        if self.transport is not None:
            return np.zeros(self.points.shape[1:])
        rows = self.points.reshape(len(self.points), -1)
        distance = np.abs(rows - np.median(rows, axis=0)).sum(axis=1)
        return self.points[np.argmin(distance)]

    def independent_draws(self) -> tuple[NDArray, NDArray] | None:
        """The points and log q of each but for a constant, where they are independent draws."""
        dependent = self.n_groups < len(self.points)
        if self.exact or self.transport is not None or dependent:
            return None
        return self.points, -self.log_weights

    def points_at(self, params: Sequence, which: slice = slice(None)) -> NDArray:
        """Numbers of the points at one row of parameters, ``(M, *event)``, or of a slice."""
        if self.transport is None:
            return self.points[which]
        base = pt.constant(self.points[which])
        return evaluate([self.at([pt.as_tensor(p) for p in params], base)[0]])[0]

    def log_base(
        self,
        x: NDArray,
        params: Sequence[NDArray] = (),
        energy: Callable[[Sequence[NDArray]], NDArray] | None = None,
    ) -> NDArray | None:
        r"""Log base weight a(x) that any place would have as a point.

        It is −log q(x) − log(total draws), or minus the log of the mixture behind pooled chains, so
        that exp(−a(x)) is the density of draws at x.

        Parameters
        ----------
        x : ndarray
            ``(N, *event)``.
        params : sequence of ndarray
            One row, in the order of the energy's.
        energy : callable, optional
            ``energy(theta)`` gives E(x | θ), ``(N,)``, at the parameters of an anchor. Only pooled
            chains need it.

        Returns
        -------
        ndarray or None
            ``(N,)`` in nats; None where the law behind the points is not known, or is not the one
            that made their weights.
        """
        if self.pool is not None:
            return energy and self.pool.log_base(x, [np.shape(p) for p in params], energy)
        if self.proposal is None:
            return None
        if self.transport is not None:
            return -self.proposal.log_density(x, *params) - np.log(len(self.points))
        # Whether it made the base weights is looked at for some of the points.
        some = np.linspace(0, len(self.points) - 1, 200).astype(int)
        own = self.log_weights[some] + self.proposal.log_density(self.points[some])
        own = own[np.isfinite(own)]
        # −log M, or that of all draws where a support has dropped some; else another law made them.
        if own.size == 0 or np.ptp(own) > 1e-6:
            return None
        return own[0] - self.proposal.log_density(x)

    def edge_weight(self, weights: NDArray, points: slice = slice(None)) -> NDArray:
        """Weight at the edge of a truncated space, of a slice of points ``(..., B)``; 0 if none."""
        if self.edge is None:
            return np.zeros(weights.shape[:-1])
        return weights[..., self.edge[points]].sum(axis=-1)

    def coarser(self, log_weights: NDArray, points: slice = slice(None)) -> NDArray | None:
        """Log weights ``(..., B)`` of a slice by the coarser rule that came along, if one did.

        −inf at the points that it does not use.
        """
        if self.coarse_log_weights is None:
            return None
        coarse, fine = self.coarse_log_weights[points], self.log_weights[points]
        used = np.isfinite(coarse)
        return np.where(used, log_weights + np.where(used, coarse - fine, 0.0), -np.inf)
