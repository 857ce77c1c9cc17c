"""Uniform numbers with their groups: independent, antithetic or scrambled Sobol."""

from __future__ import annotations

import math
import warnings

import numpy as np
import scipy


def uniforms(method: str, draws: int, n_dim: int, rng, scramblings: int = 16):
    """Uniforms strictly inside (0, 1) and the group of each row.

    Parameters
    ----------
    method : {"iid", "antithetic", "sobol"}
    draws, n_dim : int
        Rows and columns.
    rng : numpy.random.Generator
    scramblings : int
        Independent scramblings of the Sobol sequence.

    Returns
    -------
    u : ndarray, shape (draws, n_dim)
    groups : ndarray of int, shape (draws,)

    Raises
    ------
    ValueError
        An unknown method, or draws that do not divide into pairs or scramblings.

    Examples
    --------
    >>> u, groups = uniforms("antithetic", 4, 1, np.random.default_rng(1))
    >>> (u[0] + u[1]).item(), groups.tolist()
    (1.0, [0, 0, 1, 1])
    """
    check_draws(draws)
    if method == "iid":
        u, groups = rng.random((draws, n_dim)), np.arange(draws)
    elif method == "antithetic":
        if draws % 2:
            raise ValueError(
                f"Antithetic draws come in pairs, and draws is {draws}. Use draws={draws + 1}."
            )
        half = rng.random((draws // 2, n_dim))
        u = np.stack([half, 1 - half], axis=1).reshape(draws, n_dim)
        groups = np.repeat(np.arange(draws // 2), 2)
    elif method == "sobol":
        u, groups = _sobol(draws, n_dim, rng, scramblings)
    else:
        raise ValueError(
            f"The method {method!r} is unknown. Use one of 'iid', 'antithetic', 'sobol'."
        )
    # Quantiles of 0 and 1 are infinite.
    return np.clip(u, 2.0**-53, 1 - 2.0**-53), groups


def check_draws(draws: int) -> None:
    """Refuse a number of draws that is none."""
    if draws < 1:
        raise ValueError(f"draws is {draws}. Give a positive number; the default is 4096.")


def balanced(draws: int, scramblings: int = 16) -> int:
    """Number of draws, not below `draws`, that makes scramblings of a power of two.

    Examples
    --------
    >>> balanced(5000)
    8192
    """
    return scramblings * 2 ** max(math.ceil(math.log2(draws / scramblings)), 0)


def _sobol(draws, n_dim, rng, scramblings):
    if scramblings < 2:
        raise ValueError(
            f"scramblings is {scramblings}, and the error is estimated from their spread. "
            "Use at least 2; the default is 16."
        )
    size, rest = divmod(draws, scramblings)
    if rest or size == 0:
        good = 2 ** max(round(np.log2(max(draws / scramblings, 1))), 1) * scramblings
        raise ValueError(
            f"{draws} draws do not divide into {scramblings} scramblings. Use draws={good}."
        )
    if size & (size - 1):
        good = 2 ** round(np.log2(size)) * scramblings
        warnings.warn(
            f"Each scrambling has {size} points, which is not a power of two, so the Sobol points "
            f"lose their balance. Use draws={good}.",
            UserWarning,
            stacklevel=3,
        )
    with warnings.catch_warnings():  # said above, in terms of draws
        warnings.filterwarnings("ignore", message="The balance properties of Sobol")
        u = np.concatenate(
            [
                scipy.stats.qmc.Sobol(n_dim, scramble=True, rng=rng).random(size)
                for _ in range(scramblings)
            ]
        )
    return u, np.repeat(np.arange(scramblings), size)
