"""Given draws without repeats, in batches where their order shows that they are dependent."""

from __future__ import annotations

import warnings

import numpy as np
import scipy.special
from numpy.typing import NDArray

from pymc_ebm.reference.chains.batches import autocorrelation_time

__all__ = ["given_groups"]


def given_groups(
    points: NDArray, log_density: NDArray, *, chance: float = 1e-6, fewest: int = 20
) -> tuple[NDArray, NDArray, NDArray]:
    r"""Distinct ones of some draws, how often each is given, and groups by their order.

    Draws that are equal in all digits are one draw. Of those that differ, means of b in a row vary
    as those of b at random do,

    .. math:: b \operatorname{Var}(\bar r_b) / \operatorname{Var}(r) \sim χ^2_{n/b − 1} / (n/b − 1),

    unless draws depend on those before. r are ranks, whose law does not depend on q: of the
    coordinates, of their sum and distance from the middle, and of log q, whose autocorrelation time
    tells how long batches of dependent draws have to be.

    Parameters
    ----------
    points : ndarray, shape ``(M, *event)``
    log_density : ndarray, shape (M,)
        In nats.
    chance : float
        Of taking independent draws for dependent ones.
    fewest : int
        Autocorrelation times that have to fit into the draws. Where they do not, those that go
        step by step are batched all the same; sorted ones, and one part after the other, which may
        be strata or chains that have not mixed, remain each a group of its own.

    Returns
    -------
    which, times, groups : ndarray of int, each of the number of distinct draws
        Where each is first, how often it is given, and its group, from 0 to G − 1.

    Warns
    -----
    UserWarning
        Repeated draws; an order that matters.

    Examples
    --------
    >>> y = np.random.default_rng(1).normal(size=400)
    >>> which, times, groups = given_groups(y, -(y**2) / 2)
    >>> int(groups.max()) + 1
    400
    """
    flat = points.reshape(len(points), -1)
    if flat.dtype.kind not in "biuf" or not np.isfinite(flat).all():  # no draws at all
        alone = np.arange(len(points))
        return alone, np.ones_like(alone), alone
    first, which = _distinct(flat)
    times, alone = np.bincount(which), np.arange(len(first))
    stays = np.count_nonzero(np.diff(which) == 0)
    if len(first) > 0.95 * (len(points) - stays):  # all of them, or a chain that did not move
        batches = _batches(_ranks(flat, log_density), len(points), chance, fewest)
        batches = None if batches is None else np.unique(batches[first], return_inverse=True)[1]
    else:
        warnings.warn(
            f"{len(first)} of {len(points)} draws are distinct, and equal ones are one point. Give "
            "more that differ.",
            UserWarning,
            stacklevel=4,
        )
        batches = _batches(_ranks(flat[first], log_density[first]), len(first), chance, fewest)
    return first, times, alone if batches is None else batches


def _distinct(flat: NDArray) -> tuple[NDArray, NDArray]:
    """Index of the first of each draw, and the number of that one for all draws."""
    alone = np.arange(len(flat))
    enough = 0.95 * len(flat)  # equal ones beyond are by chance, as of numbers in single precision
    # Most often the first coordinate alone tells it, a hundred times sooner than whole draws.
    if _rounded(flat) or np.count_nonzero(np.diff(np.sort(flat[:, 0]))) >= enough:
        return alone, alone
    _, first, which = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    if len(first) > enough:
        return alone, alone
    number = np.argsort(np.argsort(first))
    return np.sort(first), number[which.ravel()]


def _rounded(flat: NDArray) -> bool:
    """Whether values have at most four digits of their spread, as whole numbers have."""
    if flat.dtype.kind != "f" or flat.size == 0:
        return True
    spread = float(flat.std())
    digits = 4 - int(np.floor(np.log10(spread))) if spread > 0 else 0
    return bool(np.allclose(np.round(flat, digits), flat, rtol=1e-12, atol=0))


def _ranks(flat: NDArray, log_density: NDArray, most: int = 2**20, axes: int = 32) -> NDArray:
    """Ranks about 0 of what may change slowly, ``(n, S)``, of the first n draws."""
    some = np.unique(np.linspace(0, flat.shape[1] - 1, axes).astype(int))
    n = min(len(flat), most // (flat.shape[1] + 3) + 100)
    x = flat[:n].astype(float)
    away = np.abs(x - np.median(x, axis=0)).sum(axis=1)
    series = [x[:, some], x.sum(axis=1), away, np.nan_to_num(log_density[:n])]
    ranks = scipy.stats.rankdata(np.column_stack(series), axis=0)
    return ranks - ranks.mean(axis=0)


def _batches(ranks: NDArray, n_draws: int, chance: float, fewest: int) -> NDArray | None:
    """Numbers of batches of draws in their order; None where it shows no dependence or not how."""
    if not _dependent(ranks, chance):
        return None
    time = autocorrelation_time(ranks[None])
    if len(ranks) < fewest * time and not _diffuses(ranks):
        warnings.warn(
            "The draws change along their order, and return too seldom to tell how much they "
            "depend on one another: they are sorted, or of chains that have not mixed. Shuffle "
            "draws that are sorted; of chains give longer ones.",
            UserWarning,
            stacklevel=5,
        )
        return None
    # Of batches two times long the error is an eighth too small.
    n_batches = int(max(n_draws / (10 * time), min(fewest, n_draws / (2 * time)), 4))
    warnings.warn(
        f"The draws depend on those before, over about {time:.2g} of them: errors are those of "
        f"{n_batches} batches. Give more draws, or groups= where something else is known.",
        UserWarning,
        stacklevel=5,
    )
    return np.arange(n_draws) * n_batches // n_draws


def _dependent(ranks: NDArray, chance: float) -> bool:
    n_draws = len(ranks)
    variance = ranks.var(axis=0)
    ranks, variance = ranks[:, variance > 0], variance[variance > 0]
    lengths = 2 ** np.arange(1, max(int(np.log2(n_draws / 16)) + 1, 1))
    for length in lengths if variance.size else ():
        n = n_draws // length
        means = ranks[: n * length].reshape(n, length, -1).mean(axis=1)
        squares = length * ((means - means.mean(axis=0)) ** 2).sum(axis=0) / variance
        if scipy.special.chdtrc(n - 1, squares).min() * squares.size * len(lengths) < chance:
            return True
    return False


def _diffuses(ranks: NDArray) -> bool:
    """Whether the slowest series moves as a chain does, its squares of changes growing with time.

    Those of sorted draws grow with its square, and those of strata hardly.
    """
    once, twice = (((ranks[k:] - ranks[:-k]) ** 2).mean(axis=0) for k in (1, 2))
    with np.errstate(invalid="ignore"):
        slowest = int(np.nanargmin(once / ranks.var(axis=0)))
    return bool(1.3 < twice[slowest] / once[slowest] < 3)
