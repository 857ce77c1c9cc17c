"""Set-ups of sums, rows, vectors and other spaces, written as those of `unseen`."""

import itertools

import numpy as np
import pytensor.tensor as pt
from scipy import special, stats

import pymc_ebm as ebm
from benchmarks.trust import laws
from benchmarks.trust.case import axis, on_grid
from benchmarks.trust.references import default, fixed, plain
from benchmarks.trust.unseen import HALF, grid, law, made, unseen

SUMS = "sums with states missing"


def summed(spelt, states):
    """Over all states, with draws by their probabilities."""
    energies = lambda t: spelt(np, states, t)

    def draw(rng, t, n):
        return states[rng.choice(len(states), n, p=special.softmax(-energies(t)))]

    log_z = lambda t: np.array([special.logsumexp(-energies(v)) for v in np.ravel(t)])
    return law(spelt, log_z, draw)


BITS = np.array(list(itertools.product([0, 1], repeat=6)))


@unseen(SUMS, "all", "even")
def six_bits(rng, what):
    which = summed(lambda xp, x, t: -t * x.sum(-1), BITS)
    data = which.draw(rng, rng.uniform(1, 2.5), 40)
    some = BITS if what == "all" else BITS[BITS.sum(axis=1) % 2 == 0]
    return plain(which, data, grid(some, 64 / len(some)), -3, 8, support=(0, 1))


@unseen(SUMS, "default", "those that data have", "twice as far")
def counts_up_to(rng, what):
    b = rng.uniform(0, 2.5)
    data = laws.counts.draw(rng, b, 30)
    seen = np.unique(data) if what == "those that data have" else np.arange(2 * data.max() + 2)
    q = default if what == "default" else fixed(ebm.reference.enumeration(seen))
    return plain(laws.counts, data, q, b - 3, b + 3, support=HALF)


@unseen(SUMS, 40, 400)
def more_zeros_than_counts_have(rng, n):
    rate = rng.uniform(0.5, 6)
    spelt = lambda xp, x, h: (
        (special if xp is np else pt).gammaln(x + 1.0) - x * np.log(rate) - h * (x < 1)
    )
    which = summed(spelt, np.arange(200))
    return plain(which, which.draw(rng, rng.uniform(-1, 3), n), default, -9, 9, support=HALF)


def zeta(rng, s, reference):
    """The exponent of a power law of counts."""
    which = law(
        lambda xp, x, s: s * xp.log1p(x),
        lambda s: np.log(special.zeta(s)),
        lambda rng, s, n: stats.zipf(s).rvs(n, random_state=rng) - 1,
    )
    data = which.draw(rng, s, 200)
    return plain(which, data, reference, 1.1, 9, support=HALF)


@unseen(SUMS, "heavy", "light")
def a_power_law_cut_at_2000(rng, tail):
    s = rng.uniform(1.5, 1.8) if tail == "heavy" else rng.uniform(4, 5)
    return zeta(rng, s, fixed(ebm.reference.enumeration(np.arange(2000))))


@unseen(SUMS, "heavy", "light")
def a_power_law_of_counts_by_default(rng, tail):
    return zeta(rng, rng.uniform(1.5, 1.8) if tail == "heavy" else rng.uniform(4, 5), default)


@unseen(SUMS, "listed", "left out", "by default")
def a_rare_category(rng, what):
    score, worth = np.r_[np.linspace(0, 1, 7), 6], np.r_[np.zeros(7), -9]
    place = lambda xp, of, x: of[x] if xp is np else pt.constant(of)[x]
    spelt = lambda xp, x, t: -t * place(xp, score, x) - place(xp, worth, x)
    which = summed(spelt, np.arange(8))
    data = which.draw(rng, rng.uniform(-1, 0.5), 60)
    data = data[data < 7]
    all_ = ebm.reference.enumeration(np.arange(8), complete=True)
    q = {"listed": fixed(all_), "left out": grid(np.arange(7)), "by default": default}[what]
    return plain(which, data, q, -12, 6, support=(0, 7))


