"""Writing functions of a discrete event as sums over sites and pairs of sites, by differences.

A state is a row of codes, the numbers s_i of its values at each site; code 0 everywhere is the
base. If a function has no terms of three sites or more, then

    T(s) = T(0) + Σ_i single_i(s_i) + Σ_{i<j} pair_ij(s_i, s_j)

with single_i(u) = T(u at i) − T(0) and pair_ij the second difference.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

__all__ = ["Pairwise", "decompose", "random_codes"]

# Second differences below this, relative to the values they come from, are rounding.
_ROUNDING = 1e-11


@dataclass(frozen=True, eq=False)
class Pairwise:
    """Functions T_k, k = 1..S, of D sites with up to K values, as sums over sites and pairs.

    Attributes
    ----------
    base : ndarray, shape (S,)
        T(0).
    single : ndarray, shape (S, D, K)
    pairs : ndarray of int, shape (P, 2)
        Sites i < j that occur together.
    pair : ndarray, shape (S, P, K, K)
        By the codes of i and j.
    """

    base: np.ndarray
    single: np.ndarray
    pairs: np.ndarray
    pair: np.ndarray

    def combined(self, coefficients: np.ndarray) -> Pairwise:
        """Σ_k c_k T_k, a single function."""
        sum_of = lambda table: np.tensordot(coefficients, table, axes=1)[None]
        return Pairwise(sum_of(self.base), sum_of(self.single), self.pairs, sum_of(self.pair))

    def one(self, k: int) -> Pairwise:
        """T_k, a single function."""
        only = slice(k, k + 1)
        return Pairwise(self.base[only], self.single[only], self.pairs, self.pair[only])

    def __call__(self, codes: np.ndarray) -> np.ndarray:
        """Values ``(B, S)`` at codes ``(B, D)``."""
        i, j = self.pairs.T
        values = np.empty((len(codes), len(self.base)))
        sites = np.arange(codes.shape[1])
        for b, code in enumerate(codes):
            values[b] = self.base + self.single[:, sites, code].sum(axis=1)
            values[b] += self.pair[:, np.arange(len(i)), code[i], code[j]].sum(axis=1)
        return values

    @cached_property
    def neighbours(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Ends of each site's list, the sites in it, and the directed pair that each is.

        Directed pairs are `pairs` followed by their reverses.
        """
        i, j = self.pairs.T
        site, other = np.concatenate([i, j]), np.concatenate([j, i])
        order = np.argsort(site, kind="stable")
        ends = np.searchsorted(site[order], np.arange(self.single.shape[1] + 1))
        return ends, other[order], order

    def directed(self) -> np.ndarray:
        """Pair terms of the first function in the order of `neighbours`, ``(2P, K, K)``.

        By the codes of the neighbour, then of the site itself.
        """
        tables = np.concatenate([self.pair[0].transpose(0, 2, 1), self.pair[0]])
        return tables[self.neighbours[2]]


def decompose(
    evaluate: Callable[[np.ndarray], np.ndarray],
    n_values: np.ndarray,
    rng: np.random.Generator,
    shape: tuple[int, ...] | None = None,
) -> Pairwise | None:
    """Sites and pairs of functions, verified on random states; None if there are other terms.

    Interacting pairs are found by group testing: two sites are a candidate where changing the
    group of either changes the first difference of the other. A pair that stays hidden, because
    two neighbours in one group cancel, shows in the verification, and other groups are tried.

    Parameters
    ----------
    evaluate : callable
        Codes ``(B, D)`` to values ``(B, S)``.
    n_values : ndarray of int, shape (D,)
        Number of values of each site.
    rng : numpy.random.Generator
        For groups and verification.
    shape : tuple of int, optional
        Of an event, by whose axes neighbours are tried first: most lattices have no other pairs.

    Returns
    -------
    Pairwise or None
        None also where values are not finite, or where it would take too long or too much room.

    Examples
    --------
    >>> chain = lambda s: (s[:, 1:] * s[:, :-1]).sum(axis=1, keepdims=True).astype(float)
    >>> decompose(chain, np.array([2, 2, 2]), np.random.default_rng(1)).pairs.tolist()
    [[0, 1], [1, 2]]
    """
    most_entries = 2e7  # of the tables that are kept
    n_sites, most = len(n_values), int(n_values.max())
    base = evaluate(np.zeros((1, n_sites), dtype=np.int64))[0]
    if len(base) * n_sites * most > most_entries:
        return None
    if n_sites > 1 and len(base) * most**2 > most_entries:
        return None
    checks = random_codes(n_values, 50, rng)
    truth = evaluate(checks)
    single = _first_differences(evaluate, base, n_values)
    if not (np.isfinite(truth).all() and np.isfinite(single).all()):
        return None
    scale = 1 + np.abs(truth).max() + np.abs(single).max() + np.abs(base).max()
    free = np.flatnonzero(n_values > 1)
    all_pairs = len(free) * (len(free) - 1) // 2
    found = np.empty((0, 2), dtype=np.int64)
    # Up to so many pairs, each is looked at; past it, neighbours and groups of sites are.
    rounds = 0 if all_pairs <= 20_000 else 4
    first = -1 if rounds and shape is not None and len(shape) > 1 else 0
    for attempt in range(first, rounds + 1):
        if attempt < 0:
            candidates = _adjacent(shape)
        elif attempt == rounds:
            candidates = np.stack(np.triu_indices(len(free), 1), axis=1)
            candidates = free[candidates]
        else:
            candidates = _candidates(evaluate, base, single, n_values, free, scale, rng)
            candidates = np.unique(np.concatenate([found, candidates]), axis=0)
        work = len(candidates) * (most - 1) ** 2
        # Energies of so many states would take too long.
        if work * n_sites > 2e9 or work * len(base) > most_entries * 10:
            if attempt < 0:
                continue
            return None
        found, pair = _second_differences(evaluate, base, single, n_values, candidates, scale)
        if pair.size > most_entries:
            return None
        result = Pairwise(base, single, found, pair)
        if np.abs(result(checks) - truth).max(initial=0) <= 1e-9 * scale:
            return result
    return None


