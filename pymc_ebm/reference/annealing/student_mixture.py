"""Mixtures of spherical Student t in any dimension, with the slope that trajectories follow."""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from pymc_ebm.weights.normalised import normalise

_NU = 5.0  # degrees of freedom: heavier than a Gaussian, with a finite variance


class StudentMixture:
    r"""q(w) = Σ_k π_k t_5(w; m_k, s_k² 1), a law whose Z is 1.

    Parameters
    ----------
    shares : ndarray, shape (K,)
        π_k, which sum to 1.
    centres : ndarray, shape (K, D)
    scales : ndarray, shape (K,)
    """

    def __init__(self, shares, centres, scales):
        self.shares, self.centres, self.scales = map(np.asarray, (shares, centres, scales))
        n_dim = self.centres.shape[1]
        self._constant = (
            np.log(self.shares)
            + gammaln((_NU + n_dim) / 2)
            - gammaln(_NU / 2)
            - n_dim / 2 * np.log(_NU * np.pi)
            - n_dim * np.log(self.scales)
        )

    def draw(self, rng: np.random.Generator, draws: int) -> np.ndarray:
        """Independent points ``(draws, D)``."""
        k = rng.choice(len(self.shares), size=draws, p=self.shares)
        t = rng.normal(size=(draws, self.centres.shape[1]))
        t /= np.sqrt(rng.chisquare(_NU, size=(draws, 1)) / _NU)
        return self.centres[k] + self.scales[k, None] * t

    def energy(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """−log q ``(B,)`` and its slope ``(B, D)``, at points ``(B, D)``."""
        n_dim = w.shape[1]
        square = (w**2).sum(axis=1)[:, None] - 2 * w @ self.centres.T
        square = np.maximum(square + (self.centres**2).sum(axis=1), 0.0)
        spread = _NU * self.scales**2
        terms = self._constant - (_NU + n_dim) / 2 * np.log1p(square / spread)
        log_q, shares = normalise(terms)
        pull = shares * (_NU + n_dim) / (spread + square)
        return -log_q, pull.sum(axis=1)[:, None] * w - pull @ self.centres
