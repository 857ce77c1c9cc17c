"""Log Z of Ising lattices from pooled chains: its error, the error reported, and the time.

Periodic lattices of 8 × 8, 16 × 16 and 32 × 32 spins at β = 0.2, 0.4 and the critical point, by
chains at anchors from β = 0, where log Z = D log 2, to the critical point. The exact values are
those of Kaufman (1949). With ``--seeds 30 --sides 8 16`` the error reported is compared with the
spread of the estimates, which 30 seeds tell within 13%, and 100 within 7%.
"""

import argparse
import time
from functools import partial

import arviz as az
import numpy as np
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.energies import ising
from pymc_ebm.weights.groups import group_variance
from pymc_ebm.weights.normalised import ess

CRITICAL = np.log(1 + np.sqrt(2)) / 2
BETAS = np.array([0.2, 0.4, CRITICAL])
EXACT = {
    8: [47.010147, 56.599389, 60.141781],
    16: [188.039888, 225.228847, 238.642257],
    32: [752.159552, 900.478308, 952.648080],
}
DRAWS = {8: 2000, 16: 5000, 32: 6000}
LARGEST_ERROR = {8: [0.05] * 3, 16: [0.05] * 3, 32: [0.05, 0.05, 0.1]}
CHAINS = 4


def anchors(side):
    """Twice as dense at the critical point as at 0, and the more the larger the lattice."""
    u = np.linspace(0, 1, 2 + 3 * side // 8)
    return CRITICAL * u * (4 - u) / 3


def pooled(space, side, seed):
    betas = anchors(side)
    return ebm.reference.pooled(
        ising,
        [(b,) for b in betas],
        sampler=partial(
            ebm.sampling.gibbs, reference=space, chains=CHAINS, draws=DRAWS[side], tune=200,
            clusters=True, return_inferencedata=False,
        ),
        log_partitions=[side**2 * np.log(2), *[None] * (len(betas) - 1)],
        random_seed=seed,
        progressbar=False,
    )  # fmt: skip


def estimates(q):
    """log Ẑ, its standard error and the effective number of points at each β, in one array."""
    pairs = bonds(q.points)
    log_weights = q.log_weights + BETAS[:, None] * pairs
    log_z = logsumexp(log_weights, axis=1)
    weights = np.exp(log_weights - log_z[:, None])
    error = np.sqrt(group_variance(q.influence(weights), q.groups, q.unused_draws))
    return np.array([log_z, error, ess(weights)])


def bonds(s):
    """Σ s_i s_j over neighbours."""
    return (s * (np.roll(s, 1, -1) + np.roll(s, 1, -2))).sum((-1, -2), dtype=float)


def effective_draws(q):
    """Independent draws of Σ s_i s_j that the chains of all anchors are worth."""
    series = bonds(q.points).reshape(len(q.pool.anchors), CHAINS, -1)
    return sum(float(az.ess(chains)) for chains in series)


def lattice(side, seeds):
    # Eight bits for a spin: the points of 32 × 32 take 0.3 GB.
    states = np.random.default_rng(0).choice(np.array([-1, 1], dtype=np.int8), (64, side, side))
    space = ebm.reference.from_draws(states, np.full(64, -(side**2) * np.log(2)))
    pooled_at = partial(pooled, space, side)
    found, seconds = [], []
    for seed in range(seeds):
        start = time.perf_counter()
        q = pooled_at(seed)
        seconds.append(time.perf_counter() - start)
        found.append(estimates(q))
    log_z, error, points = np.moveaxis(found, 1, 0)
    away = log_z - EXACT[side]
    independent = effective_draws(q)
    print(
        f"{side} x {side}: {len(q.pool.anchors)} anchors, {q.n_points} draws worth "
        f"{independent:.0f}, neighbours' overlap from {np.diag(q.pool.overlap, 1).min():.2f}; "
        f"{np.median(seconds):.1f} s, {independent / np.median(seconds):.0f} effective draws per "
        "second"
    )
    reported = np.sqrt((error**2).mean(axis=0))
    worst = abs(away / error).max(axis=0)
    for i, beta in enumerate(BETAS):
        line = (
            f"  β = {beta:.4f}: log Z − exact {away[0, i]:+.4f}, reported error {reported[i]:.4f} "
            f"(at most {LARGEST_ERROR[side][i]}), largest in errors {worst[i]:.2f} (at most 4), "
            f"effective points {points[:, i].mean():.0f}"
        )
        if seeds > 1:
            spread = away[:, i].std(ddof=1)
            line += (
                f"; reported over spread of {seeds} {reported[i] / spread:.2f} ± "
                f"{1 / np.sqrt(2 * (seeds - 1)):.2f}, mean {away[:, i].mean():+.4f} ± "
                f"{spread / np.sqrt(seeds):.4f}"
            )
        print(line, flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", choices=EXACT, default=list(EXACT))
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()
    for side in options.sides:
        lattice(side, options.seeds)
