"""Set-ups of rows, two parameters and two to ten dimensions, written as those of `unseen`."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy import special

import pymc_ebm as ebm
from benchmarks.trust import laws
from benchmarks.trust.case import axis, on_grid
from benchmarks.trust.laws import ROOT
from benchmarks.trust.references import default, fixed, iid, normal, plain, sobol, student_t
from benchmarks.trust.unseen import HALF, law, unseen

ROWS = "rows of which few are far"


def regression(rng, z, of_row, draw, energy, reference, reach=3.0, **options):
    """A slope t, with parameters t z of rows; ``of_row(x, t z)`` is the exact log-likelihood."""
    t = rng.uniform(0.2, 1)
    data = draw(t * z)
    log_likelihood = lambda t: of_row(data, np.outer(t, z)).sum(axis=1)
    places = axis(log_likelihood, t - reach, t + reach)

    def observe(q, t):
        ebm.EBM("x", t * z, energy=energy, reference=q, observed=data, progressbar=False,
                **options)  # fmt: skip

    return on_grid({"t": places}, log_likelihood(places), observe, reference(data))


def covariate(rng, far, n=60):
    """Of seven values, and of a far one in two rows."""
    return np.r_[rng.choice(np.linspace(-1, 1, 7), n - 2), far, far]


@unseen(ROWS, "default", "to the largest", "draws of the bulk")
def counts_with_a_far_rate(rng, what):
    def reference(data):
        bulk = lambda seed: ebm.reference.independent(pm.Poisson.dist(1.5), 4096, random_seed=seed)
        largest = fixed(ebm.reference.enumeration(np.arange(data.max() + 1)))
        return {"d": default, "t": largest}.get(what[0]) if what[1] != "r" else bulk

    return regression(
        rng,
        covariate(rng, 4.0),
        lambda x, eta: x * eta - special.gammaln(x + 1) - np.exp(eta),
        lambda eta: rng.poisson(np.exp(eta)),
        laws.counts.energy,
        reference,
        support=HALF,
    )


@unseen(ROWS, "default", "narrow", "wide")
def means_with_a_far_row(rng, what):
    q = {"d": default, "n": sobol(normal(0, 2.5)), "w": sobol(student_t(2, 6), 2**13)}[what[0]]
    return regression(
        rng,
        covariate(rng, 12.0),
        lambda x, m: -((x - m) ** 2) / 2,
        lambda m: rng.normal(m, 1),
        laws.location.energy,
        lambda data: q,
    )


@unseen(ROWS, 40, 400)
def yes_or_no(rng, n):
    return regression(
        rng,
        covariate(rng, 5.0, n),
        lambda x, eta: x * eta - np.logaddexp(0, eta),
        lambda eta: rng.binomial(1, special.expit(eta)),
        lambda x, eta: -eta * x,
        lambda data: default,
        reach=6.0,
        support=(0, 1),
    )


@unseen(ROWS, 30)
def choices_out_of_sets(rng, n):
    sets = [rng.normal(size=(k, 1)).round(1) for k in rng.integers(2, 9, n)]
    sets = [np.unique(s, axis=0) for s in sets]
    t = rng.uniform(-1, 1)
    utilities = [s[:, 0] for s in sets]
    data = np.array([rng.choice(u, p=special.softmax(t * u)) for u in utilities])
    log_likelihood = lambda t: np.array(
        [v * data.sum() - sum(special.logsumexp(v * u) for u in utilities) for v in t]
    )
    places = axis(log_likelihood, t - 5, t + 5)
    sets = [ebm.reference.enumeration(s, complete=True) for s in sets]

    def observe(q, t):
        ebm.EBM("x", t, energy=lambda x, t: -t * x[..., 0], reference=q, observed=data[:, None],
                progressbar=False)  # fmt: skip

    return on_grid({"t": places}, log_likelihood(places), observe, fixed(ebm.reference.rows(sets)))


TWO = "two parameters, of unequal worth"


def two(bounds, log_likelihood, observe, reference):
    """Two parameters on the part of a rectangle where the exact likelihood is not nought."""
    for places in (80, 80, 41):
        axes = [np.linspace(*b, places) for b in bounds]
        values = log_likelihood(*np.meshgrid(*axes, indexing="ij"))
        best = [values.max(axis=1), values.max(axis=0)]
        near = [np.flatnonzero(b > values.max() - 22) for b in best]
        bounds = [
            (a[max(i[0] - 1, 0)], a[min(i[-1] + 1, places - 1)])
            for a, i in zip(axes, near, strict=True)
        ]
    return on_grid(dict(zip("ab", axes, strict=True)), values, observe, reference)


def of_both(energy, data, **options):
    """Puts data into a model with both parameters."""

    def observe(q, a, b):
        ebm.EBM("x", a, b, energy=energy, reference=q, observed=data, progressbar=False, **options)

    return observe


@unseen(TWO, "default", "wide", "narrow")
def groups_of_3_and_of_300(rng, what):
    group = np.repeat([0, 1], [3, 300])
    log_s = rng.normal(0, 0.7, 2)
    data = rng.normal(0, np.exp(log_s[group]))
    squares = [(data[group == g] ** 2).sum() for g in (0, 1)]

    def log_likelihood(a, b):
        return -sum(
            n * s + x * np.exp(-2 * s) / 2
            for n, s, x in zip((3, 300), (a, b), squares, strict=True)
        )

    def observe(q, a, b):
        ebm.EBM("x", pt.stack([a, b])[group], energy=lambda x, s: x**2 * pt.exp(-2 * s) / 2,
                reference=q, observed=data, progressbar=False)  # fmt: skip

    q = {"d": default, "w": sobol(student_t(1.5, 4), 2**14), "n": sobol(normal(0, 1.5))}[what[0]]
    return two([(-4, 5), (-4, 5)], log_likelihood, observe, q)


@unseen(TWO, "default", "normal", "heavy")
def freedom_and_scale(rng, what):
    nu, s = rng.uniform(1.5, 4), rng.uniform(0.5, 2)
    data = s * rng.standard_t(nu, 150)

    def log_likelihood(nu, s):
        of = lambda x: (nu + 1) / 2 * np.log1p((x / s) ** 2 / nu)
        log_z = special.gammaln(nu / 2) - special.gammaln((nu + 1) / 2) + np.log(nu) / 2
        return -sum(of(x) for x in data) - len(data) * (log_z + np.log(s))

    energy = lambda x, nu, s: (nu + 1) / 2 * pt.log1p((x / s) ** 2 / nu)
    heavy = sobol(student_t(1, s), 2**14)
    q = {"d": default, "n": iid(normal(0, 3 * s)), "h": heavy}[what[0]]
    return two([(0.5, 20), (0.1 * s, 4 * s)], log_likelihood, of_both(energy, data), q)


@unseen(TWO, 30, 300)
def shape_and_rate(rng, n):
    a, b = rng.uniform(0.6, 4), rng.uniform(0.5, 2)
    data = rng.gamma(a, 1 / b, n)
    exact = lambda a, b: (
        a * np.log(data).sum() - b * data.sum() - n * (special.gammaln(a) - a * np.log(b))
    )
    energy = lambda x, a, b: b * x - (a - 1) * pt.log(x)
    observe = of_both(energy, data, support=HALF)
    return two([(0.05, 5 * a), (0.02, 5 * b)], exact, observe, default)


@unseen(TWO, 30, 300)
def width_and_power(rng, n):
    s, p = rng.uniform(0.5, 2), rng.uniform(0.8, 3)
    data = s * (rng.gamma(1 / p, 1, n) ** (1 / p)) * rng.choice([-1, 1], n)
    exact = lambda s, p: (
        -(sum(np.abs(x / s) ** p for x in data) + n * (np.log(s) + special.gammaln(1 + 1 / p)))
    )
    energy = lambda x, s, p: pt.abs(x / s) ** p
    return two([(0.1 * s, 6 * s), (0.4, 8)], exact, of_both(energy, data), default)


VECTORS = "two to ten numbers"


@unseen(VECTORS, "default", "normal")
def freedom_of_three(rng, what):
    which = law(
        lambda xp, x, nu: (nu + 3) / 2 * xp.log1p((x**2).sum(-1) / nu),
        lambda nu: (
            special.gammaln(nu / 2) - special.gammaln((nu + 3) / 2) + 1.5 * np.log(nu * np.pi)
        ),
        lambda rng, nu, n: rng.normal(size=(n, 3)) / np.sqrt(rng.chisquare(nu, (n, 1)) / nu),
    )
    q = default if what == "default" else iid(normal(0, 2, 3))
    return plain(which, which.draw(rng, rng.uniform(1.5, 5), 100), q, 0.3, 60)


@unseen(VECTORS, "default", "2048 points", "32768 points")
def six_alike(rng, what):
    share = lambda r: r / (1 + 5 * r)
    which = law(
        lambda xp, x, r: ((x**2).sum(-1) - share(r) * x.sum(-1) ** 2) / (2 * (1 - r)),
        lambda r: 6 * np.log(ROOT) + (5 * np.log1p(-r) + np.log1p(5 * r)) / 2,
        lambda rng, r, n: (
            np.sqrt(r) * rng.normal(size=(n, 1)) + np.sqrt(1 - r) * rng.normal(size=(n, 6))
        ),
    )
    r = rng.uniform(0.1, 0.4) if what[0] == "3" else rng.uniform(0.3, 0.9)
    q = default if what == "default" else sobol(normal(0, 1.2, 6), int(what.split()[0]))
    return plain(which, which.draw(rng, r, 60), q, -0.19, 0.995)


@unseen(VECTORS, "3, default", "10, default", "10, normal")
def steps_with_a_kink(rng, what):
    d = int(what.split(",")[0])
    which = law(
        lambda xp, x, s: x[..., 0] ** 2 / 2 + xp.abs(x[..., 1:] - x[..., :-1]).sum(-1) / s,
        lambda s: np.log(ROOT) + (d - 1) * np.log(2 * s),
        lambda rng, s, n: np.cumsum(np.c_[rng.normal(size=n), rng.laplace(0, s, (n, d - 1))], 1),
    )
    s = rng.uniform(0.3, 1)
    q = default if what.endswith("default") else sobol(normal(0, 2, d), 2**14)
    return plain(which, which.draw(rng, s, 40), q, 0.1 * s, 6 * s)


@unseen(VECTORS, "3, default", "3, normal", "6, normal")
def a_thin_shell(rng, what):
    d, width, t = int(what[0]), 0.1, rng.uniform(1, 3)
    r = np.linspace(0, 40, 80_001)
    density = lambda t: r ** (d - 1) * np.exp(-((r - t) ** 2) / (2 * width**2))
    area = np.log(2) + d / 2 * np.log(np.pi) - special.gammaln(d / 2)
    log_z = lambda t: area + np.array([np.log(np.trapezoid(density(v), r)) for v in np.ravel(t)])

    def draw(rng, t, n):
        cdf = np.cumsum(density(t))
        z = rng.normal(size=(n, d))
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        return z * np.interp(rng.random((n, 1)) * cdf[-1], cdf, r)

    which = law(lambda xp, x, t: (xp.sqrt((x**2).sum(-1)) - t) ** 2 / (2 * width**2), log_z, draw)
    q = default if what.endswith("default") else iid(normal(0, t / np.sqrt(d), d), 8192)
    return plain(which, which.draw(rng, t, 30), q, 0.2, 10)


@unseen(VECTORS, "default", "exponential")
def two_in_order(rng, what):
    inside = lambda xp, x, e: (pt.switch if xp is pt else np.where)(
        x[..., 0] <= x[..., 1], e, np.inf
    )
    which = law(
        lambda xp, x, t: inside(xp, x, t * x.sum(-1)),
        lambda t: -np.log(2) - 2 * np.log(t),
        lambda rng, t, n: np.sort(rng.exponential(1 / t, (n, 2)), axis=1),
    )
    t = rng.uniform(0.5, 2)
    q = iid(pm.Exponential.dist(t / 2, shape=2), support=HALF)
    q = default if what == "default" else q
    return plain(which, which.draw(rng, t, 60), q, 0.1 * t, 6 * t, support=HALF)


@unseen(VECTORS, "default", "normal")
def a_narrow_crowd_in_a_wide_one(rng, what):
    centre, width = rng.uniform(-1.5, 1.5, 2), 0.03
    which = law(
        lambda xp, x, h: (
            -xp.logaddexp(
                -(x**2).sum(-1) / 2,
                h - 2 * np.log(width) - ((x - centre) ** 2).sum(-1) / (2 * width**2),
            )
        ),
        lambda h: np.log(2 * np.pi) + np.logaddexp(0, h),
        lambda rng, h, n: np.where(
            rng.random((n, 1)) < special.expit(h),
            rng.normal(centre, width, (n, 2)),
            rng.normal(size=(n, 2)),
        ),
    )
    q = default if what == "default" else iid(normal(0, 1.5, 2), 8192)
    return plain(which, which.draw(rng, rng.uniform(-1, 1), 80), q, -7, 7)
