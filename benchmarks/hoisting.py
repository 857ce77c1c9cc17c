"""Time per gradient of an Ising lattice's log Z against its size, at one number of points.

What depends on the spins alone is evaluated once, so the size must not matter. Prints the ratio
of medians of interleaved runs, 32 × 32 over 4 × 4, for our Op and for the plain graph.
"""

import time

import numpy as np
import pytensor
import pytensor.tensor as pt

import pymc_ebm as ebm

M, RUNS = 4096, 31


def energy(s, b, h):
    return -(b * s * (pt.roll(s, 1, -1) + pt.roll(s, 1, -2)) + h * s).sum((-2, -1))


def gradients(size):
    spins = np.random.default_rng(size).choice([-1, 1], size=(M, size, size))
    log_density = np.full(M, -(size**2) * np.log(2))
    b, h = pt.dscalars("b", "h")
    reference = ebm.reference.from_draws(spins, log_density)
    ours = ebm.log_partition(energy, b, h, reference=reference)
    plain = pt.logsumexp(reference.log_weights - energy(pytensor.shared(spins), b, h))
    return [pytensor.function([b, h], [z, *pt.grad(z, [b, h])]) for z in (ours, plain)]


def main():
    functions = [*gradients(4), *gradients(32)]
    times = np.empty((RUNS, 4))
    for run in range(RUNS):
        for i, function in enumerate(functions):
            repeats = 50 if i != 3 else 2
            start = time.perf_counter()
            for _ in range(repeats):
                function(0.01, 0.02)
            times[run, i] = (time.perf_counter() - start) / repeats
    ours_4, plain_4, ours_32, plain_32 = np.median(times, axis=0)
    print(f"M = {M}, seconds per value and gradient, medians of {RUNS} interleaved runs")
    print(f"LogPartition  4x4 {ours_4:.2e}  32x32 {ours_32:.2e}  ratio {ours_32 / ours_4:.2f}")
    print(f"plain graph   4x4 {plain_4:.2e}  32x32 {plain_32:.2e}  ratio {plain_32 / plain_4:.1f}")


if __name__ == "__main__":
    main()
