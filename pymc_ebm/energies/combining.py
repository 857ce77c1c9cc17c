"""Compiled changes of statistics of a network with their options, and of weighted sums of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache, partial

import numba
from numba.core.dispatcher import Dispatcher

from pymc_ebm.energies.local_change import KeptChange, kept_change, no_tables

__all__ = ["change_and_options", "combined_change", "name_of"]


def combined_change(
    statistics: Sequence[Callable], offsets: Sequence[tuple[Callable, float]] = ()
) -> Callable | None:
    """Compiled change of −Σ_k θ_k T_k − Σ_j c_j O_j, ``(x, site, value, theta) -> float``.

    The same one for equal statistics, so that models of them share what is compiled.

    Parameters
    ----------
    statistics : sequence of callable
        T_k: functions with an attribute `local_change`, or `functools.partial` of them.
    offsets : sequence of (callable, float)
        Such functions O_j, each with its coefficient c_j.

    Returns
    -------
    callable or None
        None where a statistic has no `local_change`.
    """
    free = [change_and_options(statistic) for statistic in statistics]
    fixed = [change_and_options(statistic) for statistic, _ in offsets]
    if any(part is None for part in (*free, *fixed)):
        return None
    coefficients = tuple(float(c) for _, c in offsets)
    try:
        return _combined(tuple(free), tuple(fixed), coefficients)
    except TypeError:  # an option without a hash, such as an array
        return _combined.__wrapped__(free, fixed, coefficients)


def change_and_options(statistic: Callable) -> tuple[KeptChange, tuple] | None:
    """The compiled change of a statistic, and the options that it takes, in their order.

    Returns
    -------
    tuple or None
        None where the statistic has no `local_change`.

    Raises
    ------
    ValueError
        An option without a value.
    TypeError
        A `local_change` that numba has not compiled.
    """
    change = _attribute(statistic, "local_change")
    if change is None:
        return None
    if not isinstance(change, Dispatcher):
        raise TypeError(
            f"The local_change of the statistic {name_of(statistic)} is a "
            f"{type(change).__name__}, and compiled code calls it. Decorate it with numba.njit."
        )
    _, *parameters = inspect.signature(statistic).parameters.values()
    for parameter in parameters:
        if parameter.default is inspect.Parameter.empty:
            name = name_of(statistic)
            raise ValueError(
                f"The statistic {name} has no {parameter.name}. Give it as "
                f"functools.partial({name}, {parameter.name}=...)."
            )
    values = tuple(parameter.default for parameter in parameters)
    prepare = _attribute(statistic, "local_options")
    return kept_change(change), values if prepare is None else prepare(*values)


def name_of(statistic: Callable) -> str:
    """A statistic's name in a message."""
    if isinstance(statistic, partial):
        return name_of(statistic.func)
    return getattr(statistic, "__name__", repr(statistic))


def _attribute(statistic, name):
    """An attribute of a statistic, or of the function whose options `partial` has given."""
    found = getattr(statistic, name, None)
    if found is None and isinstance(statistic, partial):
        return _attribute(statistic.func, name)
    return found


@lru_cache
def _combined(free, fixed, coefficients):
    total = _nothing
    for k, (kept, options) in enumerate(free):
        total = _with_free(total, k, kept.change, options)
    for (kept, options), coefficient in zip(fixed, coefficients, strict=True):
        total = _with_fixed(total, coefficient, kept.change, options)
    # Statistics of one kind of network keep the same tables, and some need none.
    every = [kept for kept, _ in (*free, *fixed)]
    first = next((kept for kept in every if kept.make is not no_tables), every[0])
    return first._replace(change=total).made_anew()


# The change of one more statistic is added to those before: numba compiles no loop over them.
@numba.njit(cache=True)
def _nothing(x, site, value, tables, theta):
    return 0.0


def _with_free(before, k, change, options):
    return numba.njit(
        lambda x, site, value, tables, theta: (
            before(x, site, value, tables, theta)
            - theta[k] * change(x, site, value, tables, *options)
        )
    )


def _with_fixed(before, coefficient, change, options):
    return numba.njit(
        lambda x, site, value, tables, theta: (
            before(x, site, value, tables, theta)
            - coefficient * change(x, site, value, tables, *options)
        )
    )