SPINS = 2 * np.array(list(itertools.product([0, 1], repeat=16))).reshape(-1, 4, 4) - 1
BONDS = sum((SPINS * np.roll(SPINS, 1, axis)).sum((1, 2)) for axis in (1, 2))


def spins(rng, of_data, of_draws, statistic, energy, low, high):
    """A 4 × 4 lattice with independent draws at another parameter, None for the default."""
    counts = np.unique(statistic, return_counts=True)
    p = lambda t, rest: special.softmax(t * statistic + rest)
    rest = 0.0 if low >= 0 else 0.5 * BONDS
    log_z = lambda t: np.array([special.logsumexp(v * statistic + rest) for v in np.ravel(t)])
    if low >= 0:
        log_z = lambda t: special.logsumexp(np.outer(t, counts[0]), b=counts[1], axis=1)
    data = SPINS[rng.choice(len(SPINS), 15, p=p(of_data, rest))]
    total = lambda t: t * statistic[_which(data)].sum() - len(data) * log_z(t)
    places = axis(total, low, high, 61)

    def make(rng):
        draws = SPINS[rng.choice(len(SPINS), 4000, p=p(of_draws, rest))].reshape(4, 1000, 4, 4)
        return ebm.reference.chain(energy, of_draws, draws=draws, support=(-1, 1))

    def observe(q, t):
        ebm.EBM("x", t, energy=energy, reference=q, observed=data, progressbar=False)

    reference = default if of_draws is None else made(make)
    return on_grid({"t": places}, total(places), observe, reference)


def _which(data):
    return ((data.reshape(-1, 16) > 0) * 2 ** np.arange(15, -1, -1)).sum(axis=1)


@unseen(SUMS, 0.35, 0.1, 0.7, None)
def lattices_with_draws_at_a_coupling(rng, at):
    return spins(rng, rng.uniform(0.35, 0.5), at, BONDS, ebm.energies.ising, 0.0, 2.0)


@unseen(SUMS, 0.0, 0.5)
def lattices_with_draws_at_a_field(rng, at):
    energy = lambda s, h: ebm.energies.ising(s, 0.5, h)
    return spins(rng, rng.uniform(-0.05, 0.05), at, SPINS.sum((1, 2)), energy, -1.0, 1.0)


@unseen(SUMS, "default", 250, 30)
def networks_of_five_nodes(rng, drawn):
    graphs = np.array(list(itertools.product([0, 1], repeat=10)))
    place = {pair: i for i, pair in enumerate(itertools.combinations(range(5), 2))}
    of = [
        [place[a, b], place[b, c], place[a, c]] for a, b, c in itertools.combinations(range(5), 3)
    ]
    spelt = lambda xp, x, t: -t * x[..., np.array(of)].prod(-1).sum(-1) + 0.5 * x.sum(-1)
    which = summed(spelt, graphs)
    make = lambda rng: ebm.reference.Reference(
        graphs[rng.choice(1024, drawn, replace=False)],
        np.full(drawn, np.log(1024 / drawn)),
        np.arange(drawn),
        support=(0, 1),
    )
    data = which.draw(rng, rng.uniform(-0.5, 0.6), 30)
    return plain(which, data, default if drawn == "default" else made(make), -6, 6)


SPACES = "circles, shares and orders"


@unseen(SPACES, "default", "uniform")
def shares_of_three(rng, what):
    which = law(
        lambda xp, x, t: -(t - 1) * xp.log(x).sum(-1),
        lambda t: 3 * special.gammaln(t) - special.gammaln(3 * t),
        lambda rng, t, n: rng.dirichlet([t, t, t], n),
    )
    t = np.exp(rng.uniform(np.log(0.4), np.log(200)))
    make = lambda seed: ebm.reference.uniform(ebm.space.simplex(3), 4096, random_seed=seed)
    q = default if what == "default" else make
    return plain(which, which.draw(rng, t, 40), q, 0.05, 20 * t, support="simplex")


