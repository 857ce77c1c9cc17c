"""Set-ups in several dimensions, of counts, and of lattices."""

from functools import partial

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy import special

import pymc_ebm as ebm
from benchmarks.trust import vectors
from benchmarks.trust.laws import Law
from benchmarks.trust.references import default, fixed, normal, plain, sobol, student_t
from benchmarks.trust.setups import setup

PLANE = "two dimensions"


SHAPES = {
    "correlation": (vectors.correlation, (-0.9, 0.9), (-0.999, 0.999)),
    "banana": (vectors.banana, (0.5, 2), (-1, 5)),
    "ring": (lambda: vectors.ring(0.3), (2, 4), (0.5, 8)),
}


@setup(PLANE, *SHAPES)
def by_default(rng, shape):
    law, of_truth, domain = SHAPES[shape][0](), *SHAPES[shape][1:]
    return plain(law, law.draw(rng, rng.uniform(*of_truth), 100), default, *domain)


@setup(PLANE, *SHAPES)
def by_narrow_points(rng, shape):
    law, of_truth, domain = SHAPES[shape][0](), *SHAPES[shape][1:]
    data = law.draw(rng, rng.uniform(*of_truth), 100)
    law_of_points = normal(0, 0.5 * data.std(axis=0), 2)
    return plain(law, data, sobol(law_of_points), *domain)


@setup(PLANE, *SHAPES)
def by_wide_points(rng, shape):
    law, of_truth, domain = SHAPES[shape][0](), *SHAPES[shape][1:]
    data = law.draw(rng, rng.uniform(*of_truth), 100)
    law_of_points = pm.StudentT.dist(nu=4, mu=data.mean(axis=0), sigma=1.5 * data.std(axis=0))
    return plain(law, data, sobol(law_of_points, 2**15), *domain)


SPACE = "three to twenty dimensions"


@setup(SPACE, *((d, r) for d in (3, 5, 8) for r in (0.0, 0.7)))
def scales_of_vectors_by_wide_points(rng, variant):
    d, r = variant
    law, s = vectors.correlated_scale(d, r), rng.uniform(0.5, 2)
    sd = s / np.sqrt(1 - r**2)
    return plain(law, law.draw(rng, s, 100), sobol(student_t(7, sd, d), 2**15), 0.2 * s, 5 * s)


@setup(SPACE, *((d, r) for d in (3, 5, 10, 20) for r in (0.3, 0.7)))
def scales_of_vectors_by_narrow_points(rng, variant):
    d, r = variant
    law, s = vectors.correlated_scale(d, r), rng.uniform(0.5, 2)
    q = sobol(normal(0, rng.uniform(0.5, 0.8) * s, d), 2**13)
    return plain(law, law.draw(rng, s, 100), q, 0.2 * s, 5 * s)


@setup(SPACE, 3, 5, 8, 20)
def products_by_default(rng, d):
    law, s = vectors.products(d), rng.uniform(0.5, 2)
    return plain(law, law.draw(rng, s, 100), default, 0.3 * s, 3 * s)


@setup(SPACE, 3, 5, 8)
def a_second_mode_with_data_that_points_miss(rng, d):
    law = vectors.crossed(d, rng.uniform(8, 12), rng.uniform(0.4, 1))
    data = law.draw(rng, rng.uniform(-1, 1), 100)
    return plain(law, data, sobol(normal(0, 1.4, d), 2**13), -8, 8)


@setup(SPACE, 3, 5, 8)
def a_second_mode_without_data_that_points_miss(rng, d):
    law = vectors.crossed(d, rng.uniform(8, 12), rng.uniform(0.4, 1))
    data = rng.normal(size=(100, d))
    return plain(law, data, sobol(normal(0, 1.4, d), 2**13), -4, 12)


@setup(SPACE, 3, 5)
def two_modes_reached(rng, d):
    law = vectors.crossed(d, 5, 1.0)
    data = law.draw(rng, rng.uniform(-1, 1), 100)
    q = sobol(normal(2.5 / np.sqrt(d), 2.2, d), 2**15)
    return plain(law, data, q, -8, 8)


@setup(SPACE, 3, 5)
def a_funnel_by_normal_points(rng, d):
    law, s = vectors.funnel(d), rng.uniform(0.8, 1.5)
    return plain(law, law.draw(rng, s, 100), sobol(normal(0, 2.5, d), 2**14), 0.3, 6)


@setup(SPACE, 3, 5, 8)
def coupled_wells_by_normal_points(rng, d):
    law, k = vectors.chain_of_wells(d), rng.uniform(0.2, 0.9)
    return plain(law, law.draw(rng, k, 100), sobol(normal(0, 1.2, d), 2**14), 0, 3)


WHOLE = "counts"


def conway(log_rate):
    """The dispersion of a Conway–Maxwell–Poisson law."""
    k = np.arange(0, 4000)
    terms = special.gammaln(k + 1.0)
    return Law(
        lambda x, nu: nu * pt.gammaln(x + 1) - log_rate * x,
        lambda nu: special.logsumexp(log_rate * k - np.outer(nu, terms), axis=1),
        lambda rng, nu, n: rng.choice(4000, n, p=special.softmax(log_rate * k - nu * terms)),
        lambda x, nu: nu * special.gammaln(x + 1.0) - log_rate * x,
    )


