"""How much a posterior moves when its log-probability changes, and how well that is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pymc_ebm.weights.normalised import ess, normalise

__all__ = ["Shift", "errors_of", "shift_of"]


@dataclass(frozen=True, eq=False)
class Shift:
    """What putting the second estimate in place of the first would do to K parameters.

    Attributes
    ----------
    mean : ndarray
        Shift of each posterior mean in posterior sds, ``(K,)``.
    mean_se : ndarray
        Its standard error by the second estimate's own noise, widened as Student's t asks.
    log_sd : ndarray
        Log of the ratio of posterior sds, ``(K,)``.
    log_sd_se : ndarray
    change_sd : float
        Standard deviation of the change of the log-probability over the draws, in nats. It bounds
        every mean shift to first order, however many parameters there are.
    noise_sd : float
        The part of it that the second estimate's noise makes.
    effective : float
        Share of the draws that stay effective when they are reweighted.
    """

    mean: NDArray
    mean_se: NDArray
    log_sd: NDArray
    log_sd_se: NDArray
    change_sd: float
    noise_sd: float
    effective: float


def shift_of(draws: NDArray, change: NDArray, noise: NDArray, runs: int = 1) -> Shift:
    r"""Shift of posterior means and sds under a change of the log-probability.

    Reweighting by :math:`e^{Δ_s}` where at least half of the draws stay effective, else by a
    quadratic fit of Δ, which takes the normal approximation of the draws along:

    .. math:: Δ(z) ≈ b^\top z + z^\top A z / 2, \quad
              Σ' = (Σ^{-1} − A)^{-1}, \quad m' = Σ' b

    or, where draws are too few for A, by the covariance of the draws with Δ.

    Parameters
    ----------
    draws : ndarray
        ``(S, K)``, in the units of the parameters.
    change : ndarray
        Δ in nats, ``(S,)``; any constant may be added.
    noise : ndarray
        ``(G, S)``, independent parts of the noise of Δ: their squares add up to its variance.
    runs : int
        Of which the noise is the spread; 1 for a bound.

    Returns
    -------
    Shift

    Examples
    --------
    >>> z = stats.norm.ppf((np.arange(400) + 0.5) / 400)
    >>> shift = shift_of(z[:, None], 0.2 * z, np.zeros((1, 400)))
    >>> round(float(shift.mean[0]), 2)
    0.2
    """
    sd = draws.std(axis=0)
    # By its range: equal values can have an sd by rounding.
    moves = np.ptp(draws, axis=0) > 0
    z = (draws - draws.mean(axis=0)) / np.where(moves, sd, 1.0)
    _, weights = normalise(change)
    effective = ess(weights) / len(change)
    # Of so many effective draws, reweighting sees a change better than a fit.
    if effective >= 0.5:
        mean = weights @ z
        variance = weights @ (z - mean) ** 2
    else:
        mean, variance = _by_fit(z, change)
    # A chain of one value has no sd that could change.
    log_sd = np.where(moves, np.log(np.where(moves, np.sqrt(variance), 1.0)), 0.0)
    centred = noise - noise.mean(axis=1, keepdims=True)
    of_mean = centred @ z / len(z)
    of_log_sd = centred @ (z**2 - 1) / (2 * len(z))
    return Shift(
        np.where(moves, mean, 0.0),
        errors_of(of_mean, runs),
        log_sd,
        errors_of(of_log_sd, runs),
        float(change.std()),
        float(np.sqrt((centred**2).sum(axis=0).mean())),
        float(effective),
    )


def errors_of(noise: NDArray, runs: int) -> NDArray:
    """Standard errors whose double holds as often as that of a normal error does."""
    wider = stats.t(runs - 1).ppf(0.975) / stats.norm.ppf(0.975) if runs > 1 else 1.0
    return wider * np.sqrt((noise**2).sum(axis=0))


def _by_fit(z: NDArray, change: NDArray) -> tuple[NDArray, NDArray]:
    """Means and variances of the parameters under a quadratic fit of the change."""
    # Nats that no weight is worth following beyond.
    most = 700.0
    n_draws, n = z.shape
    pairs = [(i, j) for i in range(n) for j in range(i, n)]
    covariance = np.atleast_2d(np.cov(z.T, bias=True)) + 1e-9 * np.eye(n)
    if 3 * (1 + n + len(pairs)) <= n_draws:
        products = np.column_stack([z[:, i] * z[:, j] for i, j in pairs])
        design = np.column_stack([np.ones(n_draws), z, products])
        fit = np.linalg.lstsq(design, change, rcond=None)[0]
        slope, curved = fit[1 : 1 + n], np.zeros((n, n))
        for (i, j), value in zip(pairs, fit[1 + n :], strict=True):
            curved[i, j] += value
            curved[j, i] += value
        precision = np.linalg.inv(covariance) - curved
        if np.linalg.eigvalsh(precision).min() > 0:
            after = np.linalg.inv(precision)
            return after @ slope, np.diag(after)
    slope = z.T @ (change - change.mean()) / n_draws
    second = (z**2 - 1).T @ (change - change.mean()) / n_draws
    return slope, np.exp(np.clip(second, -most, most))
