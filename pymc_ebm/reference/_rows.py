"""Rows: a reference with points of its own for each row of parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.energy.fingerprint import digest_of
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.named import normalise_support
from pymc_ebm.space.own_states import OwnStates

__all__ = ["RowsReference", "rows", "rows_of_points"]


def rows(references: Sequence[Reference]) -> RowsReference:
    r"""One reference of each row of parameters, whose points no other row has.

    .. math:: \log \hat Z_r(θ) = \log \sum_m \exp(a_{rm} − E(y_{rm} \mid θ_r))

    A choice among alternatives is a sum over those that there were, step selection a sum over the
    steps that were available, the integral of an event in a population one over its own samples.
    The last batch axis of the data and of batched parameters is that of the rows.

    Parameters
    ----------
    references : sequence of Reference
        One of each row, of events of one shape and one support; their numbers of points may differ.

    Returns
    -------
    RowsReference
        For `EBM` and `log_partition`, which evaluates all rows in one pass.

    Raises
    ------
    ValueError
        None at all; events of different shapes; references whose points follow θ, are pooled
        chains or have another support than the first.

    Examples
    --------
    Choices by their price and comfort: the multinomial (conditional) logit.

    >>> import numpy as np, pymc_ebm as ebm
    >>> offers = [
    ...     np.array([[1.0, 0.0], [2.0, 1.0], [4.0, 1.0]]),
    ...     np.array([[1.0, 1.0], [3.0, 0.0]]),
    ... ]
    >>> sets = ebm.reference.rows([ebm.reference.enumeration(o, complete=True) for o in offers])
    >>> utility = lambda x, b: -(x @ b)
    >>> beta = np.array([-1.0, 0.5])
    >>> log_z = ebm.log_partition(utility, beta, reference=sets, signature="(k)")
    >>> bool(np.allclose(log_z.eval(), [np.log(np.exp(o @ beta).sum()) for o in offers]))
    True
    """
    references = list(references)
    if not references:
        raise ValueError("There are 0 references of rows. Give one for each row of the data.")
    first = references[0]
    for r, reference in enumerate(references):
        if reference.follows_parameters or reference.pool is not None:
            raise ValueError(
                f"The reference of row {r} is {reference}, and those of rows are draws with a "
                "known density, enumerations or quadratures. Give all rows one reference instead."
            )
        for what in ("event_shape", "support"):
            if getattr(reference, what) != getattr(first, what):
                raise ValueError(
                    f"The reference of row {r} has the {what.replace('_', ' ')} "
                    f"{getattr(reference, what)}, and that of row 0 {getattr(first, what)}. Give "
                    "references of the same events; for bounds of each row's own give EBM support=."
                )
    return rows_of_points(
        [r.points for r in references],
        [r.log_weights for r in references],
        groups=[r.groups for r in references],
        unused=[r.unused_draws for r in references],
        edges=None if all(r.edge is None for r in references)
        else [np.zeros(r.n_points, bool) if r.edge is None else r.edge for r in references],
        random=[not r.exact for r in references],
        complete=all(r.complete for r in references),
        support=first.support,
        selected=any(r.selected for r in references),
        description=f"{first.description or 'points'} of {len(references)} rows",
    )  # fmt: skip


def rows_of_points(
    points: Sequence[NDArray],
    log_weights: Sequence[NDArray],
    *,
    groups: Sequence[NDArray] | None = None,
    unused: Sequence[int] | None = None,
    edges: Sequence[NDArray] | None = None,
    random: Sequence[bool] | None = None,
    **kept,
) -> RowsReference:
    """Points ``(M_r, *event)`` and a_m ``(M_r,)`` of each row, padded to one length."""
    sizes = np.array([len(p) for p in points])
    n_rows = len(sizes)
    groups = [np.arange(n) for n in sizes] if groups is None else groups
    lost = np.zeros(n_rows, dtype=int) if unused is None else np.asarray(unused)
    drawn = np.ones(n_rows, dtype=bool) if random is None else np.asarray(random)
    # Draws that left no point are one group, which stands behind the points of its row.
    most = int((sizes + (lost > 0)).max())
    flat = np.empty((n_rows, most, *np.shape(points[0])[1:]), dtype=np.result_type(*points))
    padded = np.full((n_rows, most), -np.inf)
    label = np.zeros((n_rows, most), dtype=np.int64)
    share = np.zeros((n_rows, most))
    edge = np.zeros((n_rows, most), dtype=bool)
    scale, n_groups = np.zeros(n_rows), 0
    for r, (p, a, g) in enumerate(zip(points, log_weights, groups, strict=True)):
        n, own = len(p), int(np.max(g)) + 1
        total = own + lost[r]
        flat[r, :n], flat[r, n:] = p, p[0]
        padded[r, :n] = a
        label[r, :n], label[r, n:] = n_groups + np.asarray(g), n_groups
        n_groups += own
        if lost[r]:
            label[r, n] = n_groups
            n_groups += 1
        if drawn[r]:
            share[r, :n] = 1 / (total * np.bincount(g)[g])
            if lost[r]:
                share[r, n] = np.sqrt(lost[r]) / total
            scale[r] = np.sqrt(total / (total - 1)) if total > 1 else np.nan
        if edges is not None:
            edge[r, :n] = edges[r]
    return RowsReference(
        points=flat.reshape(-1, *flat.shape[2:]),
        log_weights=padded.ravel(),
        groups=label.ravel(),
        exact=not drawn.any(),
        edge=edge.ravel() if edge.any() else None,
        sizes=sizes,
        share=share,
        scale=scale,
        **kept,
    )


@dataclass(frozen=True, eq=False, repr=False)
class RowsReference(Reference):
    """Points of each row's own; `rows` and `from_draws` make one.

    `points` and `log_weights` hold those of one row after the other, each filled up to the same
    number with points of weight −inf.

    Parameters
    ----------
    sizes : ndarray of int, shape (R,)
        Points of each row.
    share : ndarray, shape (R, M)
        What each point has of the mean over its row's groups, that is taken off its influence.
    scale : ndarray, shape (R,)
        √(G/(G − 1)) of each row; 0 where it is exact.
    """

    sizes: np.ndarray = field(kw_only=True)
    share: np.ndarray = field(kw_only=True)
    scale: np.ndarray = field(kw_only=True)

    @property
    def n_rows(self) -> int:
        """The number of rows, R."""
        return len(self.sizes)

    @property
    def points_per_row(self) -> int:
        """Points of the longest row."""
        return self.n_points // self.n_rows

    @property
    def listed(self) -> bool:
        """Whether the points of each row are all the states that it has."""
        return self.exact and not np.where(np.isneginf(self.log_weights), 0, self.log_weights).any()

    @cached_property
    def space(self):
        """What Z is a sum over: the states of each row; or the support that all rows have."""
        if self.listed:
            return OwnStates(self.by_row(self.points), np.isfinite(self.by_row(self.log_weights)))
        return super().space

    @property
    def states(self):
        """The states of all rows, where these are enumerated."""
        return self.points if self.listed else None

    @property
    def refittable(self) -> bool:
        """No: a law fitted to the model would be that of all rows."""
        return False

    @property
    def by_blocks(self) -> bool:
        """No: rows are short."""
        return False

    def by_row(self, of_points):
        """Values of all points ``(R M, ...)`` as those of each row, ``(R, M, ...)``."""
        return of_points.reshape(self.n_rows, self.points_per_row, *of_points.shape[1:])

    def row(self, r: int) -> Reference:
        """The reference of one row alone."""
        some = slice(r * self.points_per_row, r * self.points_per_row + int(self.sizes[r]))
        return _OneRow(
            points=self.points[some],
            log_weights=self.log_weights[some],
            groups=np.unique(self.groups[some], return_inverse=True)[1],
            support=self.support,
            exact=bool(self.scale[r] == 0),
            complete=self.complete,
            edge=None if self.edge is None else self.edge[some],
            description=f"{self.description}, row {r}",
            selected=self.selected,
        )

    def middle(self) -> NDArray:
        """The first point of each row, ``(R, *event)``."""
        return self.by_row(self.points)[:, 0]

    def independent_draws(self) -> None:
        """None: those of one row are none of another's."""

    def amplified(self, c, weights):
        """See `Reference`: each row's own points have what its c gives them."""
        own = c[..., None] * weights
        return own.reshape((-1, self.n_points)).sum(axis=0)

    def influence(self, of_weights: NDArray) -> NDArray:
        """Influence of the points, those of each row about their mean: rows are strata."""
        by_row = of_weights.reshape(*of_weights.shape[:-1], self.n_rows, self.points_per_row)
        centred = by_row - by_row.sum(axis=-1, keepdims=True) * self.share
        return (centred * self.scale[:, None]).reshape(of_weights.shape)

    def tail(self, c: NDArray, log_weights: NDArray, weights: NDArray) -> NDArray:
        """Log of what each point does to the log-likelihood: rows alone may be too short."""
        own = np.abs(self.amplified(c, weights))
        return np.log(own[own != 0])

    def edge_weight(self, weights: NDArray, points: slice = slice(None)) -> NDArray:
        """See `Reference`."""
        if self.edge is None:
            return np.zeros(weights.shape[:-1])
        own = weights.reshape(-1, self.n_rows, self.points_per_row) * self.by_row(self.edge)
        return own.sum(axis=-1).reshape(weights.shape[:-1])

    def restricted_to(self, support) -> RowsReference:
        """See `Reference`: points outside have no weight and still count as draws."""
        support = self.support.intersection(normalise_support(support))
        if support == self.support:
            return self
        own = self.support.written_in(support, self.points)
        inside = support.contains(own, len(self.event_shape))
        # A point that nothing can be at, at a place inside.
        points = np.where(
            inside.reshape(-1, *[1] * len(self.event_shape)),
            own,
            own[int(np.argmax(inside))],
        )
        weights = np.where(inside, self.log_weights, -np.inf)
        return replace(self, points=points, log_weights=weights, support=support)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, of all that decides an estimate or its error."""
        return digest_of([super().fingerprint, self.sizes, self.share, self.scale])

    def describe(self):
        """See `Reference`."""
        return {**super().describe(), "n_points": int(self.sizes.sum()), "rows": self.n_rows}

    def counts(self):
        """See `Reference`."""
        return {"points": int(self.sizes.sum())}


class _OneRow(Reference):
    """A row, which may be short: its error counts together with that of the others."""

    fewest_points = 1
