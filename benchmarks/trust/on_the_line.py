"""Set-ups on the line: ends, tails, modes, many data, bounds, infinite densities, few points."""

import numpy as np
import pymc as pm

import pymc_ebm as ebm
from benchmarks.trust import laws
from benchmarks.trust.references import default, fixed, iid, normal, plain, sobol, student_t
from benchmarks.trust.setups import setup

SIZES = (40, 200, 2000)

ENDS = "references that end where data end"


@setup(ENDS, *SIZES)
def normals_on_the_range_of_the_data(rng, n):
    s = rng.uniform(0.5, 3)
    data = laws.gaussian.draw(rng, s, n)
    q = sobol(pm.Uniform.dist(data.min(), data.max()))
    return plain(laws.gaussian, data, q, 0.1 * s, 10 * s)


@setup(ENDS, *SIZES)
def normals_cut_a_little_beyond_the_data(rng, n):
    s = rng.uniform(0.5, 3)
    data = laws.gaussian.draw(rng, s, n)
    end = np.abs(data).max() * rng.uniform(1.0, 1.3)
    q = iid(pm.TruncatedNormal.dist(0, 1.5 * s, lower=-end, upper=end))
    return plain(laws.gaussian, data, q, 0.1 * s, 10 * s)


@setup(ENDS, *SIZES)
def lifetimes_up_to_the_longest(rng, n):
    s = rng.uniform(0.5, 3)
    data = laws.exponential.draw(rng, s, n)
    q = sobol(pm.Uniform.dist(0, data.max()), support="positive")
    return plain(laws.exponential, data, q, 0.1 * s, 10 * s, support="positive")


@setup(ENDS, *SIZES)
def normals_on_a_range_far_wider_than_the_data(rng, n):
    s = rng.uniform(0.5, 3)
    q = sobol(pm.Uniform.dist(-9 * s, 9 * s), 2**14)
    return plain(laws.gaussian, laws.gaussian.draw(rng, s, n), q, 0.1 * s, 10 * s)


@setup(ENDS, *SIZES)
def a_box_that_is_the_space(rng, n):
    m = rng.uniform(-1, 3)
    law = laws.truncated_normal(0, 2)
    q = sobol(pm.Uniform.dist(0, 2), support=(0, 2))
    return plain(law, law.draw(rng, m, n), q, m - 20, m + 20, support=(0, 2))


TAILS = "heavy tails"


@setup(TAILS, *((nu, n) for nu in (1.5, 2.0, 3.0) for n in (100, 1000)))
def student_scale_by_default(rng, variant):
    nu, n = variant
    law, s = laws.student(nu), rng.uniform(0.5, 3)
    return plain(law, law.draw(rng, s, n), default, 0.1 * s, 10 * s)


@setup(TAILS, *((0.62, n) for n in (30, 100, 300)), *((0.75, n) for n in (30, 100)))
def normals_by_too_few_tails_under_sobol(rng, variant):
    share, n = variant
    s = rng.uniform(0.5, 3)
    q = sobol(normal(0, share * s))
    return plain(laws.gaussian, laws.gaussian.draw(rng, s, n), q, 0.1 * s, 10 * s)


@setup(TAILS, *SIZES)
def student_scale_by_normal_points(rng, n):
    law, s = laws.student(3.0), rng.uniform(0.5, 3)
    q = sobol(normal(0, 2.5 * s), 2**13)
    return plain(law, law.draw(rng, s, n), q, 0.1 * s, 10 * s)


@setup(TAILS, *SIZES)
def degrees_of_freedom_by_default(rng, n):
    nu = rng.uniform(1.2, 4)
    law = laws.student_freedom
    return plain(law, law.draw(rng, nu, n), default, 0.5, 30)


@setup(TAILS, *SIZES)
def laplace_by_student_points(rng, n):
    s = rng.uniform(0.5, 3)
    q = sobol(student_t(5, 2 * s), 2**13)
    return plain(laws.laplace, laws.laplace.draw(rng, s, n), q, 0.1 * s, 10 * s)


MODES = "narrow modes, with and without data"


