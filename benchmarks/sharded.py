"""Weak scaling of a sharded reference: as many points again on a second worker.

    python benchmarks/sharded.py [points per worker] [evaluations]

Each worker is a process with one thread. Evaluations of log Z and its gradient on one and on two
workers take turns; the last lines say what a round trip costs and where a second machine pays.
"""

import sys
import time

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from distributed import Client, LocalCluster

import pymc_ebm as ebm


def energy(x, sigma):
    return x**2 / (2 * sigma**2)


def evaluation(reference):
    """Log Z and its gradient at a standard deviation."""
    sigma = pt.dscalar("sigma")
    log_z = ebm.log_partition(energy, sigma, reference=reference)
    return pytensor.function([sigma], [log_z, pt.grad(log_z, sigma)])


def interleaved(functions, repeats):
    """Median milliseconds of each function, their calls taking turns."""
    times = np.empty((repeats, len(functions)))
    for r in range(repeats):
        for i, function in enumerate(functions):
            start = time.perf_counter()
            function(1.0 + r / repeats)
            times[r, i] = 1000 * (time.perf_counter() - start)
    return np.median(times, axis=0)


def main(per_worker=5_000_000, repeats=100):
    """Print the table."""
    proposal = pm.Normal.dist(0, 4)
    settings = {"threads_per_worker": 1, "dashboard_address": ":0", "silence_logs": 50}
    with (
        LocalCluster(n_workers=1, **settings) as first,
        LocalCluster(n_workers=2, **settings) as second,
        Client(first) as one,
        Client(second) as two,
    ):
        sharded = ebm.distributed.sharded
        few = 1000  # points whose sums take no time: what is left is the round trip
        functions = [
            evaluation(sharded(proposal, per_worker, shards=1, random_seed=1, client=one)),
            evaluation(sharded(proposal, 2 * per_worker, shards=2, random_seed=1, client=two)),
            evaluation(sharded(proposal, few, shards=1, random_seed=1, client=one)),
            evaluation(sharded(proposal, 2 * few, shards=2, random_seed=1, client=two)),
            evaluation(ebm.reference.independent(proposal, per_worker, random_seed=1)),
        ]
        for function in functions:
            function(1.0)
        alone, both, trip_one, trip_two, here = interleaved(functions, repeats)
    print(f"points per worker                  {per_worker:12,}")
    print(f"this process, without a cluster    {here:12.2f} ms")
    print(f"1 worker                           {alone:12.2f} ms")
    print(f"2 workers, twice the points        {both:12.2f} ms")
    print(f"weak-scaling efficiency, 1 -> 2    {alone / both:12.2f}")
    print(f"round trip, 1 worker               {trip_one:12.2f} ms")
    print(f"round trip, 2 workers              {trip_two:12.2f} ms")
    per_point = here / per_worker
    print(f"kernel, per point                  {1e6 * per_point:12.2f} ns")
    print(f"2 workers pay from                 {2 * trip_two / per_point:12,.0f} points")


if __name__ == "__main__":
    main(*(int(float(a)) for a in sys.argv[1:]))
