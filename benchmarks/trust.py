"""Does `report` say "ok" of posteriors that are right, and of those alone?

    python benchmarks/trust.py          # every tenth set-up
    python benchmarks/trust.py --all    # all of them; half an hour

Each set-up has data, an energy with one parameter whose exact log Z is known, and a reference.
The posterior with the reference and the exact one are both on a grid of the parameter. 400 draws
from the former are what a user would have; they go through `compute_reference_stats` and `report`.

A posterior is wrong where its mean is off by more than 0.25 exact sd, or its sd by a factor outside
0.8–1.25. It is sound where the reference reaches all of the model by construction, and six other
references of the same make are off by at most 0.08 sd in the mean and 8% in the sd, root mean
square; so soundness is no matter of luck. What is neither counts for neither.
"""

import argparse
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from scipy import special, stats

import pymc_ebm as ebm
from pymc_ebm.energy import VECTORISED

GRID = 401


@dataclass(frozen=True)
class Setup:
    """One posterior to judge; `reaches` where the reference covers the model by construction."""

    name: str
    energy: Callable
    log_z: Callable
    data: np.ndarray
    reference: Callable
    grid: np.ndarray
    reaches: bool


def normal(m, s):
    return pm.Normal.dist(m, s)


def student(m, s):
    return pm.StudentT.dist(nu=5, mu=m, sigma=s)


def independent(law, draws, method="iid"):
    return lambda seed: ebm.reference.independent(law, draws, method, random_seed=seed)


def gaussian(x, s):
    return x**2 / (2 * s**2)


def gaussian_log_z(s):
    return 0.5 * np.log(2 * np.pi) + np.log(s)


def two_normals(x, d):
    """0.3 N(−d, 1) + 0.7 N(d, 1)."""
    return -pt.logaddexp(np.log(0.3) - (x + d) ** 2 / 2, np.log(0.7) - (x - d) ** 2 / 2)


def heavy(x, s):
    """Student t of 3 degrees of freedom with scale s."""
    return 2 * pt.log1p((x / s) ** 2 / 3)


def heavy_log_z(s):
    return np.log(s) + special.gammaln(1.5) - special.gammaln(2) + 0.5 * np.log(3 * np.pi)


def quartic(x, a):
    return a * x**4


def quartic_log_z(a):
    return np.log(2 * special.gamma(1.25)) - np.log(a) / 4


def exponential(x, s):
    return pt.switch(x < 0, np.inf, x / s)


def counts(x, b):
    """Poisson with log rate b."""
    return pt.gammaln(x + 1) - b * x


def row(x, a):
    """Four correlated normals with scale a."""
    return 0.5 * ((x**2).sum(-1) + 0.5 * (x[..., 1:] * x[..., :-1]).sum(-1)) / a**2


ROW_PRECISION = np.eye(4) + 0.25 * (np.eye(4, k=1) + np.eye(4, k=-1))


def row_log_z(a):
    return 2 * np.log(2 * np.pi) - 0.5 * np.linalg.slogdet(ROW_PRECISION)[1] + 4 * np.log(a)


def spins(s, b):
    return -b * (s * (pt.roll(s, 1, -1) + pt.roll(s, 1, -2))).sum((-2, -1))


def around(value, n, spread=0.5):
    """A grid that holds the posterior of a parameter near `value` from n data."""
    half = min(6 * spread * value / np.sqrt(n), 0.9 * value)
    return np.linspace(value - half, value + 2 * half, GRID)


