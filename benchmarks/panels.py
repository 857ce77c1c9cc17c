"""Value and gradient of a default, panels, against fitted Sobol points, in one interleaved run.

    python -m benchmarks.panels [seconds of a problem]

Fitted points are 16,384, by which the default of the same data would begin without panels. The
ratio is of medians.
"""

import sys

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

import pymc_ebm as ebm
from benchmarks.interleaved import interleaved


def pair(x, rho):
    a, b = x[..., 0], x[..., 1]
    return (a**2 - 2 * rho * a * b + b**2) / (2 * (1 - rho**2))


# Energy, start of the parameter and data.
PROBLEMS = {
    "Gaussian": (lambda x, s: x**2 / (2 * s**2), 1.0, lambda rng: rng.normal(size=200)),
    "quartic": (lambda x, s: (x / s) ** 4, 1.0, lambda rng: rng.normal(0, 0.5, 200)),
    "Student t, ν = 2": (
        lambda x, s: 1.5 * pt.log1p((x / s) ** 2 / 2),
        1.0,
        lambda rng: rng.standard_t(2, 200),
    ),
    "Laplace": (lambda x, s: abs(x) / s, 1.0, lambda rng: rng.laplace(size=200)),
    "pair, ρ = 0.9": (
        pair,
        0.9,
        lambda rng: rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 200),
    ),
    "banana": (
        lambda x, s: x[..., 0] ** 2 / (2 * s**2) + (x[..., 1] - x[..., 0] ** 2) ** 2 / 2,
        1.0,
        lambda rng: (lambda a: np.stack([a, a**2 + rng.normal(size=200)], 1))(rng.normal(size=200)),
    ),
}


def default_of(energy, start, data):
    with pm.Model() as model:
        theta = pm.Uniform("theta", 0, 1 if energy is pair else 10, initval=start)
        ebm.EBM("x", theta, energy=energy, observed=data, progressbar=False)
    return model["x"].owner.op.spec.reference


def value_and_gradient(energy, start, reference):
    theta = pt.dscalar()
    log_z = ebm.log_partition(energy, theta, reference=reference)
    function = pytensor.function([theta], [log_z, pt.grad(log_z, theta)])
    return lambda: function(start)


if __name__ == "__main__":
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    for name, (energy, start, draw) in PROBLEMS.items():
        data = draw(np.random.default_rng(1))
        ways = {
            "panels": default_of(energy, start, data),
            "fitted": ebm.reference.fitted(data, 2**14, event_ndim=data.ndim - 1, random_seed=1),
        }
        programs = {way: value_and_gradient(energy, start, q) for way, q in ways.items()}
        times = {way: np.median(t) * 1e6 for way, t in interleaved(programs, seconds).items()}
        said = ", ".join(f"{w}: {q.n_points:,} points {times[w]:.1f} µs" for w, q in ways.items())
        print(f"{name}: {said}, ratio {times['fitted'] / times['panels']:.1f}", flush=True)
