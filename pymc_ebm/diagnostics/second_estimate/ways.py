"""Which way a second estimate goes, by the space that is integrated over."""

from __future__ import annotations

from collections.abc import Iterator
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
    space, name = _stated(integral.reference), integral.names[0]
    if isinstance(space, Support) and not space.discrete:
        return by_annealing(question, rng) if question.n_dim > 1 else iter([on_the_line(question)])
    if isinstance(space, WholeNumbers):
        if question.n_dim == 1:
            return iter([over_counts(question)])
        _check_free(question, name)
        check_convergence(question)
        return _first(over_range(question), by_moves(question, space, rng, seconds=seconds))
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


def _stated(reference: Reference) -> Space:
    """What the reference says Z sums over: a truncated sum that is not complete is not all."""
    space = reference.space
    if isinstance(space, WholeNumbers):
        # Chains go nowhere else.
        if reference.pool is not None:
            return Sites.among(reference.points)
        return _looks_like_sites(reference) or space
    if not (reference.discrete and reference.exact) or reference.complete:
        return space
    if type(reference.support) is not Support:
        return reference.support
    return _looks_like_sites(reference) or WholeNumbers(
        reference.support.lower, reference.support.upper, reference.event_shape
    )


def _looks_like_sites(reference: Reference) -> Sites | None:
    points = reference.points
    return Sites.looks_like(points) if reference.discrete and points.ndim > 1 else None


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
