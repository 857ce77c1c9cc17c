"""Mixtures of multivariate Student t laws: drawn by uniforms, and fitted to weighted places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from pymc_ebm.weights.normalised import normalise

__all__ = ["TMixture", "fitted_mixture"]


@dataclass(frozen=True, eq=False)
class TMixture:
    """Σ_k w_k t_ν(x; m_k, L_k L_kᵀ).

    Parameters
    ----------
    weights : ndarray
        ``(K,)``, adding up to 1.
    means, roots : ndarray
        ``(K, D)``, and lower triangles ``(K, D, D)``.
    freedom : float
        ν.
    """

    weights: NDArray
    means: NDArray
    roots: NDArray
    freedom: float = 5.0

    @cached_property
    def _inverses(self) -> NDArray:
        """Inverses of the roots, ``(K, D, D)``."""
        return np.linalg.inv(self.roots)

    def log_density(self, x: NDArray) -> NDArray:
        """``(B,)`` in nats."""
        return normalise(self._log_components(self.squares(x)).T)[0]

    def log_density_and_slope(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """``(B,)`` in nats, and its gradient ``(B, D)``."""
        log_q, slope = np.empty(len(x)), np.empty_like(x)
        n, nu = x.shape[1], self.freedom
        for some, scaled in self._scaled(x):
            squares = _norms(scaled)
            log_q[some], shares = normalise(self._log_components(squares).T)
            scaled *= (shares * (nu + n) / (nu + squares.T))[:, :, None]
            slope[some] = -scaled.reshape(len(scaled), -1) @ self._inverses.reshape(-1, n)
        return log_q, slope

    def squares(self, x: NDArray) -> NDArray:
        """Squared distances in widths of each component, ``(K, B)``."""
        return np.concatenate([_norms(scaled) for _, scaled in self._scaled(x)], axis=1)

    def _log_components(self, squares: NDArray) -> NDArray:
        """Log w_k t_k(x), ``(K, B)`` in nats."""
        n, nu = self.means.shape[1], self.freedom
        constant = special.gammaln((nu + n) / 2) - special.gammaln(nu / 2)
        constant = constant - n / 2 * np.log(nu * np.pi)
        log_dets = np.log(np.diagonal(self.roots, axis1=1, axis2=2)).sum(axis=1)
        with np.errstate(divide="ignore"):
            logs = np.log(self.weights) + constant - log_dets
        return logs[:, None] - (nu + n) / 2 * np.log1p(squares / nu)

    def _scaled(self, x: NDArray, numbers: int = 2**18) -> Iterator[tuple[slice, NDArray]]:
        """L_k⁻¹(x − m_k), ``(B, K, D)``, of as many events at a time as stay near the processor."""
        n_laws, n = self.means.shape
        rows = self._inverses.reshape(-1, n).T
        centre = self.means.mean(axis=0)
        of_means = np.einsum("kij,kj->ki", self._inverses, self.means - centre).ravel()
        size = max(numbers // (n_laws * n), 64)
        for low in range(0, len(x), size):
            some = slice(low, low + size)
            yield some, ((x[some] - centre) @ rows - of_means).reshape(-1, n_laws, n)

    def draw(self, u: NDArray) -> NDArray:
        """Events ``(B, D)`` of uniforms ``(B, D + 2)``."""
        edges = np.cumsum(self.weights)
        which = np.searchsorted(edges / edges[-1], u[:, 0], side="right").clip(0, len(edges) - 1)
        chi = stats.chi2(self.freedom).ppf(u[:, 1]) / self.freedom
        normal = special.ndtri(u[:, 2:]) / np.sqrt(chi)[:, None]
        x = np.empty_like(normal)
        for k in np.unique(which):
            mine = which == k
            x[mine] = self.means[k] + normal[mine] @ self.roots[k].T
        return x

    def with_part(self, other: TMixture, share: float) -> TMixture:
        """A mixture of it and a share of another one, of the same ν."""
        return TMixture(
            np.concatenate([(1 - share) * self.weights, share * other.weights]),
            np.concatenate([self.means, other.means]),
            np.concatenate([self.roots, other.roots]),
            self.freedom,
        )


def _norms(scaled: NDArray) -> NDArray:
    """Squared lengths, ``(B, K, D)`` to ``(K, B)``."""
    return np.einsum("bkd,bkd->kb", scaled, scaled)


def root_of(covariance: NDArray) -> NDArray:
    """Lower root of a covariance, made positive where rounding or few draws have spoilt it."""
    widths, axes = np.linalg.eigh((covariance + covariance.T) / 2)
    top = max(widths.max(), 1e-300)
    mended = (axes * np.maximum(widths, 1e-10 * top)) @ axes.T
    return np.linalg.cholesky(mended)


def fitted_mixture(
    x: NDArray, weights: NDArray, centres: NDArray, *, steps: int = 15, freedom: float = 5.0
) -> TMixture:
    """A mixture fitted to weighted places by EM, its components beginning at `centres`.

    Parameters
    ----------
    x : ndarray
        ``(B, D)``.
    weights : ndarray
        ``(B,)``, adding up to 1.
    centres : ndarray
        ``(K, D)``.
    """
    n_dim, n = x.shape[1], len(x)
    mean = weights @ x
    overall = (weights * (x - mean).T) @ (x - mean)
    scale = np.sqrt(np.diag(overall)) + 1e-300
    distance = (((x[:, None] - centres) / scale) ** 2).sum(axis=2)
    member = np.zeros((len(centres), n))
    member[distance.argmin(axis=1), np.arange(n)] = 1.0
    pull = np.ones((len(centres), n))
    size = 1 / (weights**2).sum()
    mixture = None
    for _ in range(steps):
        shares = member @ weights
        kept = shares * size > n_dim + 2
        if not kept.any():
            kept = shares == shares.max()
        member, pull, shares = member[kept], pull[kept], shares[kept]
        means, roots = [], []
        for of_k, pull_k, share in zip(member, pull, shares, strict=True):
            w = weights * of_k * pull_k
            centre = (w @ x) / w.sum()
            spread = (w * (x - centre).T) @ (x - centre) / share
            # Of few effective places the covariance leans on that of all.
            lean = n_dim / (n_dim + share * size)
            means.append(centre)
            roots.append(root_of((1 - lean) * spread + lean * overall * 0.1))
        mixture = TMixture(shares / shares.sum(), np.array(means), np.array(roots), freedom)
        squares = mixture.squares(x)
        member = normalise(mixture._log_components(squares).T)[1].T
        pull = (freedom + n_dim) / (freedom + squares)
    assert mixture is not None
    return mixture
