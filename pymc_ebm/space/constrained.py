"""What events obey over and above lying in a box: an equation, an order, a symmetry."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from pymc_ebm.space.packing import is_packed

__all__ = ["constraint_of"]


def constraint_of(
    data: NDArray, *, chance: float = 1e-6, tolerance: float = 1e-6, fewest: int = 3
) -> str | None:
    """Say in words what all events obey, None where they are free.

    One event always has a constant norm and a constant sum, so a few are needed, and whole numbers
    agree by chance, so more are where they are small. One matrix alone tells its symmetry, and one
    packed point pattern what it is.

    Parameters
    ----------
    data : ndarray, shape ``(N, *event)``
    chance : float
        Probability with which free whole numbers may be taken for constrained ones.
    tolerance : float
        Relative, besides what rounding of the data does.
    fewest : int
        Events of real numbers.

    Examples
    --------
    >>> angles = np.array([0.1, 0.7, 2.0])
    >>> constraint_of(np.column_stack([np.cos(angles), np.sin(angles)]))
    'every event has norm 1: directions'
    >>> constraint_of(np.array([[2, 0, 1], [0, 1, 2], [1, 0, 2], [0, 2, 1]]))
    'every event is an order of the numbers 0 to 2: permutations'
    """
    if data.size == 0 or data[0].size < 2:
        return None
    rows = data.reshape(len(data), -1).astype(float)
    one = bool((rows == rows[0]).all())  # equal events say no more than one of them
    for look in (_packing, _symmetry) if one else (_packing, _order, _symmetry, _equation):
        found = look(data[:1] if one else data, rows, chance, tolerance, fewest)
        if found:
            return f"every event {found}"
    return None


def _packing(data, rows, chance, tolerance, fewest) -> str | None:
    """Places of points, 1 where there is one, and zeros."""
    where = "places, and in the last column 1 where there is a point"
    return f"is a packed point pattern, {where}" if is_packed(data, 100 * chance) else None


def _order(data, rows, chance, tolerance, fewest) -> str | None:
    """Whole numbers 0 to n − 1 or 1 to n, each once; 0 and 1 alone are two values."""
    n = rows.shape[1]
    first = int(rows.min()) if rows.min() in (0.0, 1.0) else None
    if first is None or (n == 2 and first == 0):
        return None
    wanted = np.arange(n) + first
    if not (np.sort(rows, axis=1) == wanted).all():
        return None
    return f"is an order of the numbers {wanted[0]} to {wanted[-1]}: permutations"


def _symmetry(data, rows, chance, tolerance, fewest) -> str | None:
    """Square matrices equal to their transpose."""
    if data.ndim != 3 or data.shape[1] != data.shape[2]:
        return None
    matrices, n = data.astype(float), data.shape[1]
    slack = tolerance * np.abs(matrices).max()
    if not np.allclose(matrices, matrices.swapaxes(1, 2), rtol=0, atol=slack):
        return None
    diagonal = np.diagonal(matrices, axis1=1, axis2=2)
    constant = np.ptp(diagonal) <= slack
    values, once = np.unique(matrices[:, np.tri(n, n, -1, dtype=bool)], return_counts=True)
    both = 2 * once
    if constant:
        same = np.isclose(values, diagonal.flat[0], rtol=0, atol=slack)
        both = np.append(both + same * diagonal.size, 0 if same.any() else diagonal.size)
    # Tables of pairs are common events, so that they need less than others to be told.
    if _log_orders(once) - _log_orders(both) > np.log(100 * chance):
        return None
    more = f" with {diagonal.flat[0]:g} on the diagonal" if constant else ""
    what = ": correlation matrices" if constant and np.isclose(diagonal.flat[0], 1) else ""
    return f"is a symmetric matrix{more}{what}"


def _log_orders(counts) -> float:
    """In how many orders so many of each value can stand."""
    return float(gammaln(counts.sum() + 1) - gammaln(counts + 1).sum())


def _equation(data, rows, chance, tolerance, fewest) -> str | None:
    """A constant norm or a constant sum."""
    rounding = _rounding(rows)
    size = np.abs(rows).max()
    norms, sums = np.linalg.norm(rows, axis=1), rows.sum(axis=1)
    n = rows.shape[1]
    found = []
    # The largest error of a sum of n rounded numbers is n times that of one; typical is √n.
    for of_rows, name, slack in (
        (norms, "norm", np.sqrt(n) * rounding),
        (sums, "sum", n * rounding),
    ):
        if np.ptp(of_rows) > 2 * slack + tolerance * max(size, np.abs(of_rows).max()):
            continue
        centre = of_rows.mean()
        if abs(centre - np.round(centre)) <= slack + tolerance * size:
            centre = np.round(centre) + 0.0
        # Shares are common events, so that they need less than others to be told.
        shares = name == "sum" and rows.min() >= 0 and centre in (1, 100)
        if _by_chance(rows, of_rows, name, fewest) <= chance * (100 if shares else 1):
            found.append((name, float(centre)))
    if not found:
        return None
    what = ""
    if found[0][0] == "norm" and len(found) == 1:
        what = ": directions"
    elif found[-1][0] == "sum" and found[-1][1] == 1 and rows.min() >= 0:
        what = ": shares of a whole"
    return "has " + " and ".join(f"{name} {value:.4g}" for name, value in found) + what


def _by_chance(rows, of_rows, name, fewest) -> float:
    """About how likely free numbers of this spread agree so well."""
    varying = rows.var(axis=0)
    if name == "norm":
        varying = (rows**2).var(axis=0)
        if np.isin(np.abs(rows), np.abs(rows).flat[0]).all():  # spins have no other norm
            return 1.0
    spread = np.sqrt(varying.sum())
    if spread == 0:
        return 1.0
    if len(rows) < fewest and not (rows == np.round(rows)).all():
        return 1.0
    range_, step = np.ptp(of_rows), _step(rows)
    if name == "norm":  # of its square
        range_, step = range_ * 2 * of_rows.mean(), step**2
    share = max(range_, step / np.sqrt(2 * np.pi)) / spread
    return min(share, 1.0) ** (len(rows) - 1)


def _step(rows) -> float:
    """The largest number of which all differences of rounded data are multiples; 0 of others."""
    digits = _decimals(rows)
    if digits is None:
        return 0.0
    scaled = np.round((rows - rows.min()) * 10.0**digits)
    if scaled.max() >= 2**53:
        return 0.0
    return float(np.gcd.reduce(scaled.astype(np.int64), axis=None)) * 10.0**-digits


def _rounding(rows) -> float:
    """Half of the last decimal that the data have; none where they are whole or not rounded."""
    digits = _decimals(rows)
    return 0.5 * 10.0**-digits if digits else 0.0


def _decimals(rows) -> int | None:
    """Of rounded data; None of others."""
    rounded = (d for d in range(8) if np.array_equal(np.round(rows, d), rows))
    return next(rounded, None)
