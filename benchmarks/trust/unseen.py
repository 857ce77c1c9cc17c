"""Set-ups that were written after the second estimate was finished, to judge it by."""

from functools import partial

import numpy as np
import pytensor.tensor as pt
from scipy import special, stats

import pymc_ebm as ebm
from benchmarks.trust import laws, vectors
from benchmarks.trust.laws import ROOT, Law, by_inversion, by_quadrature
from benchmarks.trust.references import default, fixed, iid, normal, plain
from benchmarks.trust.setups import UNSEEN, setup

unseen = partial(setup, on=UNSEEN)
HALF = (0, np.inf)


def law(spelt, log_z, draw):
    """An energy that is written once for PyTensor and for NumPy."""
    return Law(lambda x, t: spelt(pt, x, t), log_z, draw, lambda x, t: spelt(np, x, t))


def integrated(spelt, low, high):
    """With SciPy's quadrature and draws by inversion."""
    arrays = lambda x, t: spelt(np, x, t)
    return law(spelt, by_quadrature(arrays, low, high), by_inversion(arrays, low, high))


def made(make):
    """A reference by a generator of the seed's."""
    return lambda seed: make(np.random.default_rng(seed))


def grid(points, weights=1.0):
    """A rule of one's own."""
    points = np.asarray(points)
    log_weights = np.log(weights * np.ones(len(points)))
    return fixed(ebm.reference.Reference(points, log_weights, np.arange(len(points)), exact=True))


LINE = "a line, by default"
GUMBEL = law(lambda xp, x, s: x / s + xp.exp(-x / s), np.log, lambda rng, s, n: rng.gumbel(0, s, n))
ON_THE_LINE = {
    "Gumbel": GUMBEL,
    "secant": law(
        lambda xp, x, s: xp.logaddexp(x / s, -x / s) - np.log(2),
        lambda s: np.log(np.pi * s),
        lambda rng, s, n: stats.hypsecant(scale=s).rvs(n, random_state=rng),
    ),
    "power": law(
        lambda xp, x, p: xp.abs(x) ** p,
        lambda p: np.log(2) + special.gammaln(1 + 1 / p),
        lambda rng, p, n: stats.gennorm(p).rvs(n, random_state=rng),
    ),
    "detected": integrated(
        lambda xp, x, t: (x - t) ** 2 / 2 + xp.log1p(xp.exp(3 * (1 - x))), -12, 15
    ),
    "freedom": laws.student_freedom,
}
ON_THE_HALF_LINE = {
    "Weibull": law(
        lambda xp, x, k: x**k - (k - 1) * xp.log(x),
        lambda k: -np.log(k),
        lambda rng, k, n: rng.weibull(k, n),
    ),
    "Lomax": law(
        lambda xp, x, a: (a + 1) * xp.log1p(x),
        lambda a: -np.log(a),
        lambda rng, a, n: rng.pareto(a, n),
    ),
    "Lévy": law(
        lambda xp, x, c: c / (2 * x) + 1.5 * xp.log(x),
        lambda c: np.log(ROOT) - np.log(c) / 2,
        lambda rng, c, n: c / rng.normal(size=n) ** 2,
    ),
    "log-normal": law(
        lambda xp, x, s: xp.log(x) + xp.log(x) ** 2 / (2 * s**2),
        lambda s: np.log(ROOT * s),
        lambda rng, s, n: rng.lognormal(0, s, n),
    ),
}


@unseen(LINE, *ON_THE_LINE)
def a_law_of_the_line(rng, name):
    t, which = rng.uniform(0.7, 2.5), ON_THE_LINE[name]
    data = which.draw(rng, t, rng.choice([30, 200, 1000]))
    return plain(which, data, default, 0.1, 20, support="real")


@unseen(LINE, *ON_THE_HALF_LINE)
def a_law_of_the_half_line(rng, name):
    t, which = rng.uniform(0.6, 2), ON_THE_HALF_LINE[name]
    data = which.draw(rng, t, rng.choice([30, 200, 1000]))
    return plain(which, data, default, 0.02, 20, support=HALF)


@unseen(LINE, 40, 400)
def data_rounded_to_halves(rng, n):
    data = np.round(2 * GUMBEL.draw(rng, rng.uniform(1, 3), n)) / 2
    return plain(GUMBEL, data, default, 0.1, 20, support="real")


@unseen(LINE, 40, 400)
def log_normals_that_begin_at_the_parameter(rng, n):
    end, s = rng.uniform(-2, 2), rng.uniform(0.3, 0.7)
    spelt = lambda xp, x, t: xp.log(x - t) + xp.log(x - t) ** 2 / (2 * s**2)
    which = law(spelt, laws.constant(np.log(ROOT * s)), None)
    data, support = end + rng.lognormal(0, s, n), lambda t: (t, np.inf)
    return plain(which, data, default, end - 5, data.min() - 1e-6, support=support)