def setups(rng) -> list[Setup]:
    """All of them."""
    found: list[Setup] = []

    def add(*args):
        found.append(Setup(*args))

    for n in (10, 30, 100, 300, 1000, 10_000):
        data = rng.normal(0, 2, n)
        grid = around(2.0, n)
        more = int(np.clip(400 * n, 4096, 2**16))
        for label, law, draws, method, reaches in (
            ("wide", normal(0, 4), more, "iid", True),
            ("wide, antithetic", normal(0, 4), more, "antithetic", True),
            ("wide, Sobol", normal(0, 4), 4096, "sobol", True),
            ("Student", student(0, 3), more, "iid", True),
            ("Student, Sobol", student(0, 3), 4096, "sobol", True),
            ("a little shifted", normal(1.5, 4), more, "iid", True),
            ("very wide, Sobol", normal(0, 12), 4096, "sobol", True),
            ("very wide", normal(0, 40), 1000, "iid", True),
            ("narrow", normal(0, 0.9), 1000, "iid", False),
            ("narrow, Sobol", normal(0, 1.2), 4096, "sobol", False),
            ("shifted far", normal(9, 1), 2000, "iid", False),
            ("few draws", normal(0, 4), 100, "iid", True),
            ("very few draws", normal(0, 4), 30, "iid", True),
        ):
            add(f"gaussian N={n}, {label}", gaussian, gaussian_log_z, data,
                independent(law, draws, method), grid, reaches)  # fmt: skip
        add(
            f"gaussian N={n}, fitted",
            gaussian,
            gaussian_log_z,
            data,
            lambda seed, d=data: ebm.reference.fitted(d, 4096, random_seed=seed),
            grid,
            True,
        )
        for label, draw in (("Laplace", rng.laplace), ("uniform", rng.uniform)):
            other = draw(-3, 3, n) if label == "uniform" else draw(0, 1.5, n)
            s = np.sqrt(np.mean(other**2))
            for method in ("iid", "sobol"):
                add(f"misspecified by {label} data N={n}, {method}", gaussian, gaussian_log_z,
                    other, independent(student(0, 4), more if method == "iid" else 4096, method),
                    around(s, n), True)  # fmt: skip
        t = stats.t(3).rvs(n, random_state=rng)
        for label, law, reaches in (
            ("Student", pm.StudentT.dist(nu=2, mu=0, sigma=2), True),
            ("normal", normal(0, 2), False),
        ):
            for draws, method in ((more, "iid"), (4096, "sobol")):
                add(f"heavy tail N={n}, {label}, {method}", heavy, heavy_log_z, t,
                    independent(law, draws, method), around(1.0, n, 1.0), reaches)  # fmt: skip
        d = 5.0
        sign = np.where(rng.random(n) < 0.3, -1, 1)
        for visited in (True, False):
            # Without data in the left mode the model is misspecified and just as exact.
            centres = d * (sign if visited else np.ones(n))
            modes = centres + rng.normal(size=n)
            where = np.linspace(d - 4 / np.sqrt(n), d + 4 / np.sqrt(n), GRID)
            log_z = lambda b: np.full(np.shape(b), 0.5 * np.log(2 * np.pi))
            for label, law, reaches in (
                ("both modes", normal(0, 8), True),
                ("both modes, Student", student(0, 6), True),
                ("one mode", normal(d, 2), False),
            ):
                for draws, method in ((more, "iid"), (4096, "sobol")):
                    add(f"two modes N={n}, left {'seen' if visited else 'unseen'}, {label}, "
                        f"{method}", two_normals, log_z, modes, independent(law, draws, method),
                        where, reaches)  # fmt: skip
        a = 1.3
        x = stats.gennorm(4, scale=a**-0.25).rvs(n, random_state=rng)
        for label, law, reaches in (
            ("normal", normal(0, 1.2), True),
            ("uniform", pm.Uniform.dist(-4, 4), True),
            ("narrow", normal(0, 0.35), False),
        ):
            for draws, method in ((more, "iid"), (4096, "sobol")):
                add(f"quartic N={n}, {label}, {method}", quartic, quartic_log_z, x,
                    independent(law, draws, method), around(a, n, 1.0), reaches)  # fmt: skip
        e = rng.exponential(1.5, n)
        for label, law, reaches in (
            ("half-normal", pm.HalfNormal.dist(6), True),
            ("exponential", pm.Exponential.dist(0.3), True),
            ("normal on the line", normal(3, 4), True),
            ("cut off at 2", pm.Uniform.dist(0, 2), False),
        ):
            add(f"exponential N={n}, {label}", exponential, np.log, e, independent(law, more),
                around(1.5, n, 1.0), reaches)  # fmt: skip
        k = rng.poisson(4.0, n)
        b = np.log(4.0)
        where = np.linspace(b - 3 / np.sqrt(n), b + 3 / np.sqrt(n), GRID)
        for label, law, reaches in (
            ("negative binomial", pm.NegativeBinomial.dist(mu=5, alpha=3), True),
            ("Poisson too low", pm.Poisson.dist(1.0), False),
        ):
            add(f"counts N={n}, {label}", counts, np.exp, k, independent(law, more), where,
                reaches)  # fmt: skip
        covariance = np.linalg.inv(ROW_PRECISION)
        vectors = rng.multivariate_normal(np.zeros(4), covariance, size=n)
        for label, s, reaches in (("wide", 1.6, True), ("narrow", 0.5, False)):
            for draws, method in ((more, "iid"), (4096, "sobol")):
                law = pm.Normal.dist(0, s, shape=4)
                add(f"4-vectors N={n}, {label}, {method}", row, row_log_z, vectors,
                    independent(law, draws, method), around(1.0, 4 * n), reaches)  # fmt: skip
    found += lattices(rng)
    return found


