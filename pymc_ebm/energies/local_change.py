"""Functions of an event that say what one new value changes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

import numba

__all__ = ["KeptChange", "kept_change", "with_local_change"]


class KeptChange(NamedTuple):
    """What a new value changes, by tables of the event that are kept along while it changes.

    All are compiled by numba.

    Attributes
    ----------
    make : callable
        ``(x) -> tables`` of an event ``(D,)``.
    update : callable
        ``(tables, x, site, value)``, called before x[site] = value.
    change : callable
        ``(x, site, value, tables, *options)``.
    """

    make: Callable
    update: Callable
    change: Callable

    def made_anew(self) -> Callable:
        """The same change as a `local_change`, ``(x, site, value, *options)``."""
        make, change = self.make, self.change

        def function(x, site, value, *options):
            return change(x, site, value, make(x), *options)

        # numba takes what a function has over to what it compiles, and pickles that alone.
        function.kept_change = self  # type: ignore[attr-defined]
        return numba.njit(function)


@lru_cache
def kept_change(local_change: Callable) -> KeptChange:
    """The change by tables that belongs to a `local_change`, or itself, which needs none."""
    given = getattr(local_change, "kept_change", None)
    if given is not None:
        return given
    change = numba.njit(
        lambda x, site, value, tables, *options: local_change(x, site, value, *options)
    )
    return KeptChange(no_tables, _nothing_kept, change)


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


@numba.njit(cache=True)
def no_tables(x):
    """Tables of a change that needs none."""
    return 0


@numba.njit(cache=True)
def _nothing_kept(tables, x, site, value):
    pass