@unseen(SPACES, "default, 3", "uniform, 3", "default, 6")
def directions(rng, what):
    d = int(what[-1])
    log_z = lambda k: np.log(special.ive(d / 2 - 1, k)) + k - (d / 2 - 1) * np.log(k) + (
        d / 2 * np.log(2 * np.pi)
    )  # fmt: skip
    draw = lambda rng, k, n: stats.vonmises_fisher(np.eye(d)[0], k).rvs(n, random_state=rng)
    which = law(lambda xp, x, k: -k * x[..., 0], log_z, draw)
    k = np.exp(rng.uniform(0, np.log(300)))
    make = lambda seed: ebm.reference.uniform(ebm.space.sphere(d), 4096, random_seed=seed)
    q = default if what[0] == "d" else make
    return plain(which, which.draw(rng, k, 40), q, 0.01, 20 * k, support="sphere")


@unseen(SPACES, 2, 4)
def angles_that_follow_one_another(rng, d):
    which = law(
        lambda xp, x, k: -k * xp.cos(x[..., 1:] - x[..., :-1]).sum(-1),
        lambda k: d * np.log(2 * np.pi) + (d - 1) * np.log(special.i0(k)),
        lambda rng, k, n: (
            (
                np.cumsum(
                    np.c_[rng.uniform(-np.pi, np.pi, n), rng.vonmises(0, k, (n, d - 1))], axis=1
                )
                + np.pi
            )
            % (2 * np.pi)
            - np.pi
        ),
    )
    return plain(which, which.draw(rng, rng.uniform(0.5, 4), 40), default, 0.01, 60,
                 support="circle")  # fmt: skip


@unseen(SPACES, "default", "those that begin with 5 left out", "twelve, uniform")
def orders(rng, what):
    n = 12 if what[:2] == "tw" else 5
    i = np.arange(1, n + 1)
    pairs = np.triu(np.ones((n, n)), 1)
    spelt = lambda xp, x, a: a * ((x[..., :, None] > x[..., None, :]) * pairs).sum((-2, -1))
    log_z = lambda a: (np.log(-np.expm1(-np.outer(a, i))) - np.log(-np.expm1(-a))[:, None]).sum(1)

    def draw(rng, a, size):
        chosen = []
        for _ in range(size):
            items = []
            for k in range(n):  # item k before `back` of those that come after it
                back = rng.choice(k + 1, p=special.softmax(-a * np.arange(k + 1)))
                items.insert(k - back, k)
            chosen.append(np.argsort(items) + 1)
        return np.array(chosen)

    which = law(spelt, log_z, draw)
    a = rng.uniform(0.1, 1.5)
    all_ = np.array(list(itertools.permutations(range(1, 6)))) if n == 5 else None
    uniform = lambda seed: ebm.reference.uniform(ebm.space.permutations(12), 2048, random_seed=seed)
    data = which.draw(rng, a, 25)
    q = {"d": lambda: default, "t": lambda: grid(all_[all_[:, 0] < 5])}[what[0]]
    return plain(which, data, uniform if n == 12 else q(), 0.001, 8, support="permutations")


@unseen(SPACES, 1.0)
def patterns_of_which_the_number_counts(rng, size):
    k = np.arange(60)
    log_p = lambda t: -8 + k * np.log(8.0) - special.gammaln(k + 1.0) + t * k - size * k**2 / 40
    draw = lambda rng, t, n: rng.choice(k, n, p=special.softmax(log_p(t)))
    t = rng.uniform(-0.5, 1)
    numbers = draw(rng, t, 30)
    data = ebm.space.pack([rng.uniform(0, 8, (m, 1)) for m in numbers], most=60)
    total = lambda t: np.array(
        [v * numbers.sum() - 30 * special.logsumexp(log_p(v)) for v in np.ravel(t)]
    )
    places = axis(total, t - 4, t + 4)
    energy = lambda x, t: -t * x[..., 1].sum(-1) + size * x[..., 1].sum(-1) ** 2 / 40

    def observe(q, t):
        ebm.EBM("x", t, energy=energy, reference=q, observed=data, progressbar=False,
                support=ebm.space.points([(0, 8)], most=60))  # fmt: skip

    return on_grid({"t": places}, total(places), observe, default)
