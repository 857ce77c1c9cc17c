"""Functions of an event that say what one new value changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["with_local_change"]


def with_local_change(local_change: Callable) -> Callable[[Any], Any]:
    """Decorator that gives a statistic or an energy its `local_change`."""

    def attach(function):
        function.local_change = local_change
        return function

    return attach
