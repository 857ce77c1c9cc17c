"""How often the search for missed mass alarms at sound references, and at those that miss a mode.

    python benchmarks/missed_mass.py              # four seeds of each kind
    python benchmarks/missed_mass.py --seeds 20   # as in the docs; some minutes

Each seed has fresh data and points, with 20, 200 or 2000 data. The last kinds show where the search
ends: narrow modes far from all that is known, and values that no point has.
"""

import argparse
import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import xarray as xr
from scipy import stats

import pymc_ebm as ebm
from pymc_ebm.diagnostics.coverage._coverage import CoverageVerdict, check_coverage
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.energy.split import VECTORISED

SITES = 12


class Case(NamedTuple):
    """What one seed makes; `how` is "data", "mixture" (a component) or "potential"."""

    energy: Callable
    theta: float
    data: np.ndarray
    reference: ebm.reference.Reference
    how: str = "data"


def normal(m, s, rng, draws=4000, shape=(), method="iid"):
    """Draws of a normal with its density."""
    return ebm.reference.independent(pm.Normal.dist(m, s, shape=shape), draws, method,
                                     random_seed=rng)  # fmt: skip


def given(law, rng, draws=4000, support=None):
    """Draws of a SciPy distribution, whose density is not known elsewhere."""
    return ebm.reference.from_draws(
        law.rvs(draws, random_state=rng), law.logpdf, support=support
    )  # fmt: skip


def gaussian(x, s):
    return x**2 / (2 * s**2)


def two_normals(x, d):
    """0.3 N(−d, 1) + 0.7 N(d, 1)."""
    return -pt.logaddexp(np.log(0.3) - (x + d) ** 2 / 2, np.log(0.7) - (x - d) ** 2 / 2)


def two_flat(x, d):
    """Two equal modes with flat tops, at −d and d."""
    return -pt.logaddexp(-((x + d) ** 4), -((x - d) ** 4))


def rate(x, s):
    """An exponential distribution, whose mode is the edge of its support."""
    return x / s


def vectors(x, s):
    return (x**2).sum(-1) / (2 * s**2)


def two_corners(x, t):
    """Independent sites that are mostly 1, with probability 0.3, or mostly 0."""
    ones = x.sum(-1)
    high = ones * np.log(0.9) + (SITES - ones) * np.log(0.1)
    low = ones * pt.log(0.1 * t) + (SITES - ones) * pt.log(1 - 0.1 * t)
    return -pt.logaddexp(np.log(0.3) + high, np.log(0.7) + low)


def counts(x, b):
    """Poisson with log rate b."""
    return pt.gammaln(x + 1) - b * x


def needle(x, d):
    """0.7 N(0, 1) + 0.3 N(d, 0.1²) along the first axis, with the same widths along the others."""
    n_dim = x.type.shape[-1]
    away = ((x - d * np.eye(n_dim)[0]) ** 2).sum(-1)
    near = np.log(0.7) - (x**2).sum(-1) / 2
    return -pt.logaddexp(near, np.log(0.3) - n_dim * np.log(0.1) - away / 0.02)


def sides(rng, n, d=6.0, left=0.3):
    """Data of `two_normals`."""
    return np.where(rng.random(n) < left, -d, d) + rng.normal(size=n)


def corner(rng, n, p=0.1):
    """Sites that are 1 with probability p."""
    return (rng.random((n, SITES)) < p).astype(int)


def corner_points(rng, p):
    """Points of independent sites, with their density."""
    log_p = lambda v: (v * np.log(p) + (1 - v) * np.log(1 - p)).sum(-1)
    points = corner(rng, 4000, p)
    return ebm.reference.from_draws(points, log_p(points))


def stuck_corner(rng):
    """Sites that are 1 with probability 0.15, but for the first one, which is 0."""
    points = corner(rng, 4000, 0.15) * (np.arange(SITES) > 0)
    log_p = points @ np.full(SITES, np.log(0.15 / 0.85)) + (SITES - 1) * np.log(0.85)
    return ebm.reference.from_draws(points, log_p)


