"""Bounds for each object and bounds that are parameters: truths are closed forms."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import integrate, stats

import pymc_ebm as ebm

# The default panels give the log-likelihood to 4e-3 nats at least, and here to far less.
RESOLVED = 1e-5


def normal(x, mu, sigma):
    return (x - mu) ** 2 / (2 * sigma**2)


def power(x, alpha):
    return alpha * pt.log(x)


def value_and_slope(model, point):
    """Log-likelihood of the observed variable and its slopes by the parameters, as they are."""
    free = [rv.name for rv in model.free_RVs]
    with model:
        plain = pm.model.transform.conditioning.remove_value_transforms(model)
    values = [plain.rvs_to_values[plain[name]] for name in free]
    logp = plain.logp(vars=plain.observed_RVs)
    function = pytensor.function(values, [logp, *pt.grad(logp, values)])
    return np.array(function(*point), dtype=float)


def slopes_of(function, point, step=1e-5):
    return [
        (function(*(point + step * e)) - function(*(point - step * e))) / (2 * step)
        for e in np.eye(len(point))
    ]


@pytest.fixture(scope="module")
def survey():
    """60 objects, each seen only above a limit of its own."""
    rng = np.random.default_rng(3)
    limit = rng.uniform(-2, 0.5, 60)
    return limit, stats.truncnorm(limit - 0.5, np.inf, loc=0.5).rvs(random_state=rng)


@pytest.fixture(scope="module")
def surveyed(survey):
    limit, seen = survey
    with pm.Model(coords={"object": np.arange(60)}) as model:
        mu = pm.Normal("mu", 0, 1)
        sigma = pm.HalfNormal("sigma", 2)
        ebm.EBM(
            "x", mu, sigma, energy=normal, support=(limit, np.inf), observed=seen, dims="object"
        )
    return model


@pytest.mark.parametrize("point", [(0.3, 1.1), (-1.0, 0.7)])
def test_a_limit_for_each_object(surveyed, survey, point):
    limit, seen = survey

    def truth(mu, sigma):
        z = (limit - mu) / sigma
        return stats.truncnorm(z, np.inf, loc=mu, scale=sigma).logpdf(seen).sum()

    found = value_and_slope(surveyed, point)
    np.testing.assert_allclose(found[0], truth(*point), atol=RESOLVED)
    np.testing.assert_allclose(found[1:], slopes_of(truth, np.array(point)), atol=1e-4)


@pytest.mark.usefixtures("interpreted")
def test_truncated_regression(survey):
    """A mean and a limit of its own for each object."""
    limit, seen, z = survey[0][:9], survey[1][:9], np.linspace(-1, 1, 9)
    with pm.Model() as model:
        a, b = pm.Normal("a"), pm.Normal("b")
        ebm.EBM("x", a + b * z, 0.9, energy=normal, support=(limit, np.inf), observed=seen)

    def truth(a, b):
        low = (limit - a - b * z) / 0.9
        return stats.truncnorm(low, np.inf, loc=a + b * z, scale=0.9).logpdf(seen).sum()

    for point in (np.array([0.4, 0.3]), np.array([-0.2, -0.5])):
        found = value_and_slope(model, point)
        np.testing.assert_allclose(found[0], truth(*point), atol=RESOLVED)
        np.testing.assert_allclose(found[1:], slopes_of(truth, point), atol=1e-4)


@pytest.mark.slow
def test_report_and_draws_with_limits(surveyed, survey):
    """Every draw lies above the limit of its object, and the second estimate agrees."""
    limit, _ = survey
    verdict = ebm.check(surveyed, progressbar=False)
    assert verdict.status == "ok" and "Two estimates" in verdict.headline
    draws = pm.draw(surveyed["x"], draws=30, random_seed=1)
    assert draws.shape == (30, 60) and (draws >= limit).all()
    assert (draws < limit + 0.5).any()


def test_data_outside_their_limits(survey):
    limit, seen = survey
    with pm.Model():
        mu = pm.Normal("mu", 0, 1)
        with pytest.raises(ValueError, match="1 of 60 observations lie outside their bounds"):
            ebm.EBM("x", mu, 1.0, energy=normal, support=(limit + 5 * (limit == limit[7]), np.inf),
                    observed=seen)  # fmt: skip
    at_bound = ebm.EBM.dist(
        0.0, 1.0, energy=normal, support=(limit[:3], 4.0),
        reference=ebm.reference.quadrature(0, 4, 60),
    )  # fmt: skip
    x = np.array([limit[0], limit[1] - 1e-6, 4.0])
    a = (limit[:3], np.full(3, 4.0))
    expected = stats.truncnorm(*a).logpdf(x)
    np.testing.assert_allclose(pm.logp(at_bound, x).eval(), expected, atol=1e-8)
    assert np.isneginf(expected[1])


def test_pareto_with_an_unknown_lower_limit(rng):
    """The boundary's derivative is that of log(α lᵅ), by a variable of the model or a function."""
    y = 2 * (1 + rng.pareto(2.0, 80))

    def truth(alpha, low):
        return len(y) * (np.log(alpha) + alpha * np.log(low)) - (alpha + 1) * np.log(y).sum()

    with pm.Model() as model:
        alpha = pm.HalfNormal("alpha", 3)
        low = pm.Uniform("low", 0.5, y.min())
        ebm.EBM(
            "y",
            alpha,
            low,
            energy=lambda x, alpha, low: power(x, alpha + 1),
            support=lambda alpha, low: (low, np.inf),
            observed=y,
        )
    for point in ((2.0, 1.9), (1.2, 0.7)):
        found = value_and_slope(model, point)
        np.testing.assert_allclose(found[0], truth(*point), atol=RESOLVED)
        slope = [80 / point[0] + 80 * np.log(point[1]) - np.log(y).sum(), 80 * point[0] / point[1]]
        np.testing.assert_allclose(found[1:], slope, rtol=1e-6)
    assert np.isneginf(value_and_slope(model, (2.0, y.min() + 1e-9))[0])


