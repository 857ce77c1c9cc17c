"""Log normalisers of finite spaces, by the sum over all states."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.second_estimate.question import Answer, CannotTell, Question

__all__ = ["MOST_STATES", "n_states", "over_states"]

MOST_STATES = 2**20


def n_states(values: tuple[NDArray, ...]) -> int:
    """How many states sites with these values have together."""
    return math.prod(len(v) for v in values)


def over_states(question: Question, *, block: int = 2**15) -> Answer:
    """The sum over all states of a question with known `values`.

    Parameters
    ----------
    question : Question
    block : int
        States in memory at a time.

    Returns
    -------
    Answer

    Raises
    ------
    CannotTell
        More than 2²⁰ states.
    """
    values = question.values or ()
    total = n_states(values)
    if not values or total > MOST_STATES:
        raise CannotTell(f"There are {total} states, and {MOST_STATES} can be counted.")
    rows = np.arange(question.n_rows)
    log_z = np.full(len(rows), -np.inf)
    shape = tuple(len(v) for v in values)
    for first in range(0, total, block):
        codes = np.unravel_index(np.arange(first, min(first + block, total)), shape)
        states = np.column_stack([v[c] for v, c in zip(values, codes, strict=True)])
        terms = question.log_densities(states, rows)
        log_z = np.logaddexp(log_z, np.logaddexp.reduce(terms, axis=1))
    noise = np.zeros((1, len(rows)))
    return Answer(log_z, noise, f"the sum over all {total} states")
