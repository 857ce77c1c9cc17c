"""Finite states as an annealed reference sees them: codes of sites, moved by Gibbs sampling."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.reference.annealing.patterns import changes_of
from pymc_ebm.reference.annealing.population import Population
from pymc_ebm.space.sites import Sites
from pymc_ebm.weights.normalised import normalise


class NoScale(NamedTuple):
    """Gibbs sampling has no step whose length to learn."""

    def of(self, states: NDArray) -> NoScale:
        """Itself."""
        return self


class SitesByGibbs:
    """Events of finite states as codes ``(B, D)``; the base law is a product over sites.

    Sweeps are compiled where the energy has a `local_change`, and where energies are sums over
    sites and pairs of sites, as U_β then is too; those end with a move of clusters where that is
    one of couplings. Elsewhere the energy is evaluated at every value of a site.

    Parameters
    ----------
    energy : Energy
    anchors : sequence of sequences of ndarray
    data : ndarray, shape ``(N, *event)``
    sites : Sites
    rng : numpy.random.Generator
    """

    fewest_moves, most_moves = 2, 64

    def __init__(self, energy, anchors, data, sites: Sites, rng):
        self._sites, self._anchors = sites, anchors
        self.event_shape, self.n_dim = sites.event_shape, len(sites.values)
        law = sites.base_law(data, rng)
        with np.errstate(divide="ignore"):
            self._log_p = np.log(law.p)  # by site and code, (D, K)
        self._ends = law.p.cumsum(axis=1)
        self._energies = energy.of_points(self.event_shape, sites.values.dtype, anchors[0], 2)
        self._change = changes_of(energy)
        self._terms: list | None = None
        if self._change is None:
            self._terms = self._pairs(len(anchors))
        else:
            self._check(self._change, sites.codes(data.reshape(len(data), -1)), rng)
        self._sweeps: dict = {}

    @property
    def by_pairs(self) -> bool:
        """Whether energies at all anchors are sums over sites and pairs."""
        return self._terms is not None

    @property
    def by_changes(self) -> bool:
        """Whether the energy says what a new value changes."""
        return self._change is not None

    def draw(self, rng: np.random.Generator, draws: int) -> NDArray:
        """Codes ``(draws, D)`` from the base law."""
        u = rng.random((draws, self.n_dim))
        codes = sum((u >= end for end in self._ends[:, :-1].T), start=np.zeros(u.shape, np.int64))
        return np.minimum(codes, self._sites.n_values - 1)

    def potential(self, number: int, codes: NDArray) -> tuple[NDArray, None]:
        """U ``(B,)`` and no slope; +inf where the energy is none."""
        if number == 0:
            return -self._log_p[np.arange(self.n_dim), codes].sum(axis=1), None
        points = self._sites.points(codes)
        value = self._energies(self._energies.statistics(points), self._anchors[number - 1])
        value = np.broadcast_to(value, len(codes))
        return np.where(np.isfinite(value), value, np.inf), None

    def _pairs(self, n_anchors: int) -> list | None:
        """The base law and the energy at each anchor as `Pairwise`; None where one is not."""
        from pymc_ebm.space.pairwise import Pairwise, decompose  # brings numba below

        none = np.empty((0, 2), dtype=np.int64)
        of_base = Pairwise(
            np.zeros(1), np.where(np.isfinite(self._log_p), -self._log_p, 0.0)[None], none,
            np.zeros((1, 0, self._log_p.shape[1], self._log_p.shape[1])),
        )  # fmt: skip
        terms = [of_base]
        for number in range(1, n_anchors + 1):
            of_codes = partial(self._column, number)
            # The same groups and checks each time: the answer is no matter of chance.
            rng = np.random.default_rng(0)
            found = decompose(of_codes, self._sites.n_values, rng, self.event_shape)
            if found is None:
                return None
            terms.append(found)
        return terms

    def _column(self, number, codes):
        return self.potential(number, codes)[0][:, None]

    def points(self, codes: NDArray) -> NDArray:
        """Events ``(B, *event)``."""
        return self._sites.points(codes)

    def log_measure(self, codes: NDArray) -> NDArray:
        """Zeros: Z is a sum over codes as well."""
        return np.zeros(len(codes))

    def first_scale(self) -> NoScale:
        """There is none."""
        return NoScale()

    def scale_after(self, scale: NoScale, acceptance: float, moves: int) -> NoScale:
        """There is nothing to learn."""
        return scale

    def move(self, population: Population, beta: float, scale, rng) -> tuple[Population, float]:
        """Sweep once over all sites of every particle."""
        codes = population.states.copy()
        if self._change is not None:
            self._sweep_by_changes(population, codes, beta, rng)
        elif self._terms is None:
            self._sweep_by_energy(population, codes, beta, rng)
        else:
            start, end = self._terms[population.start], self._terms[population.end]
            from pymc_ebm.space.pairwise_sweeps import sweep_once  # brings numba

            sweeps, width = self._compiled(start, end, beta)
            sweep_once(sweeps, codes, width, self._sites, rng)
        return population.at(codes), 1.0

    def _compiled(self, start, end, beta):
        """Sweeps under U_β and the uniforms that they take, kept for all runs."""
        from pymc_ebm.space.clusters import clusters_of
        from pymc_ebm.space.pairwise_sweeps import pairwise_sweeps

        key = (id(start), id(end), beta)
        if key not in self._sweeps:
            local = _mixed(start, end, beta)
            clusters = clusters_of(local, self._sites)
            width = self.n_dim + (clusters.n_uniforms if clusters else 0)
            self._sweeps[key] = pairwise_sweeps(local, self._sites, clusters), width
        return self._sweeps[key]

    def _check(self, change, codes, rng, most=64):
        """Compare with differences of the energy, of a new value of a site of the data."""
        codes = codes[rng.integers(len(codes), size=most)]
        sites = rng.choice(np.flatnonzero(self._sites.n_values > 1), size=most)
        changed = codes.copy()
        steps = rng.integers(1, self._sites.n_values[sites])
        changed[np.arange(most), sites] += steps
        changed[np.arange(most), sites] %= self._sites.n_values[sites]
        before, after = (self.potential(1, c)[0] for c in (codes, changed))
        params = _params(self._anchors[0])
        values = self._sites.values[sites, changed[np.arange(most), sites]]
        points = self._sites.points(codes).reshape(most, -1)
        for x, site, value, truth in zip(points, sites, values, after - before, strict=True):
            found = change(x, site, value, *params)
            if np.isfinite(truth) and not abs(found - truth) <= 1e-8 * (1 + abs(before).max()):
                raise ValueError(
                    f"The local_change of the energy is {found} where site {site} becomes {value}, "
                    f"and the energy changes by {truth}. Correct local_change, or delete the "
                    "attribute."
                )

    def _sweep_by_changes(self, population, codes, beta, rng):
        # They bring numba.
        from pymc_ebm.energies.local_change import kept_change
        from pymc_ebm.reference.annealing.site_changes import sweep_by_changes

        start, end = population.start, population.end
        at_start, at_end = (_params(self._anchors[max(k, 1) - 1]) for k in (start, end))
        shares = np.array([0.0, 0.0, beta])
        shares[min(start, 1)] += 1 - beta
        sweep_by_changes(
            codes, rng.random(codes.shape), self._sites.values, self._sites.n_values, -self._log_p,
            shares, *kept_change(self._change), at_start, at_end,
        )  # fmt: skip

    def _sweep_by_energy(self, population, codes, beta, rng):
        rows = np.arange(len(codes))
        for site in np.flatnonzero(self._sites.n_values > 1):
            n = self._sites.n_values[site]
            candidates = np.repeat(codes[:, None], n, axis=1)
            candidates[:, :, site] = np.arange(n)
            trial = candidates.reshape(-1, self.n_dim)
            with np.errstate(invalid="ignore"):
                u = population.at(trial).value(beta).reshape(-1, n)
            ends = normalise(-u)[1].cumsum(axis=1)
            chosen = (rng.random((len(codes), 1)) * ends[:, -1:] >= ends).sum(axis=1)
            possible = ends[:, -1] > 0
            codes[:, site] = np.where(possible, np.minimum(chosen, n - 1), codes[rows, site])


def _params(row) -> tuple:
    return tuple(np.asarray(v)[()] for v in row)


def _mixed(start, end, beta):
    """(1 − β) of one sum over sites and pairs, and β of another."""
    from pymc_ebm.space.pairwise import Pairwise

    if start is end or beta == 1.0:
        return end
    pairs, inverse = np.unique(
        np.concatenate([start.pairs, end.pairs]), axis=0, return_inverse=True
    )
    tables = np.concatenate([(1 - beta) * start.pair[0], beta * end.pair[0]])
    pair = np.zeros((len(pairs), *tables.shape[1:]))
    np.add.at(pair, inverse.ravel(), tables)
    return Pairwise(
        (1 - beta) * start.base + beta * end.base,
        (1 - beta) * start.single + beta * end.single,
        pairs,
        pair[None],
    )