def random_codes(n_values: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """States ``(count, D)`` from disordered to ordered: one value's share is uniform in (0, 1)."""
    uniform = rng.integers(n_values, size=(count, len(n_values)))
    favourite = rng.integers(n_values.max(), size=(count, 1)) % n_values
    return np.where(rng.random((count, len(n_values))) < rng.random((count, 1)), favourite, uniform)


def _first_differences(evaluate, base, n_values):
    site, code = _positions(n_values)
    single = np.zeros((len(base), len(n_values), int(n_values.max())))
    for block in _blocks(len(site), len(n_values)):
        states = np.zeros((len(site[block]), len(n_values)), dtype=np.int64)
        states[np.arange(len(states)), site[block]] = code[block]
        single[:, site[block], code[block]] = (evaluate(states) - base).T
    return single


def _positions(n_values):
    """Every site with every value other than the base."""
    site = np.repeat(np.arange(len(n_values)), n_values - 1)
    first = np.cumsum(n_values - 1) - (n_values - 1)
    return site, np.arange(len(site)) - first[site] + 1


def _second_differences(evaluate, base, single, n_values, candidates, scale):
    """The pairs of `candidates` that interact, and their tables ``(S, P, K, K)``."""
    most = int(n_values.max())
    if len(candidates) == 0:
        return candidates, np.zeros((len(base), 0, most, most))
    u, v = (w.ravel() + 1 for w in np.meshgrid(*[np.arange(most - 1)] * 2, indexing="ij"))
    kept_pairs, kept_tables = [], []
    for block in _blocks(len(candidates), len(n_values) * max(len(u), 1)):
        i, j = candidates[block].T
        rows = np.arange(len(i))[:, None]
        states = np.zeros((len(i), len(u), len(n_values)), dtype=np.int64)
        # A site with fewer values repeats its last; that part of the table is never read.
        u_i, v_j = np.minimum(u, n_values[i, None] - 1), np.minimum(v, n_values[j, None] - 1)
        states[rows, np.arange(len(u)), i[:, None]] = u_i
        states[rows, np.arange(len(u)), j[:, None]] = v_j
        values = evaluate(states.reshape(-1, len(n_values))).T.reshape(len(base), *u_i.shape)
        second = values - base[:, None, None] - single[:, i[:, None], u_i]
        second -= single[:, j[:, None], v_j]
        # Not finite: kept, so that the verification fails.
        second[np.abs(second) <= _ROUNDING * scale] = 0.0
        some = (second != 0).any(axis=(0, 2))
        table = np.zeros((len(base), int(some.sum()), most, most))
        table[:, :, 1:, 1:] = second[:, some].reshape(len(base), -1, most - 1, most - 1)
        kept_pairs.append(candidates[block][some])
        kept_tables.append(table)
    return np.concatenate(kept_pairs), np.concatenate(kept_tables, axis=1)


def _adjacent(shape) -> np.ndarray:
    """Pairs ``(P, 2)`` whose indices differ by at most one on each axis, ends adjoining."""
    index = np.arange(math.prod(shape)).reshape(shape)
    axes = tuple(range(len(shape)))
    steps = [s for s in itertools.product((-1, 0, 1), repeat=len(shape)) if any(s)]
    ends = [np.roll(index, step, axes).ravel() for step in steps]
    pairs = np.sort(np.concatenate([np.column_stack([index.ravel(), e]) for e in ends]), axis=1)
    return np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)


def _candidates(evaluate, base, single, n_values, free, scale, rng):
    """Pairs of which each site responds to the other's group, ``(P, 2)``."""
    n_groups = 64
    n_sites = len(n_values)
    group = np.full(n_sites, -1)
    group[free] = rng.permuted(np.arange(len(free)) % n_groups)
    value = rng.integers(np.minimum(1, n_values - 1), n_values)
    responds = np.zeros((n_sites, n_groups), dtype=bool)
    for g in range(n_groups):
        changed = np.where(group == g, value, 0)
        for block in _blocks(len(free), 2 * n_sites):
            sites = free[block]
            rows = np.arange(len(sites))
            states = np.repeat(changed[None], len(sites), axis=0)
            states[rows, sites] = 0
            without = evaluate(states)
            states[rows, sites] = value[sites]
            difference = evaluate(states) - without - single[:, sites, value[sites]].T
            # NaN responds.
            responds[sites, g] = ~(np.abs(difference) <= _ROUNDING * scale).all(axis=1)
    # responds_to[i, j]: i responds to the group of j.
    responds_to = responds[:, group] & (group >= 0)
    return np.argwhere(np.triu(responds_to & responds_to.T, 1))


def _blocks(count, size):
    """Slices of `count` states of `size` numbers that together stay near the processor."""
    at_once = max(2**17 // max(size, 1), 1)
    return [slice(start, min(start + at_once, count)) for start in range(0, count, at_once)]
