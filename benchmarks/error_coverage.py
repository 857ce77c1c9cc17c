"""Do 95% intervals of the added error and of the second estimate's shift hold the truth?

    python -m benchmarks.error_coverage              # 200 seeds of each model; a quarter of an hour
    python -m benchmarks.error_coverage --seeds 20

Six models with one parameter and a closed form or an enumeration for log Z. For each seed there are
new points of the first estimate A, and a new second estimate B by annealing. Draws are quantiles
of the posterior that A implies. What is claimed is, of its mean and its sd, the standard error that
A's points add, and the shift of the mean that B would make, with its error; what is true follows
from the exact posterior on a grid. Intervals are Student's t with one less than the number of runs.

Pooled over the models between 93% and 97% have to hold the truth, and of each model's as many as a
binomial test allows at a chance of one in 1000.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import special, stats

from benchmarks.trust import vectors
from benchmarks.trust.case import axis
from benchmarks.trust.laws import Law
from benchmarks.trust.spaces import torus
from pymc_ebm.diagnostics.error.posterior_error import PosteriorError
from pymc_ebm.diagnostics.second_estimate.annealed import by_annealing
from pymc_ebm.diagnostics.second_estimate.compare import shift_of
from pymc_ebm.diagnostics.second_estimate.lattice import over_sites
from pymc_ebm.diagnostics.second_estimate.question import Question
from pymc_ebm.reference import Reference
from pymc_ebm.reference.uniforms import uniforms

DRAWS, N = 120, 100
CHANCE, POOLED = 1e-3, (0.93, 0.97)


@dataclass(frozen=True)
class Model:
    """A law, its true parameter and the bounds of it, and points for A.

    Attributes
    ----------
    points : callable
        ``points(rng)`` gives points, their log q and their groups.
    runs : int
        Of A; 0 where its points are independent.
    """

    law: Law
    truth: float
    bounds: tuple[float, float]
    event: tuple[int, ...]
    points: Callable
    runs: int


def normals(n_dim, sd, n_points, method="sobol"):
    """Points of a normal law."""

    def points(rng):
        u, groups = uniforms(method, n_points, n_dim, rng)
        y = sd * special.ndtri(u)
        return y, stats.norm(0, sd).logpdf(y).sum(axis=1), groups

    return points


def coins(shape, n_points):
    """Even independent spins."""

    def points(rng):
        y = rng.choice([-1, 1], size=(n_points, *shape))
        return y, np.full(n_points, -np.prod(shape) * np.log(2)), np.arange(n_points)

    return points


MODELS = {
    "3 normals, Sobol": Model(
        vectors.correlated_scale(3, 0.5), 1.0, (0.2, 5), (3,), normals(3, 1.8, 4096), 16
    ),
    "3 normals, independent": Model(
        vectors.correlated_scale(3, 0.5), 1.0, (0.2, 5), (3,), normals(3, 1.8, 2**13, "iid"), 0
    ),
    "2 correlated normals": Model(
        vectors.correlation(), 0.6, (-0.99, 0.99), (2,), normals(2, 1.4, 2**13, "iid"), 0
    ),
    "4 quartics, Sobol": Model(vectors.products(4), 1.0, (0.3, 3), (4,), normals(4, 0.9, 4096), 16),
    "two modes in 3 dimensions": Model(
        vectors.crossed(3, 5.0, 1.0), 0.3, (-8, 8), (3,), normals(3, 3.0, 2**13, "iid"), 0
    ),
    "3 × 3 spins": Model(torus(3, 3), 0.2, (-0.5, 1.5), (3, 3), coins((3, 3), 2**13), 0),
}


def errors(model: Model, seed: int) -> dict[str, float]:
    """Errors of what is claimed of a mean and an sd, in half widths of its 95% interval."""
    rng = np.random.default_rng(seed)
    law, arrays = model.law, model.law.arrays or model.law.energy
    data = law.draw(rng, model.truth, N)
    log_likelihood = law.log_likelihood(data)
    grid = axis(log_likelihood, *model.bounds, places=401)
    y, log_q, groups = model.points(rng)
    reference = Reference(y, -log_q - np.log(len(y)), groups)
    at = lambda t: reference.log_weights - np.array([arrays(y, value) for value in t])
    log_z_a = special.logsumexp(at(grid), axis=1)
    log_p = log_likelihood(grid)
    mean, sd, _ = _moments(grid, log_p)
    mean_a, sd_a, p = _moments(grid, log_p + N * (law.log_z(grid) - log_z_a))
    draws = np.interp((np.arange(DRAWS) + 0.5) / DRAWS, np.cumsum(p), grid)
    draws = rng.permutation(draws)

    posterior = xr.Dataset({"t": (("chain", "draw"), draws[None])})
    added = PosteriorError(posterior, {"q": reference})
    log_weights = at(draws)
    log_z = special.logsumexp(log_weights, axis=1)
    for s, weights in enumerate(np.exp(log_weights - log_z[:, None])):
        added.add(s, "q", slice(0, len(y)), N * weights)
    claimed = added.result()["t"].to_numpy()
    width = stats.t(model.runs - 1).ppf(0.975) if model.runs else stats.norm.ppf(0.975)

    answer = second_answer(model, arrays, data, draws, rng)
    shift = shift_of(draws[:, None], -N * (answer.log_z - log_z), -N * answer.scaled_noise,
                     answer.runs)  # fmt: skip
    of_b = stats.norm.ppf(0.975)  # its errors are widened as Student's t asks
    return {
        "added, mean": (mean_a - mean) / claimed[0] / width,
        "added, sd": (sd_a - sd) / claimed[1] / width,
        "shift, mean": (shift.mean[0] - (mean - mean_a) / sd_a) / shift.mean_se[0] / of_b,
    }


def second_answer(model, arrays, data, draws, rng):
    """The first answer of the second estimate, at the draws; without descents, for their time."""
    size = int(np.prod(model.event))
    shaped = lambda x: x.reshape(len(x), *model.event)
    energy = lambda x, rows: arrays(shaped(x), draws[rows][:, None])

    everywhere = np.full(size, np.inf)
    flat = data.reshape(len(data), size)
    spins = model.event == (3, 3)
    question = Question(
        energy, draws[:, None], -everywhere, everywhere, flat, flat[:0],
        values=(np.array([-1, 1]),) * size if spins else None,
    )  # fmt: skip
    way = over_sites(question, rng, first=50) if spins else by_annealing(question, rng)
    return next(way)


def _moments(grid, log_p):
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = p @ grid
    return mean, np.sqrt(p @ (grid - mean) ** 2), p


def main():
    """Print the shares by model, and fail where one is off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=200, help="of each model")
    seeds = parser.parse_args().seeds
    lines, off = {}, False
    for name, model in MODELS.items():
        began = time.process_time()
        found = [errors(model, 1000 + seed) for seed in range(seeds)]
        lines[name] = {key: np.array([f[key] for f in found]) for key in found[0]}
        for key, values in lines[name].items():
            inside = int((np.abs(values) <= 1).sum())
            p = stats.binomtest(inside, seeds, 0.95).pvalue
            off |= p < CHANCE
            print(
                f"{name:28} {key:12} {100 * inside / seeds:6.1f}%  p = {p:.2g}, "
                f"mean {values.mean():+.3f}",
                flush=True,
            )
        print(f"{'':28} {time.process_time() - began:.0f} s of processor time", flush=True)
    for key in next(iter(lines.values())):
        share = np.mean([np.abs(line[key]) <= 1 for line in lines.values()])
        off |= not POOLED[0] <= share <= POOLED[1]
        print(f"{'all':28} {key:12} {100 * share:6.1f}%")
    sys.exit(int(off))


if __name__ == "__main__":
    main()
