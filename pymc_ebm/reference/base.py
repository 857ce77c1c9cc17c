"""A reference: the weighted set of points that estimates a normaliser."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from pymc_ebm.reference.chains.mbar import Pool
from pymc_ebm.reference.laws.proposal import Proposal
from pymc_ebm.space.box import Support, normalise_support

FEWEST_POINTS = 25


@dataclass(frozen=True, eq=False)
class Reference:
    """A weighted set of points, all that an estimate of log Z sees.

    The estimate is log Ẑ(θ) = logsumexp_m(a_m − E(y_m | θ)), in nats. Points of one group are
    dependent and groups are independent, so the variance of any sum of influences φ_m is
    G/(G−1) Σ_g (Φ_g − Φ̄)², where Φ_g is the sum over group g.

    Parameters
    ----------
    points : ndarray, shape ``(M, *event)``
        The points y_m, or the base points when `transport` is given. A read-only copy is kept.
    log_weights : ndarray, shape (M,)
        The log base weights a_m in nats; ignored zeros when `transport` is given. −inf is a point
        without weight.
    groups : ndarray of int, shape (M,)
        The group of each point, 0 to G−1.
    support : Support, str or (lower, upper), optional
        The set over which Z is an integral (or a sum).
    exact : bool
        Enumeration or quadrature, without Monte Carlo error.
    complete : bool
        Nothing of the space is cut off.
    edge : ndarray of bool, shape (M,), optional
        The points at the edge of a truncated space.
    transport : callable, optional
        ``transport(base_points, *params)`` gives two graphs, the points ``(M, *event)`` and a_m
        ``(M,)``, for a reference that depends on θ.
    description : str
        A few words for printed output.
    coarse_log_weights : ndarray, optional
        Log weights ``(M,)`` of a coarser rule on some of the points of a quadrature, −inf at the
        others. The difference of the two values of log Z says how well the nodes resolve it.
    absolute : bool
        Whether log Ẑ is that of Z itself, and not up to a constant.
    pool : Pool, optional
        The anchors of pooled chains, whose log Ẑ the same points have estimated.
    unused_draws : int
        Draws that were made and thrown away, such as injections that a survey did not detect.
        Each counts as a group without weight in every error estimate.
    proposal : Proposal, optional
        The log density of q anywhere, and fresh draws of it, where the reference knows them. It
        plays no part in the estimate of log Z nor in the fingerprint.
    remake : callable, optional
        ``remake(draws, random_seed, model_draws)`` makes a reference of the same kind with other
        points, at least `draws` of them. ``model_draws()`` gives draws of the model,
        ``(B, *event)``, for one that adapts to them. Like `proposal` it is no part of the estimate.
    selected : bool
        Whether some of the draws were thrown away by what cannot be repeated here, a detector say.
        No other reference can then take its place.

    Raises
    ------
    ValueError
        Fewer than 25 points that are not exact; points that are not finite or lie outside the
        support; a_m of NaN or +inf; shapes that disagree.

    Examples
    --------
    >>> import numpy as np
    >>> Reference(np.arange(3), np.zeros(3), np.arange(3), "nonnegative", exact=True)
    Reference(3 points, event shape (), 3 groups, support [0, inf), exact)
    """

    points: np.ndarray
    log_weights: np.ndarray
    groups: np.ndarray
    support: Support = field(default_factory=Support)
    exact: bool = False
    complete: bool = True
    edge: np.ndarray | None = None
    transport: Callable | None = None
    description: str = ""
    unused_draws: int = 0
    coarse_log_weights: np.ndarray | None = None
    absolute: bool = True
    pool: Pool | None = None
    proposal: Proposal | None = None
    remake: Callable[..., Reference] | None = None
    selected: bool = False

    def __post_init__(self):
        keep = lambda name, value: object.__setattr__(self, name, value)
        keep("points", _frozen(self.points))
        keep("log_weights", _frozen(self.log_weights, np.float64))
        keep("groups", _frozen(self.groups, np.int64))
        keep("support", normalise_support(self.support))
        if self.edge is not None:
            keep("edge", _frozen(self.edge, np.bool_))
        if self.coarse_log_weights is not None:
            keep("coarse_log_weights", _frozen(self.coarse_log_weights, np.float64))
        self._check_shapes()
        self._check_values()

    def _check_shapes(self):
        if self.points.ndim == 0:
            raise ValueError(
                "The points have no axes. Give an array of shape (M, *event), one row per point."
            )
        for name in ("log_weights", "groups", "edge", "coarse_log_weights"):
            array = getattr(self, name)
            if array is not None and array.shape != (self.n_points,):
                raise ValueError(
                    f"{name} has shape {array.shape}, and there are {self.n_points} points. "
                    f"Give one value per point, shape ({self.n_points},)."
                )
        if self.n_points == 0 or (self.n_points < FEWEST_POINTS and not self.exact):
            raise ValueError(
                f"The reference has {self.n_points} points, fewer than {FEWEST_POINTS}. "
                "Use more draws (the default is 4096)."
            )
        if self.points.dtype.kind not in "biuf":
            raise TypeError(
                f"The points have dtype {self.points.dtype}. Give real or integer numbers."
            )

    def _check_values(self):
        bad = np.isnan(self.log_weights) | np.isposinf(self.log_weights)
        if bad.any():
            first = int(np.argmax(bad))
            raise ValueError(
                f"The log weights are {self.log_weights[first]} at {bad.sum()} of {self.n_points} "
                f"points, first at index {first}. Give the log density of the "
                "distribution that made the points, finite at each of them."
            )
        event_axes = tuple(range(1, self.points.ndim))
        bad = ~np.isfinite(self.points).all(axis=event_axes)
        if bad.any():
            raise ValueError(
                f"{bad.sum()} of {self.n_points} points are not finite, first at index "
                f"{int(np.argmax(bad))}. Remove them, or use a reference with lighter tails."
            )
        if self.transport is None:  # base points live elsewhere
            inside = self.support.contains(self.points, self.points.ndim - 1)
            if not inside.all():
                raise ValueError(
                    f"{(~inside).sum()} of {self.n_points} points lie outside the support "
                    f"{self.support}, first at index {int(np.argmin(inside))}. Use a reference "
                    "inside the support, or state the support of the model."
                )
        low, high = self.groups.min(), self.groups.max()
        # Counting is many times faster than sorting.
        if low != 0 or high >= self.n_points or not np.bincount(self.groups).all():
            labels = np.unique(self.groups)
            raise ValueError(
                f"The groups run from {labels[0]} to {labels[-1]} with {len(labels)} values. "
                "Number them 0 to G-1 without gaps."
            )

    @property
    def event_shape(self) -> tuple[int, ...]:
        """Shape of one point."""
        return self.points.shape[1:]

    @property
    def n_points(self) -> int:
        """The number of points, M."""
        return self.points.shape[0]

    @cached_property
    def n_groups(self) -> int:
        """The number of independent groups, G."""
        return int(self.groups.max()) + 1

    @property
    def discrete(self) -> bool:
        """Whether the points are integers, so that Z is a sum."""
        return self.points.dtype.kind in "biu"

    def influence(self, of_weights: np.ndarray) -> np.ndarray:
        """Influence of the points on a result, from that of their weights, ``(..., M)``.

        They differ for pooled chains alone, whose a_m the points have estimated themselves.
        """
        if self.pool is None:
            return of_weights
        return of_weights + (of_weights @ self.pool.probabilities) @ self.pool.response.T

    def restricted_to(self, support) -> Reference:
        """The same points as a reference for a smaller space; points outside it are dropped.

        A dropped point counts as a draw of zero weight, so the estimate and its error stay right.

        Parameters
        ----------
        support : Support, str or (lower, upper)

        Returns
        -------
        Reference
            Its support is the part of `support` that lies in this reference's own.

        Raises
        ------
        ValueError
            Quadrature, whose rule holds on its own space only; a support that holds no more than a
            few of the points.

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
        if self.exact and not self.discrete:
            raise ValueError(
                f"The support {support} is smaller than that of the reference, {self.support}, "
                "whose rule holds on its own space only. Make the reference on that support."
            )
        if self.transport is not None:
            transport = _restricted_transport(self.transport, support, self.points.ndim - 1)
            return replace(self, support=support, transport=transport)
        inside = support.contains(self.points, self.points.ndim - 1)
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
        """SHA-256, in hex, of all that decides an estimate: arrays, flags, support, transport."""
        digest = hashlib.sha256()
        for array in (self.points, self.log_weights, self.groups, self.edge):
            if array is not None:
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(memoryview(np.ascontiguousarray(array).reshape(-1)).cast("B"))
        for bound in (self.support.lower, self.support.upper):
            digest.update(np.asarray(bound, dtype=float).tobytes())
        digest.update(f"{self.exact}{self.complete}{self.edge is None}{self.unused_draws}".encode())
        if self.transport is not None:
            digest.update(_transport_text(self.transport, self.points, self.description).encode())
        return digest.hexdigest()

    def __repr__(self):
        kind = ", exact" if self.exact else ""
        name = f"{self.description}, " if self.description else ""
        return (
            f"Reference({name}{self.n_points} points, event shape {self.event_shape}, "
            f"{self.n_groups} groups, support {self.support}{kind})"
        )


