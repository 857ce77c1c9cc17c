"""Time per value and gradient of log Z: the streaming kernels against what else there is.

For each case the ratio of medians of interleaved runs, on one thread but for JAX, which uses all
cores: the plain graph that numba compiles, the same in C, and JAX's ``jit(value_and_grad)`` of the
hand-written estimate. The last column is our time over that of reading the weights and the points
once.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import time
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numba
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from jax.scipy.special import logsumexp
from pytensor.compile.mode import get_mode

import pymc_ebm as ebm

jax.config.update("jax_enable_x64", True)
warnings.filterwarnings("ignore", "PyTensor could not link to a BLAS")  # C takes its own then
SECONDS = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0  # of measuring, for each case
STREAMED = get_mode("NUMBA")
PLAIN = STREAMED.excluding("stream_log_partition")


def scalars(n_points):
    return ebm.reference.independent(pm.Normal.dist(2, 4), draws=n_points, random_seed=1)


def vectors(n_points, size):
    q = pm.Normal.dist(np.zeros(size), 2)
    return ebm.reference.independent(q, draws=n_points, random_seed=1)


def gaussian(x, s):
    return x**2 / (2 * s**2)


def shifted(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


def quartic(x, a, b):
    return (b * x**4 - a * x).sum(-1)


def shifted_quartic(x, a, b):
    return (b * (x - a) ** 4).sum(-1)


def lattice(s, b, h):
    neighbours = sum(s[:, i] * s[:, (i + 1) % 16] for i in range(16))
    return -(b * neighbours + h * s.sum(-1))


def neural(x, w, v):
    tanh = jnp.tanh if isinstance(x, jax.Array) else pt.tanh
    return (x**2).sum(-1) / 4 - tanh(x @ w) @ v


def spins(n_points):
    points = np.random.default_rng(1).choice([-1.0, 1.0], size=(n_points, 16))
    return ebm.reference.from_draws(points, np.full(n_points, -16 * np.log(2)))


A5, ROWS = np.linspace(-0.5, 0.5, 5), np.linspace(0.5, 3, 915)
W, V = np.linspace(-1, 1, 40).reshape(5, 8), np.linspace(-1, 1, 8)
CASES = {
    # energy, reference, parameters, signature
    **{
        f"Gaussian, M = {m:.0e}": (gaussian, lambda m=m: scalars(m), [1.7], None)
        for m in (10**3, 5 * 10**3, 10**4, 10**5, 10**6, 10**7)
    },
    "shifted Gaussian, M = 1e+06": (shifted, lambda: scalars(10**6), [0.3, 1.7], None),
    "5-D quartic, M = 1e+05": (quartic, lambda: vectors(10**5, 5), [A5, 0.1], "(k),()"),
    "5-D shifted quartic, M = 1e+05": (
        shifted_quartic,
        lambda: vectors(10**5, 5),
        [A5, 0.1],
        "(k),()",
    ),
    "ring of 16 spins, M = 1e+05": (lattice, lambda: spins(10**5), [0.3, 0.1], None),
    "915 rows, M = 4096": (gaussian, lambda: scalars(4096), [ROWS], None),
    "915 rows, shifted, M = 4096": (shifted, lambda: scalars(4096), [ROWS, ROWS], None),
    "neural, 8 units, M = 1e+05": (neural, lambda: vectors(10**5, 5), [W, V], "(k,l),(l)"),
}


def by_pytensor(energy, reference, values, signature, mode):
    params = [pt.tensor(dtype="float64", shape=v.shape) for v in values]
    log_z = ebm.log_partition(energy, *params, reference=reference, signature=signature)
    outputs = [log_z.sum(), *pt.grad(log_z.sum(), params)]
    function = pytensor.function(params, outputs, mode=mode, trust_input=True)
    return lambda: function(*values)


def by_jax(energy, reference, values, signature):
    x, a = jnp.asarray(reference.points), jnp.asarray(reference.log_weights)
    log_z = lambda *params: logsumexp(a - energy(x, *params))
    rows = signature is None and any(v.ndim for v in values)
    total = (lambda *params: jax.vmap(log_z)(*params).sum()) if rows else log_z
    function = jax.jit(jax.value_and_grad(total, argnums=tuple(range(len(values)))))
    given = [jnp.asarray(v) for v in values]
    return lambda: jax.block_until_ready(function(*given))


@numba.njit(fastmath=True)
def read(log_weights, numbers):
    total = 0.0
    for i in range(log_weights.size):
        total += log_weights[i]
    for i in range(numbers.size):
        total += numbers[i]
    return total


def medians(functions):
    """Median seconds of each, run in turn."""
    once = []
    for function in functions:
        function()
        start = time.perf_counter()
        function()
        once.append(time.perf_counter() - start)
    # Calls of a microsecond are timed together.
    repeats = [max(int(2e-4 / t), 1) for t in once]
    runs = int(np.clip(SECONDS / sum(t * n for t, n in zip(once, repeats, strict=True)), 5, 201))
    times = np.empty((runs, len(functions)))
    for run in range(runs):
        for i, (function, n) in enumerate(zip(functions, repeats, strict=True)):
            start = time.perf_counter()
            for _ in range(n):
                function()
            times[run, i] = (time.perf_counter() - start) / n
    return np.median(times, axis=0)


def main():
    print(f"{os.cpu_count()} cores; times of ours in ms, others as multiples of ours")
    print(f"{'case':32}{'route':8}{'ours':>10}{'plain':>8}{'C':>8}{'JAX':>8}{'reading':>9}")
    table = []
    for name, (energy, make, values, signature) in CASES.items():
        reference = make()
        values = [np.asarray(v, dtype="float64") for v in values]
        ours, plain, c = (
            by_pytensor(energy, reference, values, signature, mode)
            for mode in (STREAMED, PLAIN, "CVM")
        )
        peer = by_jax(energy, reference, values, signature)
        np.testing.assert_allclose(ours()[0], peer()[0], rtol=1e-9)
        numbers = np.ascontiguousarray(reference.points, dtype=float).reshape(-1)
        once = lambda: read(reference.log_weights, numbers)  # noqa: B023
        seconds = medians([ours, plain, c, peer, once])
        ratios = seconds[1:4] / seconds[0]
        params = [pt.tensor(dtype="float64", shape=v.shape) for v in values]
        log_z = ebm.log_partition(energy, *params, reference=reference, signature=signature)
        route = ebm.kernels.route(log_z).name
        print(
            f"{name:32}{route:8}{1e3 * seconds[0]:10.3f}"
            + "".join(f"{r:8.1f}" for r in ratios)
            + f"{seconds[0] / seconds[4]:9.1f}",
            flush=True,
        )
        table.append((name, *ratios))
    if len(sys.argv) > 2:
        _figure(table, Path(sys.argv[2]))


def _figure(table, path):
    import matplotlib.pyplot as plt

    names, *columns = zip(*table, strict=True)
    figure, axes = plt.subplots(figsize=(7, 0.35 * len(names) + 1), layout="constrained")
    places = np.arange(len(names))
    for label, marker, column in zip(("plain graph", "C", "JAX"), "osD", columns, strict=True):
        axes.plot(column, places, marker, label=label)
    axes.axvline(1, color="0.6", lw=1)
    axes.set(xscale="log", yticks=places, yticklabels=names, xlabel="time / time of the kernels")
    axes.invert_yaxis()
    axes.legend()
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
