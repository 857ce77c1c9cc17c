"""The set over which a normaliser is an integral or a sum."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NAMED = {
    "real": (-np.inf, np.inf),
    "positive": (0.0, np.inf),
    "nonnegative": (0.0, np.inf),
    "unit": (0.0, 1.0),
}


@dataclass(frozen=True, eq=False)
class Support:
    """A box with closed bounds: the points x with lower <= x <= upper in each coordinate.

    Parameters
    ----------
    lower, upper : float or ndarray
        Bounds in the units of x, of a shape that broadcasts to an event.

    Examples
    --------
    >>> print(Support(0.0, 1.0))
    [0, 1]
    """

    lower: float | np.ndarray = -np.inf
    upper: float | np.ndarray = np.inf

    def contains(self, x, event_ndim: int = 0) -> np.ndarray:
        """Whether each event lies inside.

        Parameters
        ----------
        x : array_like, shape ``(*batch, *event)``
        event_ndim : int
            Rank of one event.

        Returns
        -------
        ndarray of bool, shape ``(*batch,)``
        """
        x = np.asarray(x)
        inside = (x >= self.lower) & (x <= self.upper)
        return inside.all(axis=tuple(range(x.ndim - event_ndim, x.ndim)))

    def intersection(self, other: Support) -> Support:
        """The points that lie in both boxes."""
        lower, upper = (
            function(mine, theirs)
            for function, mine, theirs in (
                (np.maximum, self.lower, other.lower),
                (np.minimum, self.upper, other.upper),
            )
        )
        return normalise_support((lower, upper))

    def __eq__(self, other):
        if not isinstance(other, Support):
            return NotImplemented
        return np.array_equal(self.lower, other.lower) and np.array_equal(self.upper, other.upper)

    def __hash__(self):
        return hash((np.asarray(self.lower).tobytes(), np.asarray(self.upper).tobytes()))

    def __str__(self):
        if np.all(np.isneginf(self.lower)) and np.all(np.isposinf(self.upper)):
            return "the whole line"
        left = "(" if np.all(np.isneginf(self.lower)) else "["
        right = ")" if np.all(np.isposinf(self.upper)) else "]"
        return f"{left}{_spell(self.lower)}, {_spell(self.upper)}{right}"


def normalise_support(support) -> Support:
    """Read a support as users write it.

    Parameters
    ----------
    support : None, str, (lower, upper) or Support
        None and "real" are the whole line; "positive" and "nonnegative" are [0, ∞) (a bound has
        no length, so zero itself makes no difference to an integral); "unit" is [0, 1].

    Returns
    -------
    Support

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
    if isinstance(support, Support):
        return support
    if support is None:
        support = "real"
    if isinstance(support, str):
        if support not in NAMED:
            raise ValueError(
                f"The support {support!r} is unknown. "
                f"Use one of {', '.join(map(repr, NAMED))} or a pair (lower, upper)."
            )
        return Support(*NAMED[support])
    try:
        lower, upper = (_bound(bound) for bound in support)
    except (TypeError, ValueError):
        raise ValueError(
            f"The support {support!r} is not a pair of numbers. "
            f"Use one of {', '.join(map(repr, NAMED))} or a pair (lower, upper)."
        ) from None
    if not np.all(np.less(lower, upper)):  # also refuses NaN
        raise ValueError(
            f"The support has lower bound {_spell(lower)} and upper bound {_spell(upper)}. "
            "Every lower bound must be below its upper bound."
        )
    return Support(lower, upper)


def _bound(value) -> float | np.ndarray:
    array = np.array(value, dtype=float)
    if array.ndim == 0:
        return float(array)
    array.flags.writeable = False
    return array


def _spell(bound) -> str:
    if np.ndim(bound) == 0:
        return f"{bound:g}"
    return np.array2string(np.asarray(bound), threshold=6)
