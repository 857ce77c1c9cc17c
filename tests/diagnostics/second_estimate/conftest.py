"""Questions with known answers."""

import numpy as np
import pytest

from pymc_ebm.diagnostics.second_estimate.question import Question


@pytest.fixture
def asked():
    """``asked(energy, rows, data, lower, upper)`` for scalar events and rows of scalars."""

    def question(energy, rows, data, lower=-np.inf, upper=np.inf, starts=()):
        rows = np.asarray(rows, dtype=float).reshape(len(rows), -1)
        column = lambda values: np.asarray(values, dtype=float).reshape(-1, 1)
        return Question(
            lambda x, chosen: np.stack([energy(x[:, 0], *rows[i]) for i in chosen]),
            rows,
            np.array([lower], dtype=float),
            np.array([upper], dtype=float),
            column(data),
            column(starts),
        )

    return question
