"""Sweeps over sites under an energy of site and pair terms, compiled."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

from pymc_ebm.space.clusters import Clusters, cluster_room, draw_code, move_clusters, pick
from pymc_ebm.space.pairwise import Pairwise
from pymc_ebm.space.sites import Sites

__all__ = ["Sweeps", "pairwise_sweeps", "sweep_once"]

# sweeps(state, u, first, thin, x, changes) moves the codes `state`, (chains, D), through the
# sweeps first, first + 1, … with the uniforms u, (sweeps, chains, D or more). The values of every
# thin-th state from sweep 0 on go into x, (chains, draws, D); changes, (chains,), counts the sites
# changed one by one.
Sweeps = Callable[..., None]


def pairwise_sweeps(local: Pairwise, sites: Sites, clusters: Clusters | None = None) -> Sweeps:
    """Sweeps under an energy of site and pair terms; an update costs its number of neighbours.

    With `clusters`, each sweep ends with a move of clusters, which takes their `n_uniforms` more.
    """
    ends, others, _ = local.neighbours
    n_values = sites.n_values
    moves = tuple(clusters or _no_clusters(n_values))
    single, pair = local.single[0], local.directed()
    if n_values.max() <= 2:
        gap = np.where(n_values == 2, single[:, -1] - single[:, 0], np.inf)
        pair_gap = np.ascontiguousarray(pair[:, :, -1] - pair[:, :, 0])
        of_two = (sites.values, ends, others, gap, pair_gap)
        # An exponential at each site would take longer than all else; NumPy's logarithms do not.
        return lambda state, u, *run: _two_values(
            state, u, _log_odds(u[..., : len(gap)]), *run, *of_two, moves
        )
    # An exponential at each value would take longer than all else; products of those of the terms
    # do not.
    with np.errstate(invalid="ignore"):  # of values that are all impossible
        of_site, of_pair = (np.exp(t.min(axis=-1, keepdims=True) - t) for t in (single, pair))
    of_many = (sites.values, ends, others, single, pair, of_site, of_pair, n_values)
    return lambda *run: _many_values(*run, *of_many, moves)


def sweep_once(sweeps: Sweeps, codes: NDArray, width: int, sites: Sites, rng) -> None:
    """Move every row of `codes`, ``(B, D)``, through one sweep, in place.

    A row takes `width` uniforms, made for rows in blocks of bounded memory.
    """
    n = len(codes)
    nothing = np.empty((n, 0, codes.shape[1]), sites.values.dtype)
    changes = np.zeros(n, dtype=np.int64)
    together = max(2**20 // width, 1)
    for i in range(0, n, together):
        part = slice(i, i + together)
        u = rng.random((1, len(codes[part]), width))
        sweeps(codes[part], u, -1, 1, nothing[part], changes[part])


def _log_odds(u: NDArray) -> NDArray:
    """log((1 − u) / u): a site takes its second value where its energy gap is below."""
    odds = np.empty_like(u)
    with np.errstate(divide="ignore"):
        np.reciprocal(u, out=odds)
        odds -= 1
        return np.log(odds, out=odds)


def _no_clusters(n_values) -> Clusters:
    nothing = np.empty(0)
    return Clusters(
        np.empty((0, 2), np.int64), nothing, nothing.astype(bool), nothing[:, None], n_values
    )


@numba.njit(cache=True)
def _two_values(
    state, u, log_odds, first, thin, x, changes, values, ends, others, gap, pair_gap, clusters
):
    n_sweeps, chains = u.shape[:2]
    n_sites = state.shape[1]
    room = cluster_room(clusters)
    for c in range(chains):
        s = state[c]
        for t in range(n_sweeps):
            sweep = first + t
            changed = 0
            for i in range(n_sites):
                difference = gap[i]
                for e in range(ends[i], ends[i + 1]):
                    difference += pair_gap[e, s[others[e]]]
                new = 1 if difference < log_odds[t, c, i] else 0
                changed += new != s[i]
                s[i] = new
            if len(clusters[0]) > 0:
                move_clusters(s, u[t, c, n_sites:], clusters, room)
            if sweep >= 0:
                changes[c] += changed
                if (sweep + 1) % thin == 0:
                    draw = (sweep + 1) // thin - 1
                    for i in range(n_sites):
                        x[c, draw, i] = values[i, s[i]]


@numba.njit(cache=True)
def _many_values(
    state, u, first, thin, x, changes, values, ends, others, single, pair, of_site, of_pair,
    n_values, clusters,
):  # fmt: skip
    n_sweeps, chains = u.shape[:2]
    n_sites = state.shape[1]
    room = cluster_room(clusters)
    weight = np.empty(single.shape[1])
    for c in range(chains):
        s = state[c]
        for t in range(n_sweeps):
            sweep = first + t
            changed = 0
            for i in range(n_sites):
                n = n_values[i]
                for v in range(n):
                    weight[v] = of_site[i, v]
                for e in range(ends[i], ends[i + 1]):
                    k = s[others[e]]
                    for v in range(n):
                        weight[v] *= of_pair[e, k, v]
                total = 0.0
                for v in range(n):
                    total += weight[v]
                if total > 1e-200:
                    new = pick(weight, n, u[t, c, i] * total)
                else:  # of so many improbable pairs that only the energies can be compared
                    for v in range(n):
                        weight[v] = single[i, v]
                        for e in range(ends[i], ends[i + 1]):
                            weight[v] += pair[e, s[others[e]], v]
                    new = draw_code(weight, n, u[t, c, i])
                changed += new != s[i]
                s[i] = new
            if len(clusters[0]) > 0:
                move_clusters(s, u[t, c, n_sites:], clusters, room)
            if sweep >= 0:
                changes[c] += changed
                if (sweep + 1) % thin == 0:
                    draw = (sweep + 1) // thin - 1
                    for i in range(n_sites):
                        x[c, draw, i] = values[i, s[i]]
