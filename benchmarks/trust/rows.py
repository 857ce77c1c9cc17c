"""Set-ups with rows, mixtures, hierarchies, supports that move, and two parameters."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy import special, stats

import pymc_ebm as ebm
from benchmarks.trust import laws
from benchmarks.trust.case import Case, Posterior, axis, on_grid
from benchmarks.trust.references import default, iid, normal, plain, sobol, student_t
from benchmarks.trust.setups import setup

SIZES = (40, 200, 1000)
ROWS = "rows of unequal worth"


def regression(rng, n, reference, slope=None):
    """The log scale of a normal is t z, with a covariate of nine values."""
    t = rng.uniform(-1, 1) if slope is None else slope
    z = rng.choice(np.linspace(-1, 1, 9), n)
    data = rng.normal(0, np.exp(t * z))

    def log_likelihood(t):
        scale = np.exp(np.outer(t, z))
        return -(data**2 / (2 * scale**2) + np.log(scale)).sum(axis=1)

    grid = axis(log_likelihood, t - 3, t + 3)

    def observe(q, t):
        ebm.EBM("x", pt.exp(t * z), energy=laws.gaussian.energy, reference=q, observed=data,
                progressbar=False)  # fmt: skip

    return on_grid({"t": grid}, log_likelihood(grid), observe, reference)


@setup(ROWS, *SIZES)
def log_scales_by_wide_points(rng, n):
    return regression(rng, n, sobol(student_t(5, 3), 2**13))


@setup(ROWS, *SIZES)
def log_scales_by_narrow_points(rng, n):
    return regression(rng, n, sobol(normal(0, 0.7)))


@setup(ROWS, 40, 200)
def log_scales_by_default(rng, n):
    return regression(rng, n, default)


def two_groups(rng, n, reference, apart):
    """Half of the rows are narrow and without the parameter; the others have a far mode."""
    narrow = np.repeat([1, 0], n // 2)
    law = laws.two_wells(apart, 1.0, visited=False)
    data = rng.normal(size=len(narrow)) * np.where(narrow, 0.05, 1)
    wide = data[narrow == 0]
    log_likelihood = law.log_likelihood(wide)
    grid = axis(log_likelihood, -4, 12)

    def energy(x, h, narrow):
        return pt.switch(narrow > 0.5, x**2 / (2 * 0.05**2), law.energy(x, h))

    def observe(q, h):
        ebm.EBM("x", h, narrow.astype(float), energy=energy, reference=q, observed=data,
                progressbar=False)  # fmt: skip

    return on_grid({"h": grid}, log_likelihood(grid), observe, reference)


@setup(ROWS, *SIZES)
def the_least_effective_row_is_not_the_wrong_one(rng, n):
    return two_groups(rng, n, sobol(normal(0, 2)), rng.uniform(30, 45))


@setup(ROWS, *SIZES)
def both_groups_reached(rng, n):
    reference = sobol(student_t(3, 3), 2**14)
    return two_groups(rng, n, reference, rng.uniform(5, 8))


MIXTURES = "mixture models"


def mixture(rng, n, first, second=None):
    """Scale of a Gaussian energy in equal parts with a normal or a second energy at 6."""
    s = rng.uniform(1, 2.5)
    of_first = rng.random(n) < 0.5
    data = np.where(of_first, rng.normal(0, s, n), rng.normal(6, 1, n))

    def log_likelihood(t):
        return np.logaddexp(
            stats.norm(0, t[:, None]).logpdf(data), stats.norm(6, 1).logpdf(data)
        ).sum(axis=1)

    grid = axis(log_likelihood, 0.2 * s, 6 * s)

    def observe(q, t):
        one = ebm.EBM.dist(t, energy=laws.gaussian.energy, reference=q[0])
        other = pm.Normal.dist(6, 1)
        if second is not None:
            other = ebm.EBM.dist(6.0, energy=laws.location.energy, reference=q[1])
        pm.Mixture("x", [0.5, 0.5], [one, other], observed=data)

    reference = lambda seed: (first(seed), second and second(seed + 1))
    return on_grid({"t": grid}, log_likelihood(grid), observe, reference)


@setup(MIXTURES, *SIZES)
def wide_points(rng, n):
    return mixture(rng, n, sobol(student_t(5, 5), 2**13))


@setup(MIXTURES, *SIZES)
def narrow_points(rng, n):
    return mixture(rng, n, sobol(normal(0, rng.uniform(0.5, 1))))


@setup(MIXTURES, *SIZES)
def points_at_the_other_component(rng, n):
    return mixture(rng, n, iid(normal(6, 1), 4096))


@setup(MIXTURES, *SIZES)
def two_energies_both_reached(rng, n):
    return mixture(rng, n, sobol(normal(0, 6)), sobol(normal(6, 2)))


@setup(MIXTURES, *SIZES)
def two_energies_the_second_missed(rng, n):
    return mixture(rng, n, sobol(normal(0, 6)), sobol(normal(rng.uniform(9, 14), 1)))


@setup(MIXTURES, *SIZES)
def the_weight_of_two_scales(rng, n):
    w, wide = rng.uniform(0.2, 0.8), rng.uniform(2.5, 5)
    data = np.where(rng.random(n) < w, rng.normal(size=n), rng.normal(0, wide, n))
    parts = [stats.norm(0, s).pdf(data) for s in (1, wide)]
    log_likelihood = lambda t: np.log(np.outer(t, parts[0]) + np.outer(1 - t, parts[1])).sum(axis=1)
    grid = axis(log_likelihood, 0.001, 0.999)

    def observe(q, t):
        of = lambda s: ebm.EBM.dist(s, energy=laws.gaussian.energy, reference=q)
        pm.Mixture("x", pt.stack([t, 1 - t]), [of(1.0), of(wide)], observed=data)

    reference = sobol(student_t(5, rng.choice([1.0, 4.0])), 2**12)
    return on_grid({"t": grid}, log_likelihood(grid), observe, reference)


HIERARCHIES = "hierarchical models"


def hierarchy(rng, n, reference, groups=5, spread=0.5):
    """Log scales of groups about a common mean; all but the mean is integrated group by group.

    Given the mean μ the groups are independent, so that the posterior is an integral over a grid of
    μ of products of integrals over a grid of each log scale.
    """
    truth = rng.uniform(-0.5, 0.5) + spread * rng.normal(size=groups)
    data = np.exp(truth) * rng.normal(size=(n, groups))
    centre, squares = np.log(data.std(axis=0)), (data**2).sum(axis=0)
    theta = np.linspace(centre.min() - 2.5, centre.max() + 2.5, 801)
    mu = np.linspace(centre.mean() - 3, centre.mean() + 3, 301)
    log_z = theta + np.log(laws.ROOT)
    prior = stats.norm(mu[:, None], spread).logpdf(theta)

    def posterior(log_z, rng, n_draws):
        of_groups = -squares[:, None] / (2 * np.exp(2 * theta)) - n * log_z
        of_groups = of_groups - of_groups.max(axis=1, keepdims=True)
        joint = np.exp(prior + of_groups[:, None])  # (groups, μ, θ)
        mass = joint.sum(axis=2)
        p = special.softmax(np.log(mass).sum(axis=0))
        mean_mu = p @ mu
        means = p @ (joint @ theta / mass).T
        squares_ = p @ (joint @ theta**2 / mass).T
        sd = np.sqrt(np.r_[p @ (mu - mean_mu) ** 2, squares_ - means**2])
        rows = rng.choice(len(mu), n_draws, p=p)
        cdf = joint[:, rows].cumsum(axis=2)
        u = rng.random((groups, n_draws, 1)) * cdf[..., -1:]
        drawn = theta[(cdf < u).sum(axis=2).clip(0, len(theta) - 1)]
        jitter = rng.random(drawn.shape) - 0.5
        drawn = drawn + (theta[1] - theta[0]) * jitter
        of_mu = mu[rows] + (mu[1] - mu[0]) * (rng.random(n_draws) - 0.5)
        return Posterior(np.r_[mean_mu, means], sd, {"mu": of_mu, "theta": drawn.T})

    def build(q):
        with pm.Model() as model:
            mean = pm.Uniform("mu", mu[0], mu[-1], default_transform=None)
            scales = pm.Normal("theta", mean, spread, shape=groups)
            ebm.EBM("x", scales, energy=lambda x, t: x**2 * pt.exp(-2 * t) / 2, reference=q,
                    observed=data, progressbar=False)  # fmt: skip
        return model

    def estimated(model, rng, n_draws):
        q = model["x"].owner.op.spec.reference
        terms = q.log_weights - q.points**2 * np.exp(-2 * theta[:, None]) / 2
        return posterior(special.logsumexp(terms, axis=1), rng, n_draws)

    return Case(posterior(log_z, rng, 0), build, reference, estimated)


@setup(HIERARCHIES, 10, 40, 200)
def scales_by_wide_points(rng, n):
    return hierarchy(rng, n, sobol(student_t(4, 3), 2**13))


@setup(HIERARCHIES, 10, 40, 200)
def scales_by_narrow_points(rng, n):
    return hierarchy(rng, n, sobol(normal(0, 0.6)))


@setup(HIERARCHIES, 10, 40)
def scales_by_default(rng, n):
    return hierarchy(rng, n, default)


@setup(HIERARCHIES, 10, 40)
def scales_by_points_on_the_range_of_the_data(rng, n):
    return hierarchy(rng, n, sobol(pm.Uniform.dist(-3, 3)))


MOVING = "moving supports"


def power_law_from(rng, n, reference):
    """The lower end of a power law, where the density jumps; a posterior of width 1/N."""
    a, high, end = rng.uniform(1.5, 3), 30.0, rng.uniform(1, 3)
    law = laws.power_law(end, high)
    data = law.draw(rng, a, n)
    log_likelihood = lambda t: -n * np.log((t ** (1 - a) - high ** (1 - a)) / (a - 1))
    low, top = 0.3 * data.min(), data.min() * (1 - 1e-9)
    grid = axis(log_likelihood, low, top)
    energy = lambda x, t: pt.switch(pt.ge(x, t) & pt.le(x, high), a * pt.log(x), np.inf)

    def observe(q, t):
        ebm.EBM("x", t, energy=energy, reference=q, observed=data, progressbar=False)

    return on_grid({"t": grid}, log_likelihood(grid), observe, reference)


@setup(MOVING, 20, 100)
def points_that_follow_the_end(rng, n):
    reference = sobol(lambda t: pm.Uniform.dist(t, 30.0), 2**13)
    return power_law_from(rng, n, reference)


@setup(MOVING, 20, 100)
def points_that_stay(rng, n):
    return power_law_from(rng, n, sobol(pm.Uniform.dist(0.2, 30), 2**14))


@setup(MOVING, 20, 100)
def few_points_that_stay(rng, n):
    return power_law_from(rng, n, iid(pm.Uniform.dist(0.2, 30), 2000))


@setup(MOVING, 40, 200, 2000)
def a_law_that_follows_the_scale(rng, n):
    s = rng.uniform(0.5, 3)
    q = sobol(lambda t: pm.Normal.dist(0, 1.5 * t))
    return plain(laws.gaussian, laws.gaussian.draw(rng, s, n), q, 0.1 * s, 10 * s)


TWO = "two parameters"


def two_parameters(axes, log_likelihood, energy, data, reference):
    def observe(q, a, b):
        ebm.EBM("x", a, b, energy=energy, reference=q, observed=data, progressbar=False)

    return on_grid(axes, log_likelihood, observe, reference)


def mean_and_scale(rng, n, reference):
    m, s = rng.uniform(-2, 2), rng.uniform(0.5, 2)
    data = rng.normal(m, s, n)
    mean, sd = data.mean(), data.std()
    means = np.linspace(mean - 6 * sd / np.sqrt(n), mean + 6 * sd / np.sqrt(n), 45)
    scales = sd * np.exp(np.linspace(-4, 5, 45) / np.sqrt(2 * n))
    scales = np.linspace(scales[0], scales[-1], 45)
    m_, s_ = np.meshgrid(means, scales, indexing="ij")
    exact = -n * (np.log(s_) + (sd**2 + (mean - m_) ** 2) / (2 * s_**2))
    energy = lambda x, m, s: (x - m) ** 2 / (2 * s**2)
    return two_parameters({"m": means, "s": scales}, exact, energy, data, reference(m, s, data))


@setup(TWO, 40, 200, 1000)
def mean_and_scale_by_wide_points(rng, n):
    return mean_and_scale(rng, n, lambda m, s, x: sobol(normal(m, 2.5 * s)))


@setup(TWO, 40, 200, 1000)
def mean_and_scale_by_points_beside(rng, n):
    beside = rng.uniform(1, 2)
    return mean_and_scale(rng, n, lambda m, s, x: sobol(normal(m + beside * s, 0.8 * s)))


@setup(TWO, 40, 200)
def mean_and_scale_by_default(rng, n):
    return mean_and_scale(rng, n, lambda m, s, x: default)


@setup(TWO, 40, 200)
def mean_and_scale_on_the_range(rng, n):
    return mean_and_scale(
        rng, n, lambda m, s, x: sobol(pm.Uniform.dist(x.min() - 0.1 * s, x.max() + 0.1 * s))
    )
