"""How many points are enough: for a wanted error, and within what can be evaluated."""

from __future__ import annotations

import math

__all__ = ["enough_points", "first_points", "most_points", "times_needed"]


def times_needed(
    share: float, bits: float = 0.0, *, wanted_share: float = 0.05, wanted_bits: float = 0.1
) -> float:
    r"""How many times the points bring an added error to what is wanted, M'/M.

    .. math:: \max\bigl[(ε / ε^*)^2, \; b / b^*\bigr]

    as errors fall with √M and the information lost with M. Sobol points usually need fewer.

    Parameters
    ----------
    share : float
        ε, what the points add to a posterior mean or sd, in posterior sds.
    bits : float
        b, information of the posterior that they lose.
    wanted_share, wanted_bits : float
        ε* and b*; the defaults are half of what `report` allows.

    Returns
    -------
    float
        Infinite where the error is not known.

    Examples
    --------
    >>> times_needed(0.2)
    16.0
    """
    times = max((share / wanted_share) ** 2, bits / wanted_bits)
    return times if math.isfinite(times) else math.inf


def first_points(rows: int = 1, *, points: int = 2**14, fewest: int = 2**10) -> int:
    """Points by which an error is first asked for: fewer where many rows need them all.

    Parameters
    ----------
    rows : int
        Distinct rows of parameters.
    points, fewest : int
        For one row, and for very many.

    Examples
    --------
    >>> first_points() == 2**14, first_points(rows=100) == 2**11
    (True, True)
    """
    return max(points // 2 ** round(math.log2(rows) / 2), fewest)


def most_points(rows: int = 1, *, points: int = 2**18, energies: int = 2**21) -> int:
    """The most points that a reference gets without being asked, a power of two.

    Parameters
    ----------
    rows : int
        Distinct rows of parameters, each of which needs the energies of all points.
    points : int
        The most points of one row.
    energies : int
        The most energies a_m − E(y_m | θ) in all: 2²¹ are 16 MiB at each evaluation.

    Examples
    --------
    >>> most_points(), most_points(rows=100) == 2**14
    (262144, True)
    """
    return 2 ** int(math.log2(max(min(points, energies / rows), 1)))


def enough_points(
    n_points: int, times: float, most: int, *, fewest: int = 2**10, most_times: float = math.inf
) -> int:
    """So many times the points, as a power of two between the fewest and the most.

    Parameters
    ----------
    n_points : int
        Those that there are.
    times : float
        As `times_needed` says.
    most, fewest : int
        Limits.
    most_times : float
        Where the error is asked again on the way, how far one step goes.

    Examples
    --------
    >>> enough_points(4096, 5.0, 2**17)
    32768
    """
    wanted = min(n_points * min(times, most_times), most)
    return 2 ** math.ceil(math.log2(max(wanted, fewest)))