@setup(MODES, *((f, n) for f in ("near", "far") for n in (50, 500)))
def a_mode_that_points_miss(rng, variant):
    where, n = variant
    law = laws.two_wells(rng.uniform(7, 10) if where == "near" else 40.0, rng.uniform(0.1, 0.5))
    data = law.draw(rng, rng.uniform(-1, 1), n)
    return plain(law, data, sobol(normal(0, 1.6)), -8, 8)


@setup(MODES, 50, 500, 5000)
def a_mode_without_data_that_points_miss(rng, n):
    law = laws.two_wells(rng.uniform(6, 30), rng.uniform(0.1, 0.5), visited=False)
    return plain(law, law.draw(rng, 0, n), sobol(normal(0, 1.6)), -4, 12)


@setup(MODES, 50, 500, 5000)
def a_mode_that_the_default_sees(rng, n):
    law = laws.two_wells(rng.uniform(5, 20), rng.uniform(0.02, 0.3))
    return plain(law, law.draw(rng, rng.uniform(-1, 1), n), default, -8, 8)


@setup(MODES, 50, 500)
def a_mode_reached_by_wide_points(rng, n):
    law = laws.two_wells(rng.uniform(4, 7), rng.uniform(0.5, 1))
    data = law.draw(rng, rng.uniform(-1, 1), n)
    return plain(law, data, sobol(normal(3, 6), 2**13), -8, 8)


@setup(MODES, 50, 500)
def a_needle_between_nodes(rng, n):
    law = laws.two_wells(rng.uniform(3, 6), 10 ** rng.uniform(-3, -2), visited=False)
    return plain(law, law.draw(rng, 0, n), fixed(ebm.reference.quadrature(-15, 15, 60)), -4, 12)


MANY = "up to a million data"


@setup(MANY, 10_000, 100_000, 1_000_000)
def a_small_mode_that_points_miss(rng, n):
    law = laws.two_wells(40.0, 0.1, share=10 ** rng.uniform(-4, -3), visited=False)
    return plain(law, law.draw(rng, 0, n), sobol(normal(0, 1.5)), -3, 3)


@setup(MANY, 10_000, 100_000, 1_000_000)
def a_scale_by_default(rng, n):
    s = rng.uniform(0.5, 3)
    return plain(laws.gaussian, laws.gaussian.draw(rng, s, n), default, 0.5 * s, 2 * s)


@setup(MANY, 10_000, 100_000)
def a_scale_by_independent_points(rng, n):
    s = rng.uniform(0.5, 3)
    q = iid(student_t(5, 1.5 * s), 2**16)
    return plain(laws.gaussian, laws.gaussian.draw(rng, s, n), q, 0.5 * s, 2 * s)


@setup(MANY, 10_000, 100_000)
def a_tilted_quartic_by_sobol_points(rng, n):
    b = rng.uniform(-2, 2)
    law = laws.quartic_tilted
    return plain(law, law.draw(rng, b, n), sobol(normal(0, 1.2), 2**13), b - 2, b + 2)


BOUNDS = "constrained data"


@setup(BOUNDS, *SIZES)
def shares_with_ends_by_default(rng, n):
    t = rng.uniform(0.5, 5)
    data = laws.exponential_on.draw(rng, t, n)
    data[:2] = 0.0, 1.0
    return plain(laws.exponential_on, data, default, -20.1, 30, support="unit")


@setup(BOUNDS, *SIZES)
def durations_with_rounded_zeros(rng, n):
    s = rng.uniform(0.5, 3)
    data = np.round(laws.exponential.draw(rng, s, n), 1)
    return plain(laws.exponential, data, default, 0.1 * s, 10 * s, support="positive")


@setup(BOUNDS, *SIZES)
def angles_on_a_circle(rng, n):
    k = rng.uniform(0.5, 8)
    q = sobol(pm.Uniform.dist(-np.pi, np.pi), support=(-np.pi, np.pi))
    data = laws.circle.draw(rng, k, n)
    return plain(laws.circle, data, q, 0, 40, support=(-np.pi, np.pi))