def lattices(rng) -> list[Setup]:
    """3 × 4 lattices, whose states can be counted, with chains and with independent spins."""
    states = ebm.reference.enumeration([-1, 1], shape=(3, 4), complete=True)
    s = states.points
    statistic = (s * (np.roll(s, 1, -1) + np.roll(s, 1, -2))).sum((-2, -1))
    log_z = lambda b: special.logsumexp(np.multiply.outer(b, statistic), axis=-1)
    found = []
    for n, b in ((10, 0.15), (100, 0.15), (10, 0.3), (100, 0.3)):
        p = np.exp(b * statistic - log_z(b))
        data = s[rng.choice(len(s), size=n, p=p / p.sum())]
        grid = np.linspace(max(b - 1.5 / np.sqrt(n), 0.001), b + 1.5 / np.sqrt(n), GRID)

        def chains(seed, data=data):
            gibbs = partial(ebm.sampling.gibbs, reference=states, clusters=True, draws=1000)
            return ebm.reference.pooled(
                spins, observed=data, start=(0.1,), sampler=gibbs, random_seed=seed,
                progressbar=False,
            )  # fmt: skip

        def far(seed):
            draws = ebm.sampling.gibbs(
                spins, 1.2, reference=states, random_seed=seed, progressbar=False,
                return_inferencedata=False,
            )  # fmt: skip
            return ebm.reference.chain(spins, 1.2, draws=draws)

        def bernoulli(seed, data=data):
            return ebm.reference.fitted(data, 8192, random_seed=seed)

        for label, reference, reaches in (
            ("chains", chains, True), ("bernoulli", bernoulli, True), ("chain far off", far, False),
        ):  # fmt: skip
            found.append(
                Setup(f"lattice N={n} b={b}, {label}", spins, log_z, data, reference, grid, reaches)
            )
    return found


