"""Which way a second estimate goes, by the space that is integrated over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from pymc_ebm.diagnostics.second_estimate.annealed import by_annealing
from pymc_ebm.diagnostics.second_estimate.counts import over_counts
from pymc_ebm.diagnostics.second_estimate.line import on_the_line
from pymc_ebm.diagnostics.second_estimate.question import Answer, CannotTell, Question
from pymc_ebm.diagnostics.second_estimate.questions import Integral
from pymc_ebm.diagnostics.second_estimate.states import MOST_STATES, n_states, over_states

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
    if reference.selected:
        raise CannotTell(
            f"The draws of {integral.names[0]} are what a selection has left, which cannot be "
            "repeated here: its integral is theirs alone."
        )
    if not reference.discrete:
        if question.n_dim > 1:
            return by_annealing(question, rng)
        return iter([on_the_line(question)])
    if question.n_dim == 1:
        return iter([over_counts(question)])
    values = tuple(np.unique(column) for column in question.starts.T)
    if n_states(values) <= MOST_STATES:
        return iter([over_states(replace(question, values=values))])
    raise CannotTell(f"There is no second way over {n_states(values):.3g} states.")