@setup(WHOLE, 40, 200, 2000)
def dispersion_by_default(rng, n):
    law, nu = conway(rng.uniform(0.3, 1.5)), rng.uniform(0.6, 2)
    return plain(law, law.draw(rng, nu, n), default, 0.35, 8)


@setup(WHOLE, 40, 200, 2000)
def dispersion_by_wide_draws(rng, n):
    law, nu = conway(rng.uniform(0.3, 1.5)), rng.uniform(0.6, 2)
    q = pm.NegativeBinomial.dist(mu=6, alpha=2)
    reference = lambda seed: ebm.reference.independent(q, 2**15, random_seed=seed)
    return plain(law, law.draw(rng, nu, n), reference, 0.35, 8)


@setup(WHOLE, 40, 200, 2000)
def dispersion_by_draws_too_low(rng, n):
    law, nu = conway(rng.uniform(0.8, 1.5)), rng.uniform(0.6, 1)
    q = pm.Poisson.dist(rng.uniform(0.7, 1.5))
    reference = lambda seed: ebm.reference.independent(q, 4096, random_seed=seed)
    return plain(law, law.draw(rng, nu, n), reference, 0.35, 8)


SITES = "lattices"


def spins(s, b):
    """An Ising model on a torus."""
    return -b * (s * (pt.roll(s, 1, -1) + pt.roll(s, 1, -2))).sum((-2, -1))


def torus(rows, columns):
    """Its law, by the numbers of states of each value of the statistic."""
    codes = np.arange(2 ** (rows * columns))[:, None] >> np.arange(rows * columns) & 1
    states = (2 * codes - 1).reshape(-1, rows, columns)
    of_states = (states * (np.roll(states, 1, -1) + np.roll(states, 1, -2))).sum((-2, -1))
    values, number = np.unique(of_states, return_counts=True)

    def draw(rng, b, n):
        return states[rng.choice(len(states), n, p=special.softmax(b * of_states))]

    return Law(
        spins,
        lambda b: special.logsumexp(np.outer(b, values), b=number, axis=1),
        draw,
        lambda s, b: -b * (s * (np.roll(s, 1, -1) + np.roll(s, 1, -2))).sum((-2, -1)),
    )


def gibbs_at(shape, b, draws, seed, **options):
    """Gibbs draws at a parameter, by chain and draw."""
    space = ebm.reference.enumeration([-1, 1], shape=shape, complete=True)
    return ebm.sampling.gibbs(
        spins, b, reference=space, random_seed=seed, draws=draws, progressbar=False,
        return_inferencedata=False, **options,
    )  # fmt: skip


LATTICES = ((3, 3), 20), ((3, 4), 100)


@setup(SITES, *LATTICES)
def a_chain_near_the_maximum(rng, variant):
    shape, n = variant
    law, b = torus(*shape), rng.uniform(0.1, 0.3)
    near = max(b + rng.normal() * 0.03, 0.05)
    q = lambda seed: ebm.reference.chain(spins, near, draws=gibbs_at(shape, near, 4000, seed))
    return plain(law, law.draw(rng, b, n), q, -0.5, 1.5)


@setup(SITES, *LATTICES)
def a_chain_far_off(rng, variant):
    shape, n = variant
    law, b = torus(*shape), rng.uniform(0.1, 0.3)
    far = rng.uniform(0.9, 1.2)
    q = lambda seed: ebm.reference.chain(spins, far, draws=gibbs_at(shape, far, 1000, seed))
    return plain(law, law.draw(rng, b, n), q, -0.5, 1.5)


@setup(SITES, *LATTICES)
def pooled_chains(rng, variant):
    shape, n = variant
    law, b = torus(*shape), rng.uniform(0.1, 0.3)
    data = law.draw(rng, b, n)
    space = ebm.reference.enumeration([-1, 1], shape=shape, complete=True)
    gibbs = partial(ebm.sampling.gibbs, reference=space, draws=1000)
    q = lambda seed: ebm.reference.pooled(
        spins, observed=data, start=(0.1,), sampler=gibbs, random_seed=seed, progressbar=False
    )
    return plain(law, data, q, -0.5, 1.5)


@setup(SITES, *LATTICES)
def all_states(rng, variant):
    shape, n = variant
    law = torus(*shape)
    q = fixed(ebm.reference.enumeration([-1, 1], shape=shape, complete=True))
    return plain(law, law.draw(rng, rng.uniform(0.1, 0.4), n), q, -0.5, 1.5)


@setup(SITES, *LATTICES)
def independent_spins(rng, variant):
    shape, n = variant
    law = torus(*shape)
    data = law.draw(rng, rng.uniform(0.2, 0.5), n)
    q = lambda seed: ebm.reference.fitted(data, int(rng.choice([256, 8192])), random_seed=seed)
    return plain(law, data, q, -0.5, 1.5)


@setup(SITES, *LATTICES)
def lattices_by_default(rng, variant):
    shape, n = variant
    law = torus(*shape)
    return plain(law, law.draw(rng, rng.uniform(0.1, 0.4), n), default, -0.5, 1.5)
