"""Discrete events under an energy: single-site descents, chains, and independent sites."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.space.moves import SiteChange
from pymc_ebm.space.sites import Sites
from pymc_ebm.weights.normalised import normalise

__all__ = ["DiscreteLandscape", "SiteFrequencies"]

# Steps of a chain, at most: for events of many sites.
_MOST_STEPS = 300


@dataclass(frozen=True, eq=False)
class SiteFrequencies:
    """Independent sites with log probabilities of their values, ``(D, K)``, of codes."""

    log_p: NDArray

    def draw(self, rng: np.random.Generator, draws: int, *params) -> NDArray:
        """Codes ``(draws, D)``."""
        ends = np.exp(self.log_p).cumsum(axis=1)[:, :-1]
        u = rng.random((draws, len(ends), 1))
        return (u >= ends).sum(axis=2)

    def log_density(self, codes: NDArray, *params) -> NDArray:
        """In nats, ``(B,)``; −inf where a code is −1, a value that is not known."""
        of_sites = self.log_p[np.arange(len(self.log_p)), codes]
        return np.where(codes < 0, -np.inf, of_sites).sum(axis=1)


class DiscreteLandscape:
    """Events of D sites as codes of their values, under one energy.

    Parameters
    ----------
    energy : callable
        Of events ``(B, *event)``, in nats, ``(B,)``.
    sites : Sites
    """

    def __init__(self, energy: Callable[[NDArray], NDArray], sites: Sites):
        self._energy, self._sites = energy, sites
        n_sites, most = sites.values.shape
        self._allowed = np.arange(most) < sites.n_values[:, None]
        self._steps = min(6 * n_sites, _MOST_STEPS)

    def energies(self, codes: NDArray) -> NDArray:
        """Of codes ``(B, D)``, in nats; +inf where E is not a number."""
        energies = self._energy(self._sites.points(codes))
        return np.where(np.isnan(energies), np.inf, energies)

    def random(self, rng: np.random.Generator, draws: int) -> NDArray:
        """Codes of sites that are uniform over their values, ``(draws, D)``."""
        return rng.integers(self._sites.n_values, size=(draws, len(self._sites.n_values)))

    def descend(self, starts: NDArray, rng: np.random.Generator) -> NDArray:
        """Ends of single-site descents from the ends of short chains, without repetition."""
        codes = self._chain(starts, rng)[-1].copy()
        n_sites = codes.shape[1]
        for site in np.resize(rng.permutation(n_sites), min(3 * n_sites, _MOST_STEPS)):
            trials = np.repeat(codes[None], self._sites.n_values[site], axis=0)
            trials[:, :, site] = np.arange(len(trials))[:, None]
            energies = self.energies(trials.reshape(-1, n_sites)).reshape(trials.shape[:2])
            codes[:, site] = energies.argmin(axis=0)
        return np.unique(codes, axis=0)

    def path(self, start: NDArray, end: NDArray) -> NDArray:
        """One site after another changed."""
        return np.where(np.tri(len(end) + 1, len(end), -1, dtype=bool), end, start)

    def law_by_differences(self, end: NDArray) -> SiteFrequencies:
        """Each site as it is distributed where the others are at an end."""
        site, value = np.nonzero(self._allowed)
        trials = np.tile(end, (len(site), 1))
        trials[np.arange(len(site)), site] = value
        log_p = np.full(self._allowed.shape, -np.inf)
        log_p[site, value] = -self.energies(trials)
        return self._law(normalise(log_p)[1])

    def law_by_chains(self, end: NDArray, rng: np.random.Generator) -> SiteFrequencies:
        """The frequencies of the values in the second halves of chains from one place."""
        codes = self._chain(np.tile(end, (32, 1)), rng).reshape(-1, len(end))
        counts = np.stack([(codes == k).sum(axis=0) for k in range(self._allowed.shape[1])], axis=1)
        counts = np.where(self._allowed, counts + 0.5, 0.0)
        return self._law(counts / counts.sum(axis=1, keepdims=True))

    def _law(self, p: NDArray) -> SiteFrequencies:
        # Share of each site that is drawn from all of its values.
        share = 1e-3
        at_random = self._allowed / self._sites.n_values[:, None]
        return SiteFrequencies(np.log((1 - share) * p + share * at_random))

    def _chain(self, codes: NDArray, rng: np.random.Generator) -> NDArray:
        """Some states ``(T, B, D)`` of Metropolis chains that change one site at a time."""
        energies, kept, move = self.energies(codes), [], SiteChange(self._sites)
        for step in range(self._steps):
            moved = move.of_codes(rng, codes)
            of_moved = self.energies(moved)
            accepted = rng.exponential(size=len(codes)) > of_moved - energies
            codes = np.where(accepted[:, None], moved, codes)
            energies = np.where(accepted, of_moved, energies)
            if 2 * step >= self._steps and (self._steps - 1 - step) % 4 == 0:
                kept.append(codes)
        return np.array(kept)
