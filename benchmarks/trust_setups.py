"""Posteriors whose exact form is known, and references good and bad, for `trust.py`."""

from dataclasses import replace
from functools import partial

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy import special, stats
from trust_models import Mixture, Regression, Setup

import pymc_ebm as ebm

GRID = 401


def normal(m, s):
    return pm.Normal.dist(m, s)


def student(m, s):
    return pm.StudentT.dist(nu=5, mu=m, sigma=s)


def independent(law, draws, method="iid"):
    """References of one law by their seeds; independent draws all at once, which is faster."""
    if method != "iid":
        return lambda seed: ebm.reference.independent(law, draws, method, random_seed=seed)

    few = ebm.reference.independent(law, 25, random_seed=0)

    def make(seed):
        points = few.proposal.draw(np.random.default_rng(seed), draws)
        q = ebm.reference.from_draws(points, few.proposal.log_density(points), support=few.support)
        return replace(q, proposal=few.proposal)

    return make


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
    return found + mixtures(rng) + regressions(rng) + lattices(rng)


def mixtures(rng) -> list[Setup]:
    """Scale of a Gaussian energy beside a normal at 6, or a second energy there, in equal parts."""
    found = []
    for n in (10, 30, 100, 1000, 10_000):
        first = rng.random(n) < 0.5
        x = np.where(first, rng.normal(0, 2, n), rng.normal(6, 1, n))
        more = int(np.clip(200 * n, 4096, 2**16))
        grid = around(2.0, n, 0.8)
        for label, law, draws, method, reaches in (
            ("wide", normal(0, 5), more, "iid", True),
            ("wide, Sobol", normal(0, 4), 4096, "sobol", True),
            ("Student, Sobol", student(0, 3), 4096, "sobol", True),
            ("narrow", normal(0, 0.8), 1000, "iid", False),
            ("at the other", normal(6, 1), 4096, "iid", False),
        ):
            add = independent(law, draws, method)
            found.append(
                Mixture(f"mixture N={n}, {label}", gaussian, gaussian_log_z, x,
                        lambda seed, add=add: (add(seed),), grid, reaches, 6.0)
            )  # fmt: skip
        for label, law, twin, reaches in (
            ("both", normal(0, 4), normal(6, 2), True),
            ("one for both", normal(3, 6), normal(3, 6), True),
            ("second narrow", normal(0, 4), normal(6, 0.4), False),
            ("second missed", normal(0, 4), normal(16, 1), False),
        ):
            pair = independent(law, 4096, "sobol"), independent(twin, 4096, "sobol")
            found.append(
                Mixture(f"two energies N={n}, {label}", gaussian, gaussian_log_z, x,
                        lambda seed, pair=pair: tuple(q(seed + k) for k, q in enumerate(pair)),
                        grid, reaches, 6.0, pair[1])
            )  # fmt: skip
    return found


def regressions(rng) -> list[Setup]:
    """A coefficient of the log scale of a Gaussian, with a covariate of nine values."""
    found = []
    for n in (10, 30, 100, 300, 1000):
        z = rng.choice(np.linspace(-1, 1, 9), n)
        x = rng.normal(0, np.exp(0.7 * z))
        width = 1 / np.sqrt(2 * (z**2).sum())
        grid = np.linspace(0.7 - 6 * width, 0.7 + 6 * width, GRID)
        for label, law, draws, method, reaches in (
            ("wide", normal(0, 3), 16_384, "iid", True),
            ("wide, Sobol", normal(0, 3), 4096, "sobol", True),
            ("Student, Sobol", student(0, 2), 4096, "sobol", True),
            ("narrow", normal(0, 0.6), 1000, "iid", False),
            ("few draws", normal(0, 3), 100, "iid", True),
        ):
            found.append(
                Regression(f"regression N={n}, {label}", gaussian, gaussian_log_z, x,
                           independent(law, draws, method), grid, reaches, z)
            )  # fmt: skip
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
