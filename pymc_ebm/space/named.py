"""Spaces by the names that users write."""

from __future__ import annotations

import numpy as np

from pymc_ebm.space._circle import circle
from pymc_ebm.space._permutations import permutations
from pymc_ebm.space._simplex import simplex
from pymc_ebm.space._sphere import sphere
from pymc_ebm.space.base import Space
from pymc_ebm.space.box import Support, checked_bounds

__all__ = ["NAMED", "normalise_support"]

# All for events of any size; bounds of numbers are inside.
NAMED: dict[str, Space] = {
    "real": Support(),
    "positive": Support(0.0, np.inf),
    "nonnegative": Support(0.0, np.inf),
    "unit": Support(0.0, 1.0),
    "circle": circle(),
    "sphere": sphere(),
    "simplex": simplex(),
    "permutations": permutations(),
}


def normalise_support(support) -> Space:
    """Read a support as users write it.

    Parameters
    ----------
    support : None, str, (lower, upper) or Space
        None and "real" are the whole line; "positive" and "nonnegative" are [0, ∞) (a bound has
        no length, so zero itself makes no difference to an integral); "unit" is [0, 1]; "circle",
        "sphere", "simplex" and "permutations" are the spaces of these names in `pymc_ebm.space`.

    Returns
    -------
    Space

    Raises
    ------
    ValueError
        An unknown name, not a pair, or a lower bound that is not below the upper one.

    Examples
    --------
    >>> print(normalise_support("positive"))
    [0, inf)
    >>> print(normalise_support((-1, 1)))
    [-1, 1]
    """
    if isinstance(support, Space):
        return support
    if support is None:
        support = "real"
    if isinstance(support, str):
        if support not in NAMED:
            raise ValueError(
                f"The support {support!r} is unknown. "
                f"Use one of {', '.join(map(repr, NAMED))} or a pair (lower, upper)."
            )
        return NAMED[support]
    if isinstance(support, tuple | list) and None in [b for b in support if np.ndim(b) == 0]:
        raise ValueError(
            f"The support {support!r} has a bound that is None. Say np.inf or -np.inf where there "
            "is none."
        )
    try:
        lower, upper = (np.array(bound, dtype=float) for bound in support)
    except (TypeError, ValueError):
        raise ValueError(
            f"The support {support!r} is not a pair of numbers. "
            f"Use one of {', '.join(map(repr, NAMED))} or a pair (lower, upper)."
        ) from None
    return Support(*checked_bounds(lower, upper))