def _restricted_transport(transport, support, event_ndim):
    """Give the points that leave a support no weight."""
    import pytensor.tensor as pt

    def restricted(base, *params):
        points, log_weights = transport(base, *params)
        inside = pt.and_(points >= support.lower, points <= support.upper)
        if event_ndim:
            inside = inside.all(axis=tuple(range(1, 1 + event_ndim)))
        return points, pt.switch(inside, log_weights, -np.inf)

    restricted.n_params = _n_params(transport)  # type: ignore[attr-defined]
    return restricted


def _n_params(transport) -> int:
    return getattr(transport, "n_params", len(inspect.signature(transport).parameters) - 1)


def _frozen(array, dtype=None) -> np.ndarray:
    if isinstance(array, np.ndarray) and not array.flags.writeable and array.base is None:
        if dtype is None or array.dtype == dtype:
            return array  # nobody can change it, so it may be shared
    copy = np.array(array, dtype=dtype)
    copy.flags.writeable = False
    return copy


def _transport_text(transport, points, description) -> str:
    """The graph that a transport builds, as text; addresses and names play no part."""
    import pytensor
    import pytensor.tensor as pt

    try:
        params = [pt.dscalar(f"theta_{i}") for i in range(_n_params(transport))]
        outputs = transport(pt.constant(points).type("base"), *params)
        return str(pytensor.dprint(list(outputs), file="str", id_type="CHAR"))
    except Exception:  # a map that needs other parameters still has its description
        return description