@unseen(LINE, 40, 400)
def both_ends_at_the_parameter(rng, n):
    spelt = lambda xp, x, t: -2 * xp.log1p(-((x / t) ** 2))
    which = law(spelt, lambda t: np.log(16 * t / 15), None)
    data = rng.uniform(0.5, 5) * (2 * rng.beta(3, 3, n) - 1)
    widest, support = np.abs(data).max(), lambda t: (-t, t)
    return plain(which, data, default, widest * (1 + 1e-6), 6 * widest, support=support)


GIVEN = "draws that somebody made"
given = ebm.reference.from_draws


def gaussian(rng, n, reference, low=0.7, high=1.5):
    """The scale s of a normal; ``reference(s, data)``."""
    s = rng.uniform(low, high)
    data = laws.gaussian.draw(rng, s, n)
    return plain(laws.gaussian, data, reference(s, data), 0.1 * s, 10 * s)


@unseen(GIVEN, "kept", "forgotten")
def the_jacobian_of_a_logarithm(rng, what):
    a, n = rng.uniform(2, 6), rng.choice([20, 100])

    def make(rng):
        q = stats.norm(np.log(a), 0.8)
        z = q.rvs(20_000, random_state=rng)
        log_q = q.logpdf(z) - (z if what == "kept" else 0)
        return given(np.exp(z), log_q, support=HALF)

    return plain(laws.gamma, laws.gamma.draw(rng, a, n), made(make), 1.05, 5 * a)


@unseen(GIVEN, 2.0, 1.6, 3.0)
def the_density_of_another_width(rng, told):
    draws = lambda rng: 2 * rng.normal(size=20_000)
    make = lambda rng: given(y := draws(rng), stats.norm(0, told).logpdf(y))
    return gaussian(rng, 60, lambda s, x: made(make), 0.7, 1.1)


@unseen(GIVEN, 0.7, 1.8)
def weights_are_clipped(rng, width):
    def make(s, rng):
        q = stats.norm(0, width * s)
        y = q.rvs(20_000, random_state=rng)
        a = -q.logpdf(y) - np.log(len(y))
        return ebm.reference.Reference(y, np.minimum(a, np.quantile(a, 0.95)), np.arange(len(y)))

    return gaussian(rng, 60, lambda s, x: made(partial(make, s)))


@unseen(GIVEN, "in order", "shuffled", "thinned")
def a_slow_chain(rng, what):
    def make(s, rng):
        z, y = rng.normal(), np.empty(40_000)
        for i, step in enumerate(rng.normal(size=len(y))):
            z = 0.997 * z + np.sqrt(1 - 0.997**2) * step
            y[i] = 1.5 * s * z
        y = {"in order": y[:4000], "shuffled": rng.permutation(y[:4000]), "thinned": y[::10]}[what]
        return given(y, stats.norm(0, 1.5 * s).logpdf)

    return gaussian(rng, 100, lambda s, x: made(partial(make, s)))


@unseen(GIVEN, "mirrored", "Halton", "log to base ten", "with a level")
def points_of_a_right_law(rng, what):
    def make(s, rng):
        q = stats.norm(0.3 * s, 2 * s)
        u = rng.random(10_000)
        if what == "Halton":
            u = stats.qmc.Halton(1, rng=rng).random(20_000).ravel()
        y = q.ppf(np.r_[u, 1 - u] if what == "mirrored" else u)
        log_q = q.logpdf(y) / (np.log(10) if what == "log to base ten" else 1)
        return given(y, log_q + 3, log_partition=(3.0, 0.01) if what == "with a level" else 3.0)

    return gaussian(rng, 100, lambda s, x: made(partial(make, s)))


@unseen(GIVEN, 1.5, 6.0)
def a_law_cut_off(rng, end):
    q = lambda s: stats.truncnorm(-end / 2, end / 2, 0, 2 * s)
    make = lambda s, rng: given(q(s).rvs(20_000, random_state=rng), q(s).logpdf)
    return gaussian(rng, 60, lambda s, x: made(partial(make, s)))


@unseen(GIVEN, 0.1, 0.5)
def rounded_draws(rng, step):
    def make(s, rng):
        y = step * s * np.round(rng.normal(0, 2, 20_000) / step)
        return given(y, stats.norm(0, 2 * s).logpdf)

    return gaussian(rng, 60, lambda s, x: made(partial(make, s)))


@unseen(GIVEN, 100, 10_000)
def resampled_from_so_many(rng, few):
    make = lambda s, rng: given(rng.choice(rng.normal(0, 2 * s, few), 10_000),
                                stats.norm(0, 2 * s).logpdf)  # fmt: skip
    return gaussian(rng, 60, lambda s, x: made(partial(make, s)))


