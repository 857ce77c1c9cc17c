"""Batches of a Markov chain that are long against its autocorrelation time."""

from __future__ import annotations

import warnings

import numpy as np


def batches(series: np.ndarray) -> np.ndarray:
    """Group of each draw: consecutive draws of one chain, long enough to be independent.

    Parameters
    ----------
    series : ndarray
        Quantities by chain and draw, ``(C, n, S)``; the slowest decides.

    Returns
    -------
    ndarray of int
        ``(C, n)``, from 0 to G − 1.

    Warns
    -----
    UserWarning
        Fewer than 10 batches in all.

    Examples
    --------
    >>> white = np.random.default_rng(1).normal(size=(2, 500, 1))
    >>> int(batches(white).max()) + 1 > 20
    True
    """
    n_chains, n_draws, _ = series.shape
    time = autocorrelation_time(series)
    # Batches this many autocorrelation times long are nearly independent: their ends are 10% of
    # them.
    length = int(np.clip(np.ceil(10 * time), 1, n_draws))
    per_chain = max(n_draws // length, 1)
    if per_chain * n_chains < 10:
        warnings.warn(
            f"{n_chains} chains of {n_draws} draws with an autocorrelation time of {time:.3g} make "
            f"{per_chain * n_chains} independent batches, too few for a good error estimate. Use "
            "longer chains, or thin= between draws.",
            UserWarning,
            stacklevel=4,
        )
    within = np.minimum(np.arange(n_draws) * per_chain // n_draws, per_chain - 1)
    return np.arange(n_chains)[:, None] * per_chain + within


def autocorrelation_time(series: np.ndarray) -> float:
    r"""Integrated autocorrelation time :math:`1 + 2 \sum_t ρ_t` of the slowest series, in draws.

    Geyer's initial positive sequence: the sum ends where a pair ρ_{2t} + ρ_{2t+1} is negative.

    Parameters
    ----------
    series : ndarray
        ``(C, n, S)``.

    Returns
    -------
    float
        At least 1.

    References
    ----------
    C. J. Geyer (1992), "Practical Markov chain Monte Carlo", Statist. Sci. 7, 473–483.
    """
    n_draws = series.shape[1]
    centred = series - series.mean(axis=(0, 1))
    spectrum = np.fft.rfft(centred, 2 * n_draws, axis=1)
    covariance = np.fft.irfft(np.abs(spectrum) ** 2, axis=1)[:, :n_draws].mean(axis=0)
    covariance /= n_draws
    # Each in its own unit.
    scale = np.abs(series).max(axis=(0, 1))
    constant = covariance[0] <= np.maximum(1e-14 * scale**2, 1e-300)
    times = [1.0]
    for column in covariance.T[~constant]:
        rho = column / column[0]
        pairs = rho[: n_draws // 2 * 2].reshape(-1, 2).sum(axis=1)
        negative = np.flatnonzero(pairs < 0)
        end = negative[0] if len(negative) else len(pairs)
        times.append(2 * pairs[:end].sum() - 1)
    return float(max(times))
