"""Log normalisers of whole numbers, by sums that go on until nothing is left."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.second_estimate.question import Answer, CannotTell, Question

__all__ = ["over_counts"]

# Nats below the largest term at which a term is left out, and at which an end of the range is low.
_LEFT_OUT, _END = 38.0, 28.0


def over_counts(
    question: Question, *, anchors: int = 8, reach: int = 2**16, most: int = 2**23
) -> Answer:
    """Sums over whole numbers around the data, doubled while their ends have weight.

    At a few rows far from one another all numbers within `reach` of the data are looked at, and
    others even in log |x| out to 10⁹; the range is doubled until no end of it matters. Terms
    that matter at none of these rows are left out.

    Parameters
    ----------
    question : Question
        D = 1, bounds that may be infinite.
    anchors : int
    reach : int
        The least distance from the data that is looked at.
    most : int
        The widest range, in numbers.

    Returns
    -------
    Answer

    Raises
    ------
    CannotTell
        A sum that does not converge within `most` numbers.
    """
    lower, upper = np.ceil(question.lower[0]), np.floor(question.upper[0])
    known = question.data if len(question.data) else question.starts
    low, high = float(known.min()) - reach, float(known.max()) + reach
    chosen, dense = question.far_apart(anchors), None
    probes = np.unique(np.round(np.logspace(0, 9, 2**11)))
    while dense is None:
        low, high = max(low, lower), min(high, upper)
        if high - low > most:
            raise CannotTell(
                f"The sum over whole numbers has weight beyond {most} of them: it may not converge."
            )
        inside = _range(low, high)
        terms = question.log_densities(inside[:, None], chosen)
        top = terms.max(axis=1, keepdims=True)
        beyond = np.concatenate([low - probes, high + probes])
        beyond = beyond[(beyond >= lower) & (beyond <= upper)]
        # A gap in a model (even counts, say) is no end: look at a stretch of both.
        ends = np.concatenate([inside[:64], inside[-64:], beyond])
        weight = question.log_densities(ends[:, None], chosen)
        spread = np.log(np.maximum(np.abs(ends - question.centre[0]), 1.0))
        heavy = ((weight + spread) > top - _END).any(axis=0)
        heavy &= (ends != lower) & (ends != upper)
        at_bound = (ends - lower < 64) | (upper - ends < 64)
        heavy &= ~(at_bound & (ends >= low) & (ends <= high))
        if not np.isfinite(top).all():
            raise CannotTell("The model has no weight on whole numbers near the data.")
        if heavy.any():
            far = ends[heavy]
            low = min(2 * low - high, float(far.min())) if (far < question.centre[0]).any() else low
            high = (
                max(2 * high - low, float(far.max())) if (far >= question.centre[0]).any() else high
            )
        else:
            dense = inside[(terms > top - _LEFT_OUT).any(axis=0)]
    log_z = _sums(question, dense)
    return Answer(
        log_z,
        np.zeros((1, question.n_rows)),
        f"a sum over {len(dense)} whole numbers of {len(inside)}",
        f"Weight on single numbers farther than {high - low:.2g} from the data may be missed.",
    )


def _range(low: float, high: float) -> NDArray:
    return np.arange(int(low), int(high) + 1)


def _sums(question: Question, states: NDArray) -> NDArray:
    rows = np.arange(question.n_rows)
    size = max(2**22 // max(len(states), 1), 1)
    parts = []
    for first in range(0, len(rows), size):
        terms = question.log_densities(states[:, None], rows[first : first + size])
        parts.append(np.logaddexp.reduce(terms, axis=1))
    return np.concatenate(parts)
