"""What every sampler asks of its call, before anything is compiled."""

from __future__ import annotations

import numbers

from pymc_ebm.partition.checks import check_reference
from pymc_ebm.reference.base import Reference

__all__ = ["check_sampling"]

_LEAST = {"draws": 1, "chains": 1, "thin": 1, "tune": 0}


def check_sampling(reference: Reference, **counts: int) -> None:
    """Refuse what is no reference for one row of parameters, and numbers that are too small.

    Parameters
    ----------
    reference : Reference
    **counts : int
        Of ``draws``, ``chains``, ``thin`` and ``tune``, those that the sampler has.

    Raises
    ------
    TypeError
        A reference that is none.
    ValueError
        A number that is no whole one or below the least; a reference of rows.
    """
    check_reference(reference)
    if reference.n_rows is not None:
        raise ValueError(
            f"The reference has points of {reference.n_rows} rows, and draws are made at one row "
            "of parameters. Give the points of that row, reference=reference.row(r)."
        )
    for name, number in counts.items():
        if not isinstance(number, numbers.Integral) or number < _LEAST[name]:
            raise ValueError(f"{name} is {number!r}. Give a whole number, {_LEAST[name]} or more.")
