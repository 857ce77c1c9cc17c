"""The list of set-ups, which the files of the families fill."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.trust.case import Case

__all__ = ["SETUPS", "UNSEEN", "Setup", "setup"]


@dataclass(frozen=True)
class Setup:
    """A kind of posterior: a seed gives it data, parameters and a reference.

    Attributes
    ----------
    family, name : str
    make : callable
        ``make(rng)`` is a `Case`.
    """

    family: str
    name: str
    make: Callable[[np.random.Generator], Case]


SETUPS: list[Setup] = []
# Written after the second estimate, to judge it by; the tenth in the tests is of the others.
UNSEEN: list[Setup] = []


def setup(family: str, *variants, on: list[Setup] = SETUPS):
    """Put a function ``f(rng, variant)`` on a list, once for each variant."""

    def keep(function):
        words = function.__name__.replace("_", " ")
        on.extend(
            Setup(family, f"{words}, {variant}", partial(_made, function, variant))
            for variant in variants
        )
        return function

    return keep


def _made(function, variant, rng):
    return function(rng, variant)