@setup(BOUNDS, *SIZES)
def a_truncated_normal_with_data_on_its_bounds(rng, n):
    law, m = laws.truncated_normal(-1, 2), rng.uniform(-1, 3)
    data = law.draw(rng, m, n)
    data[:2] = -1, 2
    return plain(law, data, default, m - 20, m + 20, support=(-1, 2))


@setup(BOUNDS, *SIZES)
def positive_data_by_a_law_that_ends_early(rng, n):
    s = rng.uniform(0.5, 3)
    q = sobol(pm.Exponential.dist(1 / (rng.uniform(0.3, 0.55) * s)), support="positive")
    data = laws.exponential.draw(rng, s, n)
    return plain(laws.exponential, data, q, 0.1 * s, 10 * s, support="positive")


EDGES = "densities that are infinite at a place"


@setup(EDGES, *SIZES)
def gamma_shapes_by_default(rng, n):
    a = rng.uniform(0.3, 0.9)
    data = np.maximum(laws.gamma.draw(rng, a, n), 1e-12)
    return plain(laws.gamma, data, default, 0.05, 5, support="positive")


@setup(EDGES, *SIZES)
def gamma_shapes_by_exponential_points(rng, n):
    a = rng.uniform(0.35, 0.8)
    data = np.maximum(laws.gamma.draw(rng, a, n), 1e-12)
    q = sobol(pm.Exponential.dist(0.7), 2**13, support="positive")
    return plain(laws.gamma, data, q, 0.05, 5, support="positive")


@setup(EDGES, *SIZES)
def poles_within_the_line_by_normal_points(rng, n):
    s = rng.uniform(0.5, 3)
    q = sobol(student_t(4, 2 * s), 2**13)
    return plain(laws.poles, laws.poles.draw(rng, s, n), q, 0.1 * s, 10 * s)


@setup(EDGES, *SIZES)
def arcsine_shares_by_default(rng, n):
    data = np.clip(laws.beta_half.draw(rng, rng.uniform(0.2, 4), n), 1e-12, 1 - 1e-12)
    return plain(laws.beta_half, data, default, -10.1, 20, support="unit")


@setup(EDGES, *SIZES)
def arcsine_shares_by_even_points(rng, n):
    data = np.clip(laws.beta_half.draw(rng, rng.uniform(0.2, 4), n), 1e-12, 1 - 1e-12)
    q = sobol(pm.Uniform.dist(0, 1), 2**13, support="unit")
    return plain(laws.beta_half, data, q, -10.1, 20, support="unit")


POINTS = "few and ill-placed points"


@setup(POINTS, *SIZES)
def a_shifted_law(rng, n):
    s = rng.uniform(0.5, 3)
    q = iid(normal(rng.uniform(1, 3) * s, s), 4096)
    return plain(laws.gaussian, laws.gaussian.draw(rng, s, n), q, 0.1 * s, 10 * s)


@setup(POINTS, *SIZES)
def a_narrow_law(rng, n):
    a = rng.uniform(0.5, 3)
    q = iid(normal(0, rng.uniform(0.25, 0.5) * a**-0.25), 4096)
    return plain(laws.quartic, laws.quartic.draw(rng, a, n), q, 0.1 * a, 10 * a)


@setup(POINTS, 40, 200)
def few_independent_points(rng, n):
    s = rng.uniform(0.5, 3)
    q = iid(normal(0, 2 * s), 100)
    return plain(laws.gaussian, laws.gaussian.draw(rng, s, n), q, 0.1 * s, 10 * s)


@setup(POINTS, *SIZES)
def a_wide_law(rng, n):
    a = rng.uniform(0.5, 3)
    q = iid(normal(0, 2 * a**-0.25), max(200 * n, 16_384))
    return plain(laws.quartic, laws.quartic.draw(rng, a, n), q, 0.1 * a, 10 * a)


@setup(POINTS, *SIZES)
def what_a_fit_to_the_data_gives(rng, n):
    s = rng.uniform(0.5, 3)
    data = laws.gaussian.draw(rng, s, n)
    q = lambda seed: ebm.reference.fitted(data, 4096, random_seed=seed)
    return plain(laws.gaussian, data, q, 0.1 * s, 10 * s)
