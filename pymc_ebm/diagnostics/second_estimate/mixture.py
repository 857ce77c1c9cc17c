"""Mixtures of multivariate Student t laws: drawn by uniforms, and fitted to weighted places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special, stats

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

    def log_components(self, x: NDArray) -> NDArray:
        """Log w_k t_k(x), ``(K, B)`` in nats."""
        squares, log_dets = self.squares(x)
        n, nu = x.shape[1], self.freedom
        constant = special.gammaln((nu + n) / 2) - special.gammaln(nu / 2)
        constant = constant - n / 2 * np.log(nu * np.pi)
        kernel = -(nu + n) / 2 * np.log1p(squares / nu)
        with np.errstate(divide="ignore"):
            return (np.log(self.weights) + constant - log_dets)[:, None] + kernel

    def log_density(self, x: NDArray) -> NDArray:
        """``(B,)`` in nats."""
        return normalise(self.log_components(x).T)[0]

    def squares(self, x: NDArray) -> tuple[NDArray, NDArray]:
        """Squared distances in widths of each component, ``(K, B)``, and log |L_k|, ``(K,)``."""
        squares = [
            (linalg.solve_triangular(root, (x - mean).T, lower=True) ** 2).sum(axis=0)
            for mean, root in zip(self.means, self.roots, strict=True)
        ]
        log_dets = np.log(np.diagonal(self.roots, axis1=1, axis2=2)).sum(axis=1)
        return np.array(squares), log_dets

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
        logs = mixture.log_components(x)
        member = normalise(logs.T)[1].T
        pull = (freedom + n_dim) / (freedom + mixture.squares(x)[0])
    assert mixture is not None
    return mixture
