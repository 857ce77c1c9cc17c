"""Which way a second estimate goes, by the space that is integrated over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import scipy
from numpy.typing import NDArray

from pymc_ebm.diagnostics.second_estimate.annealed import by_annealing
from pymc_ebm.diagnostics.second_estimate.counts import check_convergence, over_counts, over_range
from pymc_ebm.diagnostics.second_estimate.lattice import over_sites
from pymc_ebm.diagnostics.second_estimate.line import on_the_line
from pymc_ebm.diagnostics.second_estimate.moves import by_moves
from pymc_ebm.diagnostics.second_estimate.question import (
    Answer,
    CannotTell,
    NotThisWay,
    Question,
)
from pymc_ebm.diagnostics.second_estimate.questions import Integral
from pymc_ebm.diagnostics.second_estimate.states import MOST_STATES, over_listed, over_states
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.base import Space
from pymc_ebm.space.box import Support
from pymc_ebm.space.sites import Sites
from pymc_ebm.space.states import States
from pymc_ebm.space.whole_numbers import WholeNumbers

__all__ = ["answers_to"]


def answers_to(
    question: Question, integral: Integral, rng: np.random.Generator, seconds: float
) -> Iterator[Answer]:
    """Answers that get better, one at least.

    Parameters
    ----------
    question : Question
    integral : Integral
    rng : Generator
    seconds : float
        What the first answer may take, where that can be foreseen.

    Raises
    ------
    CannotTell
        Where there is no way; the message says why.
    """
    space, name = _stated(integral.reference, question, integral.names[0]), integral.names[0]
    if isinstance(space, Support) and not space.discrete:
        return by_annealing(question, rng) if question.n_dim > 1 else iter([on_the_line(question)])
    if isinstance(space, WholeNumbers):
        if question.n_dim == 1:
            over = lambda q: iter([over_counts(q)])
        else:
            over = over_range
            _check_free(question, name)
            check_convergence(question)
        sums = _from_where(question, integral.reference, over, name)
        return _first(sums, by_moves(question, space, rng, seconds=seconds))
    if isinstance(space, States):
        return iter([over_listed(question, space.points.reshape(-1, question.n_dim))])
    if not isinstance(space, Sites):
        if space.coordinates is not None:
            return by_annealing(question, rng)
        return by_moves(_within(question, space), space, rng, seconds=seconds)
    values = tuple(v[:n] for v, n in zip(space.values, space.n_values, strict=True))
    question = replace(question, values=values)
    if space.n_states <= MOST_STATES:
        return iter([over_states(question)])
    _check_free(question, name)
    by_changes = by_moves(question, space, rng, seconds=seconds)
    # The energies of all pairs of so many sites take longer than sweeps by changes.
    if question.local_change is not None and question.n_dim > 256:
        return by_changes
    return _first(over_sites(question, rng, seconds=seconds), by_changes)


def _stated(reference: Reference, question: Question, name: str) -> Space:
    """What the reference says Z sums over: a truncated sum that is not complete is not all."""
    space, points = reference.space, reference.points
    if not reference.discrete:
        return space
    known = points
    if not reference.exact:
        # Of an enumeration all data are states.
        data = question.data.reshape(-1, *reference.event_shape).astype(points.dtype)
        known = np.concatenate([points, data])
    sites = Sites.looks_like(known) if points.ndim > 1 else None
    if isinstance(space, WholeNumbers):
        # Chains go nowhere else.
        if reference.pool is not None:
            return Sites.among(known)
        return sites or space
    if not reference.exact or reference.complete:
        return space
    if type(reference.support) is not Support:
        return reference.support
    # Spins leave a number out, and end for sure; counts may go on beyond 1.
    binary = sites is not None and 0 in known and not np.isfinite(question.upper).all()
    if binary or points.dtype.kind == "f":
        what = "0 and 1" if binary else "fractions"
        raise CannotTell(
            f"The states of {name} are {what}, and nothing says that there are no others. State "
            "complete=True if there are none."
        )
    return sites or WholeNumbers(
        reference.support.lower, reference.support.upper, reference.event_shape
    )


def _from_where(
    question: Question,
    reference: Reference,
    over: Callable[[Question], Iterator[Answer]],
    name: str,
    *,
    most_nats: float = 0.01,
) -> Iterator[Answer]:
    """Sums from 0, in doubt where values below all points and data have weight, and nothing tells.

    At most `most_nats` of the log-likelihood may such values carry.
    """
    own, _ = reference.support.of_events(reference.event_shape).bounds_of(question.n_dim)
    least = reference.points.reshape(reference.n_points, -1).min(axis=0)
    above = np.isinf(own) & np.isfinite(question.lower) & (least > question.lower)
    for answer in over(question):
        doubt = ""
        if above.any() and (question.data >= np.where(above, least, -np.inf)).all():
            begun = replace(question, lower=np.where(above, least, question.lower))
            nats = (answer.log_z - next(over(begun)).log_z) * max(len(question.data), 1)
            if nats.max() > most_nats:
                first = int(least[above].max())
                doubt = (
                    f"The points of {name} begin at {first}, and nothing says whether its counts "
                    f"do. Give the reference support=({first}, np.inf) if they do."
                )
        yield replace(answer, doubt=answer.doubt or doubt)


def _first(way: Iterator[Answer], other: Iterator[Answer]) -> Iterator[Answer]:
    """Answers of one way, or of the other where the first does not serve such energies."""
    try:
        yield from way
    except NotThisWay:
        yield from other


def _within(question: Question, space: Space) -> Question:
    """The same energies, +inf outside of a space."""
    event = (question.n_dim,) if space.event_shape is None else space.event_shape

    def energy(x: NDArray, rows: NDArray) -> NDArray:
        inside = space.contains(x.reshape(-1, *event), len(event))
        return np.where(inside, question.energy(x, rows), np.inf)

    return replace(question, energy=energy)


def _check_free(question: Question, name: str) -> None:
    """Refuse sites that obey a linear equation, as in symmetric matrices or at a fixed sum."""
    rows = question.starts
    free = rows[:, np.ptp(rows, axis=0) > 0]
    if len(rows) <= free.shape[1] or free.shape[1] < 2:
        return
    spread = np.cov(free.T)
    # A Cholesky factor with pivots: the eigenvalues of 5000 sites take ten seconds.
    *_, rank, _ = scipy.linalg.lapack.dpstrf(
        spread, tol=1e-9 * len(spread) * spread.diagonal().max()
    )
    if rank < len(spread):
        raise CannotTell(
            f"The sites of {name} are bound to one another, so that its states cannot be reached "
            "one site at a time."
        )
