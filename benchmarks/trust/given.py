"""Set-ups with draws that somebody else made, and with exact rules."""

import itertools

import numpy as np
import pytensor.tensor as pt
from scipy import signal, special, stats

import pymc_ebm as ebm
from benchmarks.trust import laws
from benchmarks.trust.laws import Law
from benchmarks.trust.references import fixed, plain
from benchmarks.trust.setups import setup

SIZES = (40, 200, 2000)
GIVEN = "given draws, dependent or with a wrong density"


def gaussian_by(rng, n, points, sd):
    """A scale by draws that a function of a generator makes, in units of the scale."""
    s = rng.uniform(0.5, 3)
    q = stats.norm(0, sd).logpdf

    def reference(seed):
        y = points(np.random.default_rng(seed))
        return ebm.reference.from_draws(s * y, lambda x: q(x / s) - np.log(s))

    data = laws.gaussian.draw(rng, s, n)
    return plain(laws.gaussian, data, reference, 0.1 * s, 10 * s)


@setup(GIVEN, *SIZES)
def draws_tiled_16_times(rng, n):
    points = lambda g: np.tile(g.normal(0, 1.5, 512), 16)
    return gaussian_by(rng, n, points, 1.5)


@setup(GIVEN, *SIZES)
def an_autoregressive_series(rng, n):
    phi = rng.uniform(0.9, 0.99)

    def points(g):
        noise = g.normal(size=9000) * 1.5 * np.sqrt(1 - phi**2)
        return signal.lfilter([1], [1, -phi], noise)[1000:]

    return gaussian_by(rng, n, points, 1.5)


@setup(GIVEN, *SIZES)
def a_metropolis_chain_with_repeats(rng, n):
    width = rng.uniform(3, 8)

    def points(g):
        x, found = 0.0, np.empty(8000)
        steps, u = width * g.normal(size=8000), np.log(g.random(8000))
        for i in range(8000):
            y = x + steps[i]
            x = y if u[i] < (x**2 - y**2) / (2 * 1.5**2) else x
            found[i] = x
        return found

    return gaussian_by(rng, n, points, 1.5)


@setup(GIVEN, *SIZES)
def sound_draws_in_order_of_size(rng, n):
    return gaussian_by(rng, n, lambda g: np.sort(g.normal(0, 1.5, max(60 * n, 16_384))), 1.5)


@setup(GIVEN, *SIZES)
def a_density_of_another_width(rng, n):
    own = rng.uniform(1.8, 2.5)
    return gaussian_by(rng, n, lambda g: g.normal(0, own, 8192), 1.5)


@setup(GIVEN, *SIZES)
def strata_of_a_law(rng, n):
    points = lambda g: stats.norm(0, 1.5).ppf((np.arange(8192) + g.random(8192)) / 8192)
    return gaussian_by(rng, n, points, 1.5)


@setup(GIVEN, 40, 200)
def survivors_of_a_selection(rng, n):
    """Seen above a limit alone, with the number of draws that were made."""
    limit, m = rng.uniform(-0.5, 1), rng.uniform(0, 1.5)
    log_norm = np.log(laws.ROOT)
    law = Law(
        lambda x, m: (x - m) ** 2 / 2 + log_norm,
        lambda m: special.log_ndtr(m - limit),
        lambda rng, m, n: stats.truncnorm.rvs(limit - m, np.inf, m, 1, n, random_state=rng),
    )

    def reference(seed):
        q = stats.norm(0.5, 2)
        y = q.rvs(2**16, random_state=seed)
        kept = y[y > limit]
        return ebm.reference.from_draws(kept, q.logpdf, len(y), support=(limit, np.inf))

    return plain(law, law.draw(rng, m, n), reference, m - 8, m + 8)


RULES = "exact rules, with holes and without"


@setup(RULES, 50, 500)
def a_mode_beyond_the_box(rng, n):
    law = laws.two_wells(rng.uniform(25, 40), 0.5)
    data = law.draw(rng, 9.0, n)
    data = np.where(data > 12, 0.1, data)
    return plain(law, data, fixed(ebm.reference.quadrature(-12, 12)), -4, 12)