def test_a_box_whose_end_is_a_parameter(rng):
    """A power law on [low, 50] by panels, the second estimate, and draws within the bounds."""
    u = rng.random(80)
    y = (2**-1.5 + u * (50**-1.5 - 2**-1.5)) ** (-1 / 1.5)

    def truth(alpha, low):
        z = (50 ** (1 - alpha) - low ** (1 - alpha)) / (1 - alpha)
        return -alpha * np.log(y).sum() - len(y) * np.log(z)

    with pm.Model() as model:
        alpha = pm.Normal("alpha", 2, 1)
        low = pm.Uniform("low", 0.5, y.min())
        ebm.EBM("y", alpha, energy=power, support=(low, 50.0), observed=y)
    for point in (np.array([2.5, 2.0]), np.array([1.7, 0.8])):
        found = value_and_slope(model, point)
        np.testing.assert_allclose(found[0], truth(*point), atol=RESOLVED)
        np.testing.assert_allclose(found[1:], slopes_of(truth, point), atol=1e-3)
    fixed = pm.do(model, {"alpha": 2.0, "low": 1.5})
    draws = pm.draw(fixed["y"], draws=20, random_seed=1)
    assert draws.min() >= 1.5 and draws.max() <= 50 and draws.min() < 1.6


def test_draws_and_densities_between_bounds_of_a_function(rng):
    """A power law on [l, 30]: the share below each draw is uniform, and log p has the edges."""
    below = lambda x, a, low: (x ** (1 - a) - low ** (1 - a)) / (30 ** (1 - a) - low ** (1 - a))
    with pm.Model() as model:
        a = pm.HalfNormal("a", 3)
        low = pm.Uniform("low", 2, 4)
        ebm.EBM(
            "y", a, low, energy=lambda x, a, low: power(x, a), support=lambda a, low: (low, 30),
            observed=rng.uniform(4, 30, 60),
        )  # fmt: skip
    draws = pm.draw(pm.do(model, {"a": 2.5, "low": 3.5})["y"], draws=20, random_seed=1)
    assert draws.shape == (20, 60)
    assert stats.kstest(below(draws.ravel(), 2.5, 3.5), "uniform").pvalue > 1e-3
    x = np.array([3.4, 3.6, 29, 31, *rng.uniform(4, 30, 56)])
    found = pm.logp(model["y"], x).eval({a: 2.5, low: 3.5})
    inside = (x >= 3.5) & (x <= 30)
    truth = -2.5 * np.log(x) - np.log((3.5**-1.5 - 30**-1.5) / 1.5)
    np.testing.assert_allclose(found[inside], truth[inside], atol=RESOLVED)
    assert np.isneginf(found[~inside]).all() and (~inside).sum() == 2


def test_annealed_points_move_with_the_bound(seed):
    """Annealed at l = 0.5 in three dimensions, moved to 0.7: log Z within five of its errors."""

    def energy(x, a):
        return a * (x**2).sum(axis=-1)

    q = ebm.reference.annealed(
        energy,
        1.0,
        data=stats.truncnorm(0.5, np.inf).rvs((50, 3), random_state=seed),
        support=(0.5, np.inf),
        particles=64,
        draws=4,
        random_seed=seed,
        progressbar=False,
    )
    with pm.Model() as model:
        low = pm.Uniform("low", 0.0, 0.8)
        ebm.EBM(
            "x",
            1.0,
            energy=energy,
            support=(low, np.inf),
            reference=q,
            observed=np.full((1, 3), 0.9),
        )
    normalisers = ebm.diagnostics.find_log_partitions(model)
    [value, slope] = value_and_slope(model, [0.7])
    [at] = ebm.diagnostics.normalisers.normalisers.Normalisers(model).at({"low": 0.7}).values()
    _, error = at.log_partition()
    tail = integrate.quad(lambda x: np.exp(-(x**2)), 0.7, np.inf)[0]
    assert len(normalisers) == 1 and 0 < error < 0.1
    assert abs(value - (-3 * 0.81 - 3 * np.log(tail))) < 5 * error
    # The slope has the error of a mean of Σ 2x, whose sd is 2 √3 · 0.3 and effective points 100s.
    assert abs(slope - 3 * np.exp(-0.49) / tail) < 0.5


