"""A reference: the weighted set of points that estimates a normaliser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.energy.fingerprint import digest_of, function_identity
from pymc_ebm.reference.chains.pool import Pool
from pymc_ebm.reference.checks import check_all, lists_some
from pymc_ebm.reference.frozen import frozen
from pymc_ebm.reference.influences import Influences
from pymc_ebm.reference.laws.proposal import Proposal
from pymc_ebm.reference.moving import restricted_transport
from pymc_ebm.reference.point_weights import PointWeights
from pymc_ebm.reference.words import Words
from pymc_ebm.space.base import Space
from pymc_ebm.space.box import Support
from pymc_ebm.space.constrained import constraint_of
from pymc_ebm.space.guess import space_of_points
from pymc_ebm.space.law import Law
from pymc_ebm.space.named import normalise_support

__all__ = ["Reference"]


@dataclass(frozen=True, eq=False, repr=False)
class Reference(PointWeights, Influences, Words):
    """A weighted set of points, all that an estimate of log Z sees.

    The estimate is log Ẑ(θ) = logsumexp_m(a_m − E(y_m | θ)), in nats. Points of one group are
    dependent and groups are independent, so the variance of any sum of influences φ_m is
    G/(G−1) Σ_g (Φ_g − Φ̄)², where Φ_g is the sum over group g.

    Parameters
    ----------
    points : ndarray, shape ``(M, *event)``
        The points y_m, or base points where `transport` is given. A read-only copy is kept.
    log_weights : ndarray, shape (M,)
        The log base weights a_m in nats; ignored zeros when `transport` is given. −inf is a point
        without weight.
    groups : ndarray of int, shape (M,)
        The group of each point, 0 to G−1.
    support : Space, str or (lower, upper), optional
        The set over which Z is an integral or a sum: a space, or a box of which integer points are
        whole numbers and enumerated ones all.
    exact : bool
        Enumeration or quadrature, without Monte Carlo error.
    complete : bool, optional
        Nothing of the space is cut off; by default so, unless the support that is stated has more
        states than are listed.
    edge : ndarray of bool, shape (M,), optional
        The points at the edge of a truncated space.
    transport : callable, optional
        ``transport(base_points, *params)`` gives two graphs, the points ``(M, *event)`` and a_m
        ``(M,)``, for a reference that depends on θ.
    description : str
        Printed.
    coarse_log_weights : ndarray, optional
        Log weights ``(M,)`` of a coarser rule on some nodes of a quadrature, −inf at the others:
        the difference of the two values of log Z says how well they resolve it.
    absolute : bool
        Whether log Ẑ is that of Z itself, and not up to a constant.
    pool : Pool, optional
        The anchors of pooled chains, whose log Ẑ the same points have estimated.
    unused_draws : int
        Draws that were made and thrown away: groups without weight in every error estimate.
    proposal : Law or Proposal, optional
        The log density of q anywhere, and fresh draws of it, where the reference knows them. No
        part of the estimate of log Z nor of the fingerprint, as `remake` and `seconds` are not.
    remake : callable, optional
        ``remake(draws, random_seed, model_draws)`` makes another reference, as `again` says.
    selected : bool
        Whether what cannot be repeated here, a detector say, threw some of the draws away.
    level_mcse : float
        Error in nats that log Ẑ has in common at all θ.
    seconds : float
        Of processor time that it took to make, where known: a second estimate may take as long.

    Raises
    ------
    ValueError
        Fewer than 25 points that are not exact; points that are not finite, lie outside the
        support or are wrongly said to be all of it; a_m of NaN or +inf; shapes that disagree.

    Examples
    --------
    >>> import numpy as np
    >>> Reference(np.arange(3), np.zeros(3), np.arange(3), (0, 2), exact=True)
    Reference(3 points, 3 groups, event shape (), support {0, 1, 2}, exact)
    """

    points: np.ndarray
    log_weights: np.ndarray
    groups: np.ndarray
    support: Space = field(default_factory=Support)
    exact: bool = False
    complete: bool | None = None
    edge: np.ndarray | None = None
    transport: Callable | None = None
    description: str = ""
    unused_draws: int = 0
    coarse_log_weights: np.ndarray | None = None
    absolute: bool = True
    pool: Pool | None = None
    proposal: Law | Proposal | None = None
    remake: Callable[..., Reference] | None = None
    selected: bool = False
    level_mcse: float = 0.0
    seconds: float = 0.0

    fewest_points: ClassVar[int] = 25  # of which draws tell their own error

    def __post_init__(self):
        keep = lambda name, value: object.__setattr__(self, name, value)
        # Sums, differences and squares of small integers would wrap around.
        whole = np.asarray(self.points).dtype.kind in "iub"
        keep("points", frozen(self.points, np.int64 if whole else None))
        keep("log_weights", frozen(self.log_weights, np.float64))
        keep("groups", frozen(self.groups, np.int64))
        support = normalise_support(self.support)
        if self.transport is None and self.points.ndim and type(support) is not Support:
            support = support.of_data(self.points)
        keep("support", support)
        if self.edge is not None:
            keep("edge", frozen(self.edge, np.bool_))
        if self.coarse_log_weights is not None:
            keep("coarse_log_weights", frozen(self.coarse_log_weights, np.float64))
        check_all(self)
        if self.complete is None:
            keep("complete", not lists_some(self))

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one point."""
        return self.points.shape[1:]

    @property
    def n_points(self) -> int:
        """The number of points, M."""
        return self.points.shape[0]

    @property
    def n_rows(self) -> int | None:
        """Rows of parameters that have points of their own; None where all have the same."""
        return None

    @property
    def points_per_row(self) -> int:
        """Points that estimate the normaliser of one row of parameters."""
        return self.n_points

    @cached_property
    def n_groups(self) -> int:
        """The number of independent groups, G."""
        return int(self.groups.max()) + 1

    @property
    def total_draws(self) -> int:
        """The number of draws that were made, those that left no point included."""
        return self.n_points + self.unused_draws

    @property
    def total_groups(self) -> int:
        """The number of independent groups; each draw that left no point is one."""
        return self.n_groups + self.unused_draws

    @property
    def discrete(self) -> bool:
        """Whether Z is a sum."""
        return self.space.discrete

    @cached_property
    def space(self) -> Space:
        """What Z is an integral or a sum over: `support`, for events of these points' kind."""
        integers = self.points.dtype.kind != "f"
        return space_of_points(self.points, self.support, self.exact if integers else self.listed)

    @property
    def listed(self) -> bool:
        """Whether points are states that count alike, and no nodes of a quadrature."""
        return self.exact and self.coarse_log_weights is None and not self.log_weights.any()

    @property
    def level(self) -> Literal["exact", "absolute", "relative"]:
        """What log Ẑ is: without Monte Carlo error, that of Z itself, or up to a constant."""
        return "exact" if self.exact else "absolute" if self.absolute else "relative"

    @property
    def whole(self) -> bool:
        """Whether log Ẑ is that of the whole space and no estimate."""
        return self.exact and bool(self.complete)

    @property
    def states(self) -> NDArray | None:
        """All the states that there are, ``(M, *event)``, where they are enumerated."""
        return self.points if self.exact and self.discrete else None

    @property
    def follows_parameters(self) -> bool:
        """Whether the points follow θ, so that nothing of the energy is known beforehand."""
        return self.transport is not None

    @property
    def refittable(self) -> bool:
        """Whether independent draws of a law fitted to the model may take the points' place.

        Not where chains were needed, a selection left the points, or these obey more than their
        support says, whose law is then not known.
        """
        fixed = self.exact or self.follows_parameters or self.pool is not None or self.selected
        return not fixed and (
            type(self.support) is not Support or constraint_of(self.points) is None
        )

    @property
    def by_blocks(self) -> bool:
        """Whether the influence of points can be had in blocks, from their own weights alone."""
        return self.pool is None

    # Other references of its kind

    def again(
        self, draws: int, random_seed=None, model_draws: Callable[[], NDArray] | None = None
    ) -> Reference:
        """Make a reference of the same kind with other points, at least `draws` of them.

        Parameters
        ----------
        draws : int
        random_seed : optional
            As for ``numpy.random.default_rng``.
        model_draws : callable, optional
            Gives draws of the model, ``(B, *event)``, for a kind that adapts to them.

        Raises
        ------
        ValueError
            Where only the points are known.
        """
        if self.remake is None:
            raise ValueError(
                f"Of the reference ({self.description or 'by hand'}) only the points are known, so "
                "that no better one can be made. Give one with more points or of a better fit."
            )
        return self.remake(draws, random_seed, model_draws)

    def restricted_to(self, support) -> Reference:
        """The same points as a reference for a smaller space; points outside it are dropped.

        A dropped point counts as a draw of zero weight, so the estimate and its error stay right.

        Parameters
        ----------
        support : Space, str or (lower, upper)

        Returns
        -------
        Reference
            Its support is the part of `support` that lies in this reference's own.

        Raises
        ------
        ValueError
            Quadrature, whose rule holds on its own space only; chains with points outside; a
            support that holds no more than a few of the points.

        Examples
        --------
        >>> import pymc as pm, pymc_ebm as ebm
        >>> q = ebm.reference.independent(pm.Normal.dist(0, 3), 1000, random_seed=1)
        >>> half = q.restricted_to("positive")
        >>> half.n_points + half.unused_draws
        1000
        """
        support = self.support.intersection(normalise_support(support))
        if support == self.support:
            return self
        points = self.support.written_in(support, self.points)
        if points is not self.points:
            return replace(self, points=points, support=support, proposal=None)
        if self.exact and not self.discrete:
            raise ValueError(
                f"The support {support} is smaller than that of the reference, {self.support}, "
                "whose rule holds on its own space only. Make the reference on that support."
            )
        if self.transport is not None:
            transport = restricted_transport(self.transport, support.of_events(self.event_shape))
            return replace(self, support=support, transport=transport)
        inside = support.contains(self.points, len(self.event_shape))
        if inside.all():
            return replace(self, support=support)
        if self.pool is not None:
            raise ValueError(
                f"{(~inside).sum()} of {self.n_points} points of the chains lie outside the "
                f"support {support}. Make the chains on that support."
            )
        kept, groups = np.unique(self.groups[inside], return_inverse=True)
        return replace(
            self,
            points=self.points[inside],
            log_weights=self.log_weights[inside],
            groups=groups,
            support=support,
            edge=None if self.edge is None else self.edge[inside],
            unused_draws=self.unused_draws + self.n_groups - len(kept),
        )

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of all that decides an estimate or its error."""
        transport = None if self.transport is None else function_identity(self.transport)
        flags = [bool(self.exact), bool(self.complete), bool(self.absolute)]
        pool = [] if self.pool is None else [*self.pool[:5], len(self.pool.laws)]
        arrays = [self.points, self.log_weights, self.groups, self.edge, self.coarse_log_weights]
        numbers = int(self.unused_draws), float(self.level_mcse), *pool
        return digest_of([*arrays, self.support.key, *flags, *numbers, transport])

    def __getstate__(self):
        # What tells a map apart may live in this session only.
        return {**self.__dict__, "fingerprint": self.fingerprint}