def judge(setup: Setup, seed: int) -> tuple[str, str, float, float, tuple[str, ...]]:
    """Kind and status; error of the mean in exact sds, ratio of sds; reasons."""
    x = np.asarray(setup.data)
    energy = at_theta(setup.energy, x)
    of_data = np.array([energy(t).sum() for t in setup.grid])
    exact = moments(setup.grid, -of_data - len(x) * setup.log_z(setup.grid))
    mean, sd, p = estimated(setup, seed, of_data)
    off, ratio = abs(mean - exact[0]) / exact[1], sd / exact[1]
    kind = "between"
    if not (off <= 0.25 and 0.8 < ratio < 1.25):
        kind = "wrong"
    elif setup.reaches:
        others = [estimated(setup, 10_000 + seed + k, of_data, 4) for k in range(6)]
        means, sds = np.array([other[:2] for other in others]).T
        if max(rms((means - exact[0]) / exact[1]), rms(sds / exact[1] - 1)) <= 0.08:
            kind = "sound"
    if not np.isfinite(p).all():
        return kind, "failed", np.inf, np.inf, ("No weight at any parameter.",)
    rng = np.random.default_rng(seed)
    cumulative = np.cumsum(p)
    draws = np.interp(rng.random(400) * cumulative[-1], cumulative, setup.grid)
    posterior = xr.Dataset(
        {"t": (("chain", "draw"), draws.reshape(2, 200))},
        coords={"chain": range(2), "draw": range(200)},
    )
    idata = xr.DataTree.from_dict({"posterior": posterior})
    with warnings.catch_warnings(), pm.Model() as model:
        warnings.simplefilter("ignore")
        t = pm.Uniform("t", setup.grid[0], setup.grid[-1])
        ebm.EBM("x", t, energy=setup.energy, reference=setup.reference(seed), observed=x)
        ebm.compute_reference_stats(idata, model=model, progressbar=False)
        verdict = ebm.report(idata)
    return kind, verdict.status, off, ratio, verdict.reasons


def estimated(setup, seed, of_data, every=1):
    """Mean, sd and probabilities of the posterior by one reference, on the grid."""
    reference = setup.reference(seed)
    energy = at_theta(setup.energy, reference.points)
    grid = setup.grid[::every]
    log_z = [special.logsumexp(reference.log_weights - energy(t)) for t in grid]
    return moments(
        grid, -of_data[::every] - len(setup.data) * np.where(np.isneginf(log_z), np.inf, log_z)
    )


def at_theta(energy, x):
    """E(x | θ) as a function of θ, in NumPy: compiled in no time and called a few hundred times."""
    theta, points = pt.dscalar(), pt.constant(x)
    return pytensor.function([theta], energy(points, theta), mode=VECTORISED)


def rms(values):
    return np.sqrt(np.mean(np.square(values)))


def moments(grid, log_p):
    """Mean, sd and probabilities of a density on a grid."""
    log_p = np.where(np.isfinite(log_p), log_p, -np.inf)
    if np.isneginf(log_p).all():
        return np.inf, np.inf, np.full(len(grid), np.nan)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = p @ grid
    return mean, np.sqrt(p @ (grid - mean) ** 2), p


def main():
    """Print the confusion table, and what went against it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="every set-up, and not every tenth")
    parser.add_argument("--list", action="store_true", help="print every verdict")
    parser.add_argument("--seeds", type=int, default=1, help="references of each set-up")
    options = parser.parse_args()
    all_setups = setups(np.random.default_rng(20261125))
    chosen = all_setups[:: 1 if options.all else 10]
    table = {kind: dict.fromkeys(("ok", "inconclusive", "failed"), 0)
             for kind in ("sound", "between", "wrong")}  # fmt: skip
    against = []
    for i, setup in enumerate(chosen):
        for seed in range(options.seeds):
            kind, status, off, ratio, reasons = judge(setup, 1000 * seed + i)
            table[kind][status] += 1
            line = f"{setup.name}: {status}, mean off by {off:.3f} sd, sd ratio {ratio:.3f}"
            if options.list:
                print(f"{kind:8}{line}", flush=True)
            if (kind, status) == ("wrong", "ok") or (kind == "sound" and status != "ok"):
                against.append((kind, line, reasons))
    for kind, line, reasons in against:
        print(f"{kind}: {line}")
        for reason in reasons[:2]:
            print(f"    {reason}")
    print(f"\n{'':10}{'ok':>8}{'inconclusive':>14}{'failed':>8}")
    for kind, counts_ in table.items():
        print(f"{kind:10}{counts_['ok']:>8}{counts_['inconclusive']:>14}{counts_['failed']:>8}")
    n_ok = sum(t["ok"] for t in table.values())
    n_sound = sum(table["sound"].values())
    print(f"\nwrong among the ok: {table['wrong']['ok']} of {n_ok}")
    print(f"ok among the sound: {table['sound']['ok']} of {n_sound}")


if __name__ == "__main__":
    main()