def test_what_is_refused(rng):
    y = 2 + rng.random(30)
    with pm.Model():
        low = pm.Uniform("low", 1, 2)
        keywords = {"energy": power, "observed": y}
        with pytest.raises(ValueError, match="The bounds use low besides the parameters"):
            ebm.EBM("a", 2.0, support=lambda a: (low, 50.0), **keywords)
        with pytest.raises(ValueError, match="Return a pair"):
            ebm.EBM("b", 2.0, support=lambda a: a, **keywords)
        with pytest.raises(ValueError, match="whose points do not"):
            ebm.EBM(
                "c", 2.0, support=(low, 50.0), **keywords,
                reference=ebm.reference.independent(pm.Normal.dist(3, 3), 100, random_seed=1),
            )  # fmt: skip
        with pytest.warns(UserWarning, match="outside the bounds are 30 observations"):
            ebm.EBM("d", 2.0, support=(low + 3, 50.0), **keywords)


def test_counts_with_a_limit_each(rng):
    """Poisson counts of at most n_i: summed over all that there can be, impossible beyond n_i."""
    y = rng.poisson(3, 80)
    n = np.maximum(y, rng.integers(5, 10, 80))
    energy = lambda k, rate: -k * pt.log(rate) + pt.gammaln(k + 1)
    with pm.Model() as model:
        rate = pm.HalfNormal("rate", 5)
        with pytest.raises(
            ValueError, match=r"of real numbers, .* int64\. List .*pt\.switch\(x > n"
        ):
            ebm.EBM("y", rate, energy=energy, support=(0, n), observed=y)
        limited = lambda x, rate, n: pt.switch(x > n, np.inf, energy(x, rate))
        all_states = ebm.reference.enumeration(range(n.max() + 1), complete=True)
        ebm.EBM("x", rate, n, energy=limited, reference=all_states, observed=y)
    found = model.compile_logp(vars=[model["x"]])({"rate_log__": np.log(3.0)})
    law = stats.poisson(3)
    assert np.isclose(found, (law.logpmf(y) - law.logcdf(n)).sum(), atol=1e-10)


def test_limits_as_data_that_are_set_anew(survey):
    """Another number of objects with other limits, one of them above what was seen."""
    limit, seen = survey
    with pm.Model() as model:
        limits, x = pm.Data("limits", limit), pm.Data("seen", seen)
        mu = pm.Normal("mu", 0, 1)
        ebm.EBM("x", mu, 1.0, energy=normal, support=(limits, np.inf), observed=x, shape=x.shape)
    function = model.compile_fn(model.logp(vars=model.observed_RVs, sum=False))
    for low in (limit, limit[:5] - 0.1, limit[:5] + 9):
        with model:
            pm.set_data({"limits": low, "seen": seen[: len(low)]})
        truth = stats.truncnorm(low - 0.3, np.inf, loc=0.3).logpdf(seen[: len(low)])
        np.testing.assert_allclose(function({"mu": 0.3})[0], truth, atol=RESOLVED)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("ends", [(2.0, 50.0), (0.0, 1.0)], ids=["of x", "of v"])
def test_a_quadrature_resolves_a_support_that_moves(ends, rng):
    """Half of the nodes were said to change N log Ẑ by N log 48: the volume was taken off once."""
    x = 2 * rng.random(60) ** (-1 / 2.0)  # a power law of exponent 3 above 2
    x = x[x < 50]
    with pm.Model() as model:
        a = pm.Uniform("a", 1.5, 6)
        low = pm.Uniform("low", 1, x.min())
        support = lambda a, low: (low, 50)
        energy = lambda x, a, low: a * pt.log(x)
        q = ebm.reference.quadrature(*ends, 400)
        ebm.EBM("x", a, low, energy=energy, support=support, reference=q, observed=x)
    point = {"a": 3.0, "low": 1.9}
    [at] = ebm.diagnostics.normalisers.normalisers.Normalisers(model).at(point).values()
    truth = np.log((1.9**-2 - 50.0**-2) / 2)
    np.testing.assert_allclose(at.log_partition()[0], truth, atol=1e-9)
    reference = model["x"].owner.op.spec.reference
    assert reference.complete and reference.edge is None
    # Of both rules the weights add up to the length of v, which is 1.
    for weights in (reference.log_weights, reference.coarse_log_weights):
        np.testing.assert_allclose(np.exp(weights).sum(), 1.0, rtol=1e-9)
    assert np.isneginf(reference.coarse_log_weights).sum() == 200
