"""Posteriors with exact answers, and what `report` says of them: ``python -m benchmarks.trust``."""

import numpy as np

from benchmarks.trust import (  # noqa: F401, fill the lists
    given,
    on_the_line,
    rows,
    spaces,
    unseen,
    unseen_spaces,
    unseen_vectors,
)
from benchmarks.trust.setups import SETUPS, UNSEEN, Setup

__all__ = ["SETUPS", "UNSEEN", "Setup", "tenth"]


def tenth() -> list[Setup]:
    """About one set-up in ten, spread over every family."""
    chosen = []
    for family in dict.fromkeys(s.family for s in SETUPS):
        of_family = [s for s in SETUPS if s.family == family]
        number = max(len(of_family) // 10, 1)
        places = np.linspace(0, len(of_family) - 1, 2 * number + 1)[1::2]
        chosen += [of_family[int(i)] for i in places]
    return chosen
