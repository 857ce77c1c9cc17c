"""How reports write numbers: few digits, counts whole, and words for what is no number."""

import math
import re
from typing import SupportsFloat

__all__ = ["give_or_take", "number", "percent"]


def number(value: SupportsFloat, digits: int = 2) -> str:
    """A number with so many significant digits, in at most nine signs.

    Whole numbers below a million stay whole. NaN is "unknown", and ±inf "infinity" and
    "minus infinity".

    Parameters
    ----------
    value : float
    digits : int

    Examples
    --------
    >>> [number(v) for v in (0.1234, 12.6, 1234.5, 272.0, 131072, 2.902e-05)]
    ['0.12', '13', '1,200', '272', '131,072', '2.9e-5']
    >>> number(float("nan")), number(float("-inf")), number(1.0125, 4)
    ('unknown', 'minus infinity', '1.012')
    """
    x = float(value)
    if math.isnan(x):
        return "unknown"
    if math.isinf(x):
        return "infinity" if x > 0 else "minus infinity"
    rounded = float(f"{x:.{digits}g}")
    if abs(x) < 1e6 and math.isclose(x, round(x), rel_tol=1e-9):
        rounded = float(round(x))
    if 10 ** (digits - 1) <= abs(rounded) < 1e6:
        return f"{rounded:,.0f}"
    # Without −0 and the zeros of an exponent.
    return re.sub(r"e\+?(-?)0*", r"e\1", f"{rounded + 0.0:.{digits}g}")


def give_or_take(value: float, error: float) -> str:
    """A number with its standard error, left out where no digit of the number shows it.

    Examples
    --------
    >>> give_or_take(0.0123, 0.034), give_or_take(0.57, 5e-12)
    ('0.012 ± 0.03', '0.57')
    """
    if error <= 5e-3 * abs(value):
        return number(value)
    return f"{number(value)} ± {number(error, digits=1)}"


def percent(share: float) -> str:
    """A share in percent.

    Examples
    --------
    >>> percent(0.1234), percent(float("nan"))
    ('12%', 'unknown')
    """
    return f"{number(100 * share)}%" if math.isfinite(share) else number(share)
