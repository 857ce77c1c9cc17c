"""Time of log Z with its gradient by JAX, on the device that JAX finds.

For M = 10⁶, 10⁷ and 10⁸ points of a scalar Gaussian, in milliseconds: the package's JAX route,
which is what a NumPyro sampler runs, and ``jit(value_and_grad)`` of the estimate written by hand.
Each precision has a process of its own, as JAX sets it once: float64; float32 with the sums over
points in float64; and float32 throughout. The error is that of log Z by rounding, against a sum in
float64 by NumPy. ``--points 1e5 1e6`` tries other numbers of points.
"""

import argparse
import os
import subprocess
import sys
import time

PRECISIONS = {
    # precision: (floatX, whether JAX knows 64 bits)
    "float64": ("float64", True),
    "float32, float64 sums": ("float32", True),
    "float32": ("float32", False),
}
SIGMA = 1.7


def milliseconds(function, *args):
    """Median of calls after the first, for two seconds, and what the function gives."""
    import jax
    import numpy as np

    found = jax.block_until_ready(function(*args))
    times = []
    while len(times) < 5 or (sum(times) < 2 and len(times) < 100):
        start = time.perf_counter()
        jax.block_until_ready(function(*args))
        times.append(time.perf_counter() - start)
    return 1e3 * np.median(times), found


def measure(precision, points):
    import jax
    import jax.numpy as jnp
    import numpy as np
    import pytensor
    import pytensor.tensor as pt
    from pytensor.link.jax import dispatch  # noqa: F401  sets the bits that are set again below

    import pymc_ebm as ebm

    dtype, wide = PRECISIONS[precision]
    jax.config.update("jax_enable_x64", wide)
    sums = "float64" if wide else "float32"
    sigma = np.asarray(SIGMA, dtype=dtype)
    if not points:
        points = [1e6] if jax.default_backend() == "cpu" else [1e6, 1e7, 1e8]
    for m in map(round, points):
        rng = np.random.default_rng(1)
        x = rng.normal(2, 4, m).astype(dtype)
        log_q = -0.5 * ((x - 2) / 4) ** 2 - np.log(4 * np.sqrt(2 * np.pi))
        q = ebm.reference.from_draws(x, log_q)
        s = pt.scalar("s", dtype=dtype)
        log_z = ebm.log_partition(lambda x, s: x**2 / (2 * s**2), s, reference=q)
        function = pytensor.function([s], [log_z, pt.grad(log_z, s)], mode="JAX", trust_input=True)
        route, (value, _) = milliseconds(function, sigma)

        def by_hand(s, x, a):
            return jax.scipy.special.logsumexp((a - x**2 / (2 * s**2)).astype(sums))

        arrays = jnp.asarray(x), jnp.asarray(q.log_weights, dtype=dtype)
        hand, _ = milliseconds(jax.jit(jax.value_and_grad(by_hand)), sigma, *arrays)
        log_weights = q.log_weights - x.astype("float64") ** 2 / (2 * SIGMA**2)
        error = float(value) - np.log(np.exp(log_weights).sum())
        device = jax.devices()[0].device_kind
        print(
            f"| {device} | {precision} | {m:.0e} | {route:.3g} | {hand:.3g} | {error:.0e} |",
            flush=True,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=float, nargs="+", help="1e6 1e7 1e8; 1e6 on a CPU")
    parser.add_argument("--precision", choices=PRECISIONS, help="one of them, in this process")
    options = parser.parse_args()
    if options.precision:
        measure(options.precision, options.points)
        return
    print("| device | precision | M | ms, JAX route | ms, by hand | error of log Z |")
    print("|---|---|---|---|---|---|", flush=True)
    for precision, (dtype, _) in PRECISIONS.items():
        flags = os.environ.get("PYTENSOR_FLAGS", "")
        environment = os.environ | {"PYTENSOR_FLAGS": f"{flags},floatX={dtype}".lstrip(",")}
        arguments = ["--precision", precision]
        if options.points:
            arguments += ["--points", *map(str, options.points)]
        subprocess.run(
            [sys.executable, "-W", "ignore", __file__, *arguments], env=environment, check=True
        )


if __name__ == "__main__":
    main()
