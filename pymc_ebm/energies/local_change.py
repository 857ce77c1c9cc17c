"""Functions of an event that say what one new value changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["with_local_change"]


def with_local_change(
    local_change: Callable, options: Callable[..., tuple] | None = None
) -> Callable[[Any], Any]:
    """Decorator that gives a statistic or an energy its `local_change`.

    Parameters
    ----------
    local_change : callable
        ``(x, site, value, *options)``, compiled by numba.
    options : callable, optional
        From the options of the statistic, in the order of its signature, to what `local_change`
        takes in their place: arrays where a user gives a list of names, for example.
    """

    def attach(function):
        function.local_change = local_change
        if options is not None:
            function.local_options = options
        return function

    return attach
