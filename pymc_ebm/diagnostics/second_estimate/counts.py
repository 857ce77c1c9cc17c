"""Log normalisers of whole numbers, by sums that go on until nothing is left."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.second_estimate.question import Answer, CannotTell, NotThisWay, Question
from pymc_ebm.numbers import number
from pymc_ebm.weights.normalised import normalise

__all__ = ["check_convergence", "over_counts", "over_range"]

# Nats below the largest term at which a term is left out, and at which an end of the range is low.
_LEFT_OUT, _END = 38.0, 28.0
# Numbers beyond the data that a box of vectors has at least.
_LEAST_REACH = 8


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
    log_z = _sums(question, dense[:, None])
    return Answer(
        log_z,
        np.zeros((1, question.n_rows)),
        f"a sum over {len(dense):,} whole numbers of {len(inside):,}",
        f"Weight on single numbers farther than {number(high - low)} from the data may be missed.",
    )


def over_range(question: Question, *, anchors: int = 8, most: int = 2**20) -> Iterator[Answer]:
    """The sum over vectors of whole numbers in a box around the data.

    The box is the data's at first, widened by their spread and eight at least, and each end of a
    coordinate that has weight moves away from the data by half of the width, until none has.

    Parameters
    ----------
    question : Question
        D > 1, bounds that may be infinite.
    anchors : int
        Rows far from one another, at which ends are looked at.
    most : int
        States of the box.

    Yields
    ------
    Answer
        One, without noise.

    Raises
    ------
    NotThisWay
        A box of more states.
    """
    lower, upper = np.ceil(question.lower), np.floor(question.upper)
    known, chosen = question.known, question.far_apart(anchors)
    reach = np.maximum(np.ptp(known, axis=0), _LEAST_REACH)
    low, high = known.min(axis=0) - reach, known.max(axis=0) + reach
    while True:
        low, high = np.maximum(low, lower), np.minimum(high, upper)
        sizes = [int(n) for n in high - low + 1]
        if math.prod(sizes) > most:
            raise NotThisWay(f"A box around the data has more than {most} states.")
        states = np.indices(sizes).reshape(len(sizes), -1).T + low
        terms = question.log_densities(states, chosen)
        terms = (terms - terms.max(axis=1, keepdims=True)).max(axis=0)
        # Some wide, as single states may be impossible where others beyond are not.
        width = np.maximum((high - low) // 16, 1)
        below = (states < low + width) & (low > lower) & (terms > -_LEFT_OUT)[:, None]
        above = (states > high - width) & (high < upper) & (terms > -_LEFT_OUT)[:, None]
        if not (below.any() or above.any()):
            break
        low = np.where(below.any(axis=0), low - np.ceil((high - low) / 2), low)
        high = np.where(above.any(axis=0), high + np.ceil((high - low) / 2), high)
    yield Answer(
        _sums(question, states),
        np.zeros((1, question.n_rows)),
        f"a sum over {len(states):,} vectors of whole numbers",
        f"Weight outside of a box from {low.min():.0f} to {high.max():.0f} may be missed.",
    )


def check_convergence(question: Question, *, anchors: int = 8) -> None:
    """Refuse a sum over vectors whose terms do not fall far from the data.

    Raises
    ------
    CannotTell
    """
    chosen, centre = question.far_apart(anchors), np.round(question.centre)
    top = question.log_densities(np.concatenate([question.known, centre[None]]), chosen)
    far = np.round(10.0 ** np.arange(3, 10))
    for axis in np.eye(question.n_dim):
        for side in (-1, 1):
            places = centre + side * far[:, None] * np.maximum(question.scale, 1) // 1 * axis
            inside = (places >= question.lower).all(axis=1) & (places <= question.upper).all(axis=1)
            weight = question.log_densities(places, chosen) + np.log(far)
            if (inside & (weight > top.max(axis=1, keepdims=True) - _END).any(axis=0)).any():
                raise CannotTell(
                    "The sum over whole numbers does not converge: the energy does not rise far "
                    "from the data. If there are no other values, say support= of the reference."
                )


def _range(low: float, high: float) -> NDArray:
    return np.arange(int(low), int(high) + 1)


def _sums(question: Question, states: NDArray) -> NDArray:
    rows = np.arange(question.n_rows)
    size = max(2**22 // max(len(states), 1), 1)
    parts = []
    for first in range(0, len(rows), size):
        terms = question.log_densities(states, rows[first : first + size])
        parts.append(normalise(terms)[0])
    return np.concatenate(parts)