@unseen(GIVEN, 30, 300)
def a_kernel_estimate_of_the_data(rng, n):
    def make(data, rng):
        q = stats.gaussian_kde(data)
        return given(q.resample(16_000, rng)[0], q.logpdf)

    return gaussian(rng, n, lambda s, x: made(partial(make, x)))


@unseen(GIVEN, "all", "the middle")
def a_normal_fitted_to(rng, what):
    which, s = laws.student(2.5), rng.uniform(0.5, 3)
    data = which.draw(rng, s, 100)
    some = data if what == "all" else np.sort(data)[10:-10]
    return plain(which, data, iid(normal(some.mean(), 1.2 * some.std())), 0.2 * s, 5 * s)


@unseen(GIVEN, "both", "one")
def wells_in_the_draws(rng, what):
    which = integrated(lambda xp, x, t: (x**2 - 9) ** 2 / 20 - t * x, -8, 8)
    data = which.draw(rng, rng.normal(0, 0.15), 60)

    def make(rng):
        sides = rng.choice([-3, 3], 20_000) if what == "both" else -3
        y = rng.normal(sides, 1.2, 20_000)
        q = lambda x: np.logaddexp(*stats.norm([[-3], [3]], 1.2).logpdf(x)) - np.log(2)
        return given(y, q(y))

    return plain(which, data, made(make), -2, 2)


@unseen(GIVEN, 300, 20_000)
def found_above_a_threshold(rng, total):
    low, t = 1.0, rng.uniform(-1, 1)
    which = laws.truncated_normal(low, np.inf)

    def make(rng):
        y = rng.normal(0, 1.5, total)
        return given(y[y > low], stats.norm(0, 1.5).logpdf, total, support=(low, np.inf))

    return plain(which, which.draw(rng, t, 50), made(make), t - 5, t + 5)


RULES = "rules with nodes too few"


@unseen(RULES, 0.01, 0.3)
def a_spike_among_nodes(rng, step):
    centre, width = rng.uniform(-1, 1), 0.04
    spelt = lambda xp, x, h: (
        -xp.logaddexp(-(x**2) / 2, h - np.log(width) - (x - centre) ** 2 / (2 * width**2))
    )
    draw = lambda rng, h, n: np.where(
        rng.random(n) < special.expit(h), rng.normal(centre, width, n), rng.normal(size=n)
    )
    which = law(spelt, lambda h: np.log(ROOT) + np.log1p(np.exp(h)), draw)
    data = which.draw(rng, rng.uniform(-1, 1), 100)
    nodes = np.arange(-12, 12, step) + step * rng.random()
    return plain(which, data, grid(nodes, step), -8, 8)


@unseen(RULES, 20, 1)
def nodes_for_each_period(rng, nodes):
    which = integrated(lambda xp, x, t: x**2 / 8 + t * xp.cos(4 * np.pi * x), -15, 15)
    data = which.draw(rng, rng.uniform(0.3, 1.5), 100)
    step = 0.5 / nodes
    return plain(which, data, grid(np.arange(-15, 15, step), step), -4, 6)


@unseen(RULES, 3, 40)
def a_box_with_this_end(rng, end):
    s = rng.uniform(0.5, 2)
    q = ebm.reference.quadrature(-6 * s, end * s, 300)
    return plain(GUMBEL, GUMBEL.draw(rng, s, 200), fixed(q), 0.3 * s, 3 * s, support="real")


@unseen(RULES, "kept", "forgotten")
def the_weight_of_Gauss_and_Hermite(rng, what):
    b = rng.uniform(-2, 2)
    x, w = np.polynomial.hermite.hermgauss(80)
    q = grid(x, w * np.exp(x**2) if what == "kept" else w)
    return plain(laws.quartic_tilted, laws.quartic_tilted.draw(rng, b, 100), q, b - 6, b + 6)


@unseen(RULES, 12, 200)
def a_half_line_of_so_many_nodes(rng, order):
    which = ON_THE_HALF_LINE["Weibull"]
    data = which.draw(rng, rng.uniform(1.5, 8), 200)
    return plain(which, data, fixed(ebm.reference.quadrature(0, np.inf, order)), 0.5, 20)


@unseen(RULES, 6, 64)
def a_circle_of_so_many_nodes(rng, order):
    k = rng.uniform(5, 40)
    q = ebm.reference.rule(ebm.space.circle().of_events(()), order)
    return plain(laws.circle, laws.circle.draw(rng, k, 50), fixed(q), 0.1, 200)


@unseen(RULES, 14, 100)
def a_square_of_so_many_nodes(rng, order):
    which = vectors.correlation()
    data = which.draw(rng, rng.uniform(0.8, 0.95), 50)
    q = ebm.reference.quadrature([-6, -6], [6, 6], order)
    return plain(which, data, fixed(q), -0.99, 0.995)
