"""Log normalisers of finite spaces, by the sum over all states."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.second_estimate.question import Answer, CannotTell, Question
from pymc_ebm.weights.normalised import normalise

__all__ = ["MOST_STATES", "over_listed", "over_states"]

MOST_STATES = 2**20


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
    total = math.prod(len(v) for v in values)
    if not values or total > MOST_STATES:
        raise CannotTell(f"There are {total} states, and {MOST_STATES} can be counted.")
    shape = tuple(len(v) for v in values)

    def blocks() -> Iterator[NDArray]:
        for first in range(0, total, block):
            codes = np.unravel_index(np.arange(first, min(first + block, total)), shape)
            yield np.column_stack([v[c] for v, c in zip(values, codes, strict=True)])

    return _summed(question, blocks(), total)


def over_listed(question: Question, states: NDArray, *, block: int = 2**15) -> Answer:
    """The sum over listed states ``(M, D)``."""
    blocks = (states[low : low + block] for low in range(0, len(states), block))
    return _summed(question, blocks, len(states))


def _summed(question: Question, blocks: Iterable[NDArray], total: int) -> Answer:
    rows = np.arange(question.n_rows)
    log_z = np.full(len(rows), -np.inf)
    for states in blocks:
        terms = question.log_densities(states.astype(float), rows)
        log_z = np.logaddexp(log_z, normalise(terms)[0])
    return Answer(log_z, np.zeros((1, len(rows))), f"the sum over all {total:,} states")