@setup(RULES, *SIZES)
def a_box_as_wide_as_the_data(rng, n):
    s = rng.uniform(0.5, 3)
    data = laws.gaussian.draw(rng, s, n)
    end = np.abs(data).max() * rng.uniform(1.001, 1.2)
    return plain(laws.gaussian, data, fixed(ebm.reference.quadrature(-end, end)), 0.1 * s, 10 * s)


@setup(RULES, *SIZES)
def a_box_that_cuts_off_next_to_nothing(rng, n):
    s = rng.uniform(0.8, 1.6)
    data = laws.gaussian.draw(rng, s, n)
    return plain(laws.gaussian, data, fixed(ebm.reference.quadrature(-14, 18)), 0.1 * s, 10 * s)


@setup(RULES, *SIZES)
def the_whole_line(rng, n):
    m = rng.uniform(-2, 2)
    q = fixed(ebm.reference.quadrature(-np.inf, np.inf))
    return plain(laws.location, laws.location.draw(rng, m, n), q, m - 9, m + 9)


@setup(RULES, 40, 200)
def the_whole_line_far_from_the_data(rng, n):
    m = rng.uniform(200, 2000)
    q = fixed(ebm.reference.quadrature(-np.inf, np.inf))
    return plain(laws.location, laws.location.draw(rng, m, n), q, m - 9, m + 9)


@setup(RULES, *SIZES)
def counts_whose_range_ends_early(rng, n):
    b = rng.uniform(0.5, 2)
    data = laws.counts.draw(rng, b, n)
    q = fixed(ebm.reference.enumeration(range(data.max() + int(rng.integers(1, 3)))))
    return plain(laws.counts, data, q, b - 4, b + 4)


@setup(RULES, *SIZES)
def counts_over_a_range_that_covers(rng, n):
    b = rng.uniform(0.5, 2)
    q = fixed(ebm.reference.enumeration(range(200)))
    return plain(laws.counts, laws.counts.draw(rng, b, n), q, b - 3, b + 3)


@setup(RULES, 40, 200)
def even_counts_that_end_at_an_odd_one(rng, n):
    x = np.arange(0, 800, 2)
    law = Law(
        lambda x, m: pt.switch(pt.eq(x % 2, 0), (x - m) ** 2 / 200.0, np.inf),
        lambda m: special.logsumexp(-((x - np.asarray(m)[:, None]) ** 2) / 200.0, axis=1),
        lambda rng, m, n: 2 * np.clip(np.round(rng.normal(m / 2, 4, n)), 0, 12).astype(int),
        lambda x, m: (x - m) ** 2 / 200.0,
    )
    q = fixed(ebm.reference.enumeration(range(26)))
    return plain(law, law.draw(rng, rng.uniform(12, 20), n), q, -100, 160)


@setup(RULES, 40, 200)
def a_range_with_a_hole(rng, n):
    b = rng.uniform(1, 2)
    data = laws.counts.draw(rng, b, n)
    hole = int(np.exp(b)) + int(rng.integers(0, 3))
    data = data[data != hole]
    q = fixed(ebm.reference.enumeration([k for k in range(100) if k != hole]))
    return plain(laws.counts, data, q, b - 3, b + 3)


@setup(RULES, 40, 200)
def a_list_of_states_that_is_all(rng, n):
    states = np.array(list(itertools.product([0, 1], repeat=8)))
    total = states.sum(1)
    law = Law(
        lambda x, b: -b * x.sum(-1) + 0.1 * x.sum(-1) ** 2,
        lambda b: special.logsumexp(np.outer(b, total) - 0.1 * total**2, axis=1),
        lambda rng, b, n: states[rng.choice(256, n, p=special.softmax(b * total - 0.1 * total**2))],
    )
    q = fixed(ebm.reference.enumeration(states, complete=True))
    return plain(law, law.draw(rng, rng.uniform(-0.5, 1.5), n), q, -6, 7)
