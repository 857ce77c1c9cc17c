"""A reference: the weighted set of points that estimates a normaliser."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from pymc_ebm.reference.support import Support, normalise_support

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
    unused_draws : int
        Draws that were made and thrown away, such as injections that a survey did not detect.
        Each counts as a group without weight in every error estimate.

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

    def __post_init__(self):
        keep = lambda name, value: object.__setattr__(self, name, value)
        keep("points", _frozen(self.points))
        keep("log_weights", _frozen(self.log_weights, np.float64))
        keep("groups", _frozen(self.groups, np.int64))
        keep("support", normalise_support(self.support))
        if self.edge is not None:
            keep("edge", _frozen(self.edge, np.bool_))
        self._check_shapes()
        self._check_values()

    def _check_shapes(self):
        if self.points.ndim == 0:
            raise ValueError(
                "The points have no axes. Give an array of shape (M, *event), one row per point."
            )
        for name in ("log_weights", "groups", "edge"):
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
        labels = np.unique(self.groups)
        if labels[0] != 0 or labels[-1] != len(labels) - 1:
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

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of all that decides an estimate: arrays, flags, support, transport."""
        digest = hashlib.sha256()
        for array in (self.points, self.log_weights, self.groups, self.edge):
            if array is not None:
                digest.update(f"{array.dtype.str}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
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


def _frozen(array, dtype=None) -> np.ndarray:
    copy = np.array(array, dtype=dtype)
    copy.flags.writeable = False
    return copy


def _transport_text(transport, points, description) -> str:
    """The graph that a transport builds, as text; addresses and names play no part."""
    import pytensor
    import pytensor.tensor as pt

    try:
        count = len(inspect.signature(transport).parameters) - 1
        n_params = getattr(transport, "n_params", count)
        params = [pt.dscalar(f"theta_{i}") for i in range(n_params)]
        outputs = transport(pt.constant(points).type("base"), *params)
        return str(pytensor.dprint(list(outputs), file="str", id_type="CHAR"))
    except Exception:  # a map that needs other parameters still has its description
        return description