SOUND = {
    "wide": lambda rng, n: Case(gaussian, 2.0, rng.normal(0, 2, n), normal(0, 4, rng)),
    "wide, Sobol": lambda rng, n: Case(
        gaussian, 2.0, rng.normal(0, 2, n), normal(0, 4, rng, 1024, method="sobol")
    ),
    "fitted to heavy tails": lambda rng, n: Case(
        gaussian, 1.7, (x := rng.standard_t(3, n)), ebm.reference.fitted(x, 1024, random_seed=rng)
    ),
    "misspecified": lambda rng, n: Case(gaussian, 2.1, rng.laplace(0, 1.5, n), normal(0, 4, rng)),
    "two modes": lambda rng, n: Case(two_normals, 6.0, sides(rng, n), normal(0, 8, rng)),
    "two modes, one seen": lambda rng, n: Case(
        two_normals, 6.0, sides(rng, n, left=0), normal(0, 8, rng)
    ),
    "two flat tops, no density": lambda rng, n: Case(
        two_flat, 3.0, np.where(rng.random(n) < 0.5, -3, 3) + rng.normal(0, 0.5, n),
        given(stats.norm(0, 4), rng),
    ),
    "edge, no density": lambda rng, n: Case(
        rate, 1.5, rng.exponential(1.5, n), given(stats.expon(0, 3), rng, support="positive")
    ),
    "five dimensions": lambda rng, n: Case(
        vectors, 1.0, rng.normal(size=(n, 5)), normal(0, 1.6, rng, shape=5)
    ),
    "sites": lambda rng, n: Case(two_corners, 1.0, corner(rng, n), corner_points(rng, 0.5)),
    "counts": lambda rng, n: Case(
        counts, np.log(4.0), rng.poisson(4, n),
        ebm.reference.independent(pm.NegativeBinomial.dist(mu=5, alpha=3), 4000, random_seed=rng),
    ),
    "component of a mixture": lambda rng, n: Case(
        two_normals, 6.0, sides(rng, n), normal(0, 8, rng), "mixture"
    ),
    "potential": lambda rng, n: Case(
        two_normals, 6.0, sides(rng, n), normal(0, 8, rng), "potential"
    ),
}  # fmt: skip
MISSED = {
    "narrow": lambda rng, n: Case(gaussian, 2.0, rng.normal(0, 2, n), normal(0, 0.9, rng, 1000)),
    "mode seen by the data": lambda rng, n: Case(
        two_normals, 6.0, sides(rng, n), normal(6, 2, rng)
    ),
    "mode unseen": lambda rng, n: Case(
        two_normals, 6.0, sides(rng, n, left=0), normal(6, 2, rng)
    ),
    "flat top unseen, no density": lambda rng, n: Case(
        two_flat, 3.0, 3 + rng.normal(0, 0.5, n), given(stats.norm(3, 1), rng)
    ),
    "sites unseen": lambda rng, n: Case(two_corners, 1.0, corner(rng, n), corner_points(rng, 0.15)),
    "component of a mixture": lambda rng, n: Case(
        two_normals, 6.0, sides(rng, n, left=0), normal(6, 2, rng), "mixture"
    ),
    "potential": lambda rng, n: Case(
        two_normals, 6.0, sides(rng, n), normal(6, 2, rng), "potential"
    ),
}  # fmt: skip
HARD = {
    f"dimension {n_dim}, narrow and {d:g} sds away": lambda rng, n, n_dim=n_dim, d=d: Case(
        needle, d, rng.normal(size=(n, n_dim)), normal(0, 1.5, rng, shape=(n_dim,))
    )
    for n_dim, d in ((1, 24.0), (5, 6.0), (5, 12.0))
} | {
    "sites, one of them never 1": lambda rng, n: Case(
        two_corners, 1.0, corner(rng, n) * (np.arange(SITES) > 0), stuck_corner(rng)
    ),
}  # fmt: skip


@pytensor.config.change_flags(mode=VECTORISED)
def verdict(case: Case) -> CoverageVerdict:
    """The verdict at three posterior draws near θ."""
    with pm.Model() as model, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        t = pm.HalfNormal("t", 5)
        x, q = case.data, case.reference
        if case.how == "data":
            ebm.EBM("x", t, energy=case.energy, reference=q, observed=x)
        elif case.how == "mixture":
            parts = [ebm.EBM.dist(t, energy=case.energy, reference=q), pm.Normal.dist(20, 1)]
            pm.Mixture("x", [0.5, 0.5], parts, observed=np.append(x, 20.0))
        else:
            log_z = ebm.log_partition(case.energy, t, reference=q)
            pm.Potential("x", -case.energy(x, t).sum() - len(x) * log_z)
    draws = case.theta * np.array([[0.98, 1.0, 1.02]])
    posterior = xr.Dataset({"t": (("chain", "draw"), draws)})
    (found,) = check_coverage(posterior, Normalisers(model)).values()
    return found


def main():
    """Print the rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=4, help="of each kind")
    seeds = parser.parse_args().seeds
    for title, cases in {"sound": SOUND, "a mode missed": MISSED, "hard": HARD}.items():
        print(f"\n{title:38}{'set-ups':>8}{'missed':>8}{'not checked':>13}{'halves':>8}")
        total = np.zeros(4, dtype=int)
        for k, (name, make) in enumerate(cases.items()):
            row = np.zeros(4, dtype=int)
            for seed in range(seeds):
                rng = np.random.default_rng([20261125, len(title), k, seed])
                found = verdict(make(rng, (20, 200, 2000)[seed % 3]))
                row += [1, found.verdict == "missed", found.verdict == "not checked",
                        found.halves_p < 1e-4]  # fmt: skip
            print(f"{name:38}{row[0]:>8}{row[1]:>8}{row[2]:>13}{row[3]:>8}", flush=True)
            total += row
        print(f"{'all':38}{total[0]:>8}{total[1]:>8}{total[2]:>13}{total[3]:>8}")


if __name__ == "__main__":
    main()
