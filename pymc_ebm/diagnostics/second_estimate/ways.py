"""Which way a second estimate goes, by the space that is integrated over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.second_estimate.annealed import by_annealing
from pymc_ebm.diagnostics.second_estimate.counts import over_counts
from pymc_ebm.diagnostics.second_estimate.lattice import over_sites
from pymc_ebm.diagnostics.second_estimate.line import on_the_line
from pymc_ebm.diagnostics.second_estimate.moves import by_moves
from pymc_ebm.diagnostics.second_estimate.question import Answer, CannotTell, Question
from pymc_ebm.diagnostics.second_estimate.questions import Integral
from pymc_ebm.diagnostics.second_estimate.states import MOST_STATES, n_states, over_states
from pymc_ebm.space.box import Support
from pymc_ebm.space.sites import Sites
from pymc_ebm.space.states import States

__all__ = ["answers_to"]


def answers_to(
    question: Question, integral: Integral, rng: np.random.Generator
) -> Iterator[Answer]:
    """Answers that get better, one at least.

    Raises
    ------
    CannotTell
        Where there is no way; the message says why.
    """
    reference = integral.reference
    if not isinstance(reference.space, Support | Sites | States):
        if reference.space.coordinates is not None:
            return by_annealing(question, rng)
        return by_moves(question, rng)
    if not reference.discrete:
        if question.n_dim > 1:
            return by_annealing(question, rng)
        return iter([on_the_line(question)])
    if question.n_dim == 1:
        return iter([over_counts(question)])
    values = tuple(np.unique(column) for column in question.starts.T)
    if n_states(values) <= MOST_STATES:
        return iter([over_states(replace(question, values=values))])
    if _bound(question.starts):
        raise CannotTell(
            f"The sites of {integral.names[0]} are bound to one another, so that its states cannot "
            "be reached one site at a time."
        )
    return over_sites(replace(question, values=values), rng)


def _bound(rows: NDArray) -> bool:
    """Whether sites obey a linear equation, as in symmetric matrices or at a fixed sum."""
    free = rows[:, np.ptp(rows, axis=0) > 0]
    if free.shape[1] < 2:
        return False
    spread = np.linalg.eigvalsh(np.cov(free.T))
    return bool(spread[0] < 1e-9 * spread[-1]) and len(rows) > free.shape[1]
