"""Log normalisers over many sites, by annealing independent sites to the model."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numba
import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.second_estimate.question import Answer, NotThisWay, Question, TooLong
from pymc_ebm.space.clusters import Clusters, clusters_of
from pymc_ebm.space.pairwise import Pairwise, decompose
from pymc_ebm.space.pairwise_sweeps import pairwise_sweeps, sweep_once
from pymc_ebm.space.sites import Sites
from pymc_ebm.weights.normalised import normalise
from pymc_ebm.weights.resampling import resampled

__all__ = ["over_sites"]

_RUNS = 8
# Of a site's values, the share of the base that is even over them.
_EVEN = 0.5


def over_sites(
    question: Question,
    rng: np.random.Generator,
    *,
    anchors: int = 5,
    levels: int = 40,
    sweeps: int = 2,
    first: int = 100,
    largest: int = 1600,
    fewest: int = 25,
    seconds: float = np.inf,
) -> Iterator[Answer]:
    """Annealing from independent sites to the model at a few rows, and pooling what it leaves.

    The sites of the base have the frequencies of the data, half evened out. Each of 8 runs
    is annealed to every anchor by sweeps of Gibbs sampling, with moves of clusters where the energy
    allows them, and resampled as it goes; its particles at all anchors together make one
    estimate at every row.

    Parameters
    ----------
    question : Question
        With `values`.
    rng : Generator
    anchors : int
        Rows far from one another.
    levels, sweeps : int
        Of the annealing, and at each level.
    first, largest : int
        Particles of a run at an anchor, in the first answer and at most in the last; each answer
        has four times the particles of the one before.
    fewest : int
        To which the first answer may come down so that it takes no more than three times
    seconds : float
        which the answers may take together.

    Yields
    ------
    Answer
        Its noise is that of the runs.

    Raises
    ------
    NotThisWay
        An energy that is no sum over sites and pairs of sites.
    TooLong
        More sites than the fewest particles come through in time.
    """
    assert question.values is not None
    sites = Sites.of(question.values, (question.n_dim,))
    chosen = question.far_apart(anchors)
    together = _decomposed(question, sites, chosen, rng)
    models = [together.one(a) for a in range(len(chosen))]
    base = _base(question, sites)
    whole = _seconds_of_one(base, models[0], sites, levels, sweeps) * len(chosen)
    particles = first if first * whole <= 3 * seconds else int(3 * seconds / whole)
    if particles < fewest:
        raise TooLong(question.n_dim, seconds)
    while particles <= largest:
        log_runs = np.empty((_RUNS, question.n_rows))
        codes, levels_of = [], np.empty((_RUNS, len(chosen)))
        for a, model in enumerate(models):
            of_anchor, log_z = _annealed(base, model, sites, particles, levels, sweeps, rng)
            codes.append(of_anchor)
            levels_of[:, a] = log_z
        for g in range(_RUNS):
            states = np.concatenate([c[g] for c in codes])
            x = sites.points(states).astype(float)
            of_anchors = question.log_densities(x, chosen)
            log_mixture = _pooled(of_anchors, levels_of[g])
            terms = _in_blocks(question, x, log_mixture)
            log_runs[g] = terms
        yield Answer.of_runs(
            log_runs,
            f"annealing of {_RUNS * particles * len(chosen):,} particles from independent sites",
            "A phase of the sites that neither annealing nor the data enter may be missed.",
        )
        particles *= 4


def _seconds_of_one(base, model, sites, levels, sweeps) -> float:
    """What annealing one particle of every run takes, of processor time."""
    some, rng = 4, np.random.default_rng(0)
    for _ in range(2):  # the first may compile
        began = time.thread_time()
        _annealed(base, model, sites, 1, some, sweeps, rng)
        took = time.thread_time() - began
    return took * levels / some


def _decomposed(question: Question, sites: Sites, rows: NDArray, rng) -> Pairwise:
    def energies(codes: NDArray) -> NDArray:
        x = sites.points(codes).astype(float)
        return np.asarray(question.energy(x, rows), dtype=float).T

    shape = None if question.space is None else question.space.event_shape
    found = decompose(energies, sites.n_values, rng, shape)
    if found is None:
        raise NotThisWay("The energy is no sum over sites and pairs of sites.")
    return found


def _base(question: Question, sites: Sites) -> NDArray:
    """Energies of the values of each site under independent sites, ``(D, K)``, normalised."""
    n_sites, most = sites.values.shape
    shares = np.zeros((n_sites, most))
    codes = sites.codes(question.data) if len(question.data) else np.empty((0, n_sites), int)
    codes = codes[(codes >= 0).all(axis=1)]
    for code in codes:
        shares[np.arange(n_sites), code] += 1 / len(codes)
    even = (np.arange(most) < sites.n_values[:, None]) / sites.n_values[:, None]
    # Sites alike in value share what few data say: one lattice says little of each of its sites.
    if len(codes) < 30 and (sites.n_values == sites.n_values[0]).all():
        shares[:] = shares.mean(axis=0)
    shares = even if not len(codes) else _EVEN * even + (1 - _EVEN) * shares
    with np.errstate(divide="ignore"):
        energies = -np.log(shares)
    return np.where(np.isfinite(energies), energies, 0.0)


def _annealed(base, model: Pairwise, sites: Sites, particles, levels, sweeps, rng):
    """Codes of the particles of every run, ``(8, P, D)``, and log Z of each run, ``(8,)``."""
    n_sites = len(sites.n_values)
    n = _RUNS * particles
    weights = np.exp(-base) * (np.arange(base.shape[1]) < sites.n_values[:, None])
    edges = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    codes = (rng.random((n, n_sites, 1)) > edges).sum(axis=2).clip(0, sites.n_values - 1)
    log_z = np.zeros(_RUNS)
    couplings = Pairwise(0 * model.base, 0 * model.single, model.pairs, model.pair)
    of_couplings = clusters_of(couplings, sites)
    of_base, of_model = _of_sites(base, codes), _of_pairs(model, codes)
    for level in range(1, levels + 1):
        log_w = (of_base - of_model).reshape(_RUNS, particles) / levels
        log_means, index = resampled(log_w, rng)
        log_z += log_means
        codes = codes[index]
        beta = level / levels
        between = Pairwise(
            beta * model.base,
            beta * model.single + (1 - beta) * base,
            model.pairs,
            beta * model.pair,
        )
        # Clusters cost as much as several sweeps of single sites: once at each level.
        clusters = _between(of_couplings, between, beta)
        for sweep in range(sweeps):
            last = clusters if sweep == sweeps - 1 else None
            width = n_sites + (last.n_uniforms if last else 0)
            sweep_once(pairwise_sweeps(between, sites, last), codes, width, sites, rng)
        of_base, of_model = _of_sites(base, codes), _of_pairs(model, codes)
    return codes.reshape(_RUNS, particles, n_sites), log_z


def _between(of_couplings: Clusters | None, between: Pairwise, beta: float) -> Clusters | None:
    """Moves of clusters where the couplings are beta times those that clusters are known of."""
    if of_couplings is None:
        return None
    return of_couplings._replace(
        bound=-np.expm1(beta * np.log1p(-of_couplings.bound)),
        field=beta * of_couplings.field + between.single[0],
    )


def _of_sites(table: NDArray, codes: NDArray) -> NDArray:
    return table[np.arange(codes.shape[1]), codes].sum(axis=1)


def _of_pairs(model: Pairwise, codes: NDArray) -> NDArray:
    """Energies ``(B,)`` of codes ``(B, D)``."""
    energies = model.base[0] + _of_sites(model.single[0], codes)
    return energies + _sums_over_pairs(codes, model.pairs, model.pair[0])


@numba.njit(cache=True)
def _sums_over_pairs(codes, pairs, tables):
    sums = np.zeros(len(codes))
    for b in range(len(codes)):
        for p in range(len(pairs)):
            sums[b] += tables[p, codes[b, pairs[p, 0]], codes[b, pairs[p, 1]]]
    return sums


def _pooled(of_anchors: NDArray, log_z: NDArray, steps: int = 30) -> NDArray:
    """Log density of what the particles of all anchors follow, ``(B,)``.

    Differences of log Z between anchors by their common particles (Shirts and Chodera's MBAR);
    the level by annealing.
    """
    n = of_anchors.shape[1]
    found = log_z.copy()
    for _ in range(steps):
        mixture = normalise(of_anchors.T - found)[0] - np.log(len(found))
        found = normalise(of_anchors - mixture)[0] - np.log(n)
        found += log_z.mean() - found.mean()
    return normalise(of_anchors.T - found)[0] - np.log(len(found))


def _in_blocks(question: Question, x: NDArray, log_mixture: NDArray) -> NDArray:
    """Log of the mean weight at every row, ``(J,)``."""
    rows = np.arange(question.n_rows)
    size = max(2**22 // len(x), 1)
    parts = []
    for low in range(0, len(rows), size):
        logs = question.log_densities(x, rows[low : low + size]) - log_mixture
        parts.append(normalise(logs)[0] - np.log(len(x)))
    return np.concatenate(parts)
