"""Draws per second of each sampler, and Gibbs sweeps against a loop written for Ising alone.

The lattice is 32 × 32, periodic, at β = 0.4 with a field. Medians of interleaved runs on one core.
"""

import time
from functools import partial

import numba
import numpy as np
import pymc as pm
import pytensor.tensor as pt

import pymc_ebm as ebm
from pymc_ebm.energies import edges, ergm, gwesp, triangles

RUNS, SWEEPS, CHAINS, SIDE = 15, 500, 4, 32
BETA, FIELD = 0.4, 0.01


def ising(s, b, h):
    return -(b * s * (pt.roll(s, 1, -1) + pt.roll(s, 1, -2)) + h * s).sum((-2, -1))


def triples(s, b):
    return -b * (s[..., 2:] * s[..., 1:-1] * s[..., :-2]).sum(-1)


def gaussian(x, sigma):
    return x**2 / (2 * sigma**2)


@numba.njit
def by_hand(rng, state, sweeps, beta, field, draws):
    """What a user would write: heat bath on ±1 spins with the neighbours known."""
    side = state.shape[1]
    for c in range(len(state)):
        s = state[c]
        for t in range(sweeps):
            for i in range(side):
                for j in range(side):
                    around = (
                        s[(i + 1) % side, j]
                        + s[(i - 1) % side, j]
                        + s[i, (j + 1) % side]
                        + s[i, (j - 1) % side]
                    )
                    p = 1.0 / (1.0 + np.exp(-2.0 * (beta * around + field)))
                    s[i, j] = 1 if rng.random() < p else -1
            draws[c, t] = s


def lattice():
    """Seconds of ours and of the loop, by run."""
    rng = np.random.default_rng(1)
    points = rng.choice([-1, 1], size=(64, SIDE, SIDE))
    reference = ebm.reference.from_draws(points, np.full(64, -(SIDE**2) * np.log(2)))
    options = dict(reference=reference, draws=SWEEPS, chains=CHAINS, tune=0, progressbar=False)
    start = time.perf_counter()
    ebm.sampling.gibbs(ising, BETA, FIELD, **{**options, "draws": 1})
    print(f"first call, with the search for neighbours: {time.perf_counter() - start:.2f} s")
    draws = np.empty((CHAINS, SWEEPS, SIDE, SIDE), dtype=np.int64)
    by_hand(rng, points[:CHAINS].copy(), 1, BETA, FIELD, draws)
    times = np.empty((RUNS, 3))
    for run in range(RUNS):
        for i, function in enumerate(
            (
                lambda: by_hand(rng, points[:CHAINS].copy(), SWEEPS, BETA, FIELD, draws),
                lambda: ebm.sampling.gibbs(
                    ising, BETA, FIELD, return_inferencedata=False, **options
                ),
                lambda: ebm.sampling.gibbs(ising, BETA, FIELD, **options),
            )
        ):
            start = time.perf_counter()
            function()
            times[run, i] = time.perf_counter() - start
    hand, ours, tree = np.median(times, axis=0)
    sweeps = SWEEPS * CHAINS
    print(f"sweeps per second, {SIDE} x {SIDE}: by hand {sweeps / hand:.0f}, gibbs "
          f"{sweeps / ours:.0f}, with ess and DataTree {sweeps / tree:.0f}")  # fmt: skip
    print(f"time over the loop's: {ours / hand:.2f}, with ess and DataTree {tree / hand:.2f}")


def draws_per_second():
    normal = ebm.reference.independent(pm.Normal.dist(0.0, 4.0), random_seed=1)
    small = ebm.reference.enumeration([-1, 1], shape=(4, 4), complete=True)
    row = ebm.reference.enumeration([-1, 1], shape=12, complete=True)
    dyads = np.random.default_rng(1).integers(2, size=(64, 120))
    pairs = ebm.reference.from_draws(dyads, np.full(64, -120 * np.log(2)))
    by_row = partial(ebm.sampling.gibbs, signature="(k)")
    cases = {
        "importance_resampling, Gaussian": (
            ebm.sampling.importance_resampling, gaussian, (2.0,), normal, 25_000),
        "independent_metropolis, Gaussian": (
            ebm.sampling.independent_metropolis, gaussian, (2.0,), normal, 25_000),
        "gibbs, Ising 4 x 4": (ebm.sampling.gibbs, ising, (BETA, FIELD), small, 25_000),
        "gibbs, triples of 12 (evaluates the energy)": (
            ebm.sampling.gibbs, triples, (0.3,), row, 500),
        "gibbs, network of 16 nodes, edges and triangles (its own change)": (
            by_row, ergm((edges, triangles)), ([-1.67, 0.16],), pairs, 25_000),
        "gibbs, network of 16 nodes, edges and gwesp (its own change)": (
            by_row, ergm((edges, partial(gwesp, decay=0.5))), ([-1.67, 0.16],), pairs, 25_000),
    }  # fmt: skip
    for name, (sampler, energy, params, reference, draws) in cases.items():
        options = dict(reference=reference, chains=4, progressbar=False)
        sampler(energy, *params, draws=10, **options)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            sampler(energy, *params, draws=draws, **options)
            times.append(time.perf_counter() - start)
        print(f"{name}: {4 * draws / np.median(times):.3g} draws per second")


if __name__ == "__main__":
    lattice()
    draws_per_second()
