"""What a reference would add to a posterior, foretold, and the size that `EBM` gives its own."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import integrate, stats
from scipy.special import gammaln, logsumexp

import pymc_ebm as ebm
from pymc_ebm.distribution.error_forecast import ErrorForecast
from pymc_ebm.distribution.of_free_values import Unforeseeable
from pymc_ebm.distribution.pilot import PilotLikelihood
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.parameters import as_parameter


def gaussian(x, s):
    return x**2 / (2 * s**2)


def quartic(x, a):
    return a * (x**4).sum(-1)


def student(x, s):
    return 2 * pt.log1p((x / s) ** 2 / 3)


def forecast(energy, params, data):
    params = [as_parameter(p) for p in params]
    return ErrorForecast(PilotLikelihood(Energy(energy), params, data, 0))


def at_theta(energy, x):
    """E(x | θ), ``(K, N)``, at several θ."""
    theta = pt.dscalar()
    function = pytensor.function([theta], energy(pt.constant(x), theta), mode="FAST_COMPILE")
    return lambda values: np.array([function(t) for t in values])


def reference_of(model):
    [rv] = model.observed_RVs
    return rv.owner.op.spec.reference


def added_share(q, s, n, draws):
    """share² = N/M E_q[(p/q)² (T − E T)²] / Var T with T = x² and p = N(0, s)."""
    p = stats.norm(0, s)
    weighted = lambda x: p.pdf(x) ** 2 / q.pdf(x) * (x**2 - s**2) ** 2
    return np.sqrt(n / draws * integrate.quad(weighted, -40, 40)[0] / (2 * s**4))


def test_independent_points(rng):
    """At σ = r.m.s.; estimated from 40,000 points, the share has a standard error of a percent."""
    data = rng.normal(0, 2, 500)
    q = ebm.reference.independent(pm.Normal.dist(1, 3), 40_000, random_seed=rng)
    with pm.Model():
        sigma = pm.HalfNormal("sigma", 5)
        share, bits = forecast(gaussian, [sigma], data)(q)
    truth = added_share(stats.norm(1, 3), np.sqrt(np.mean(data**2)), 500, 40_000)
    np.testing.assert_allclose(share, truth, rtol=0.06)
    np.testing.assert_allclose(bits, truth**2 / (2 * np.log(2)), rtol=0.12)


def test_a_regression(rng):
    """Rows share the points: N rows of one law need as many points as N data of one parameter.

    32 rows stand for 320: their σ has a standard error of an eighth, and four of these are allowed,
    by the slope of the share in log σ, besides four of 3% for 4000 points.
    """
    data, z = rng.normal(0, 2, 320), np.linspace(-1, 1, 320)
    q = ebm.reference.independent(pm.Normal.dist(0, 4), 4000, random_seed=rng)
    s, law = np.sqrt(np.mean(data**2)), stats.norm(0, 4)
    truth = added_share(law, s, 320, 4000)
    slope = np.log(added_share(law, s * 1.01, 320, 4000) / truth) / np.log(1.01)
    for times, allowed in ((0.0, 0.12), (1e-9, 0.12 + 4 * abs(slope) / 8)):
        with pm.Model():
            a = pm.Normal("a")
            theta = pt.exp(a + times * z) if times else pt.exp(a)
            share, bits = forecast(gaussian, [theta], data)(q)
        np.testing.assert_allclose(share, truth, rtol=allowed)
        np.testing.assert_allclose(bits, truth**2 / (2 * np.log(2)), rtol=2 * allowed)


def test_what_cannot_be_foreseen(rng):
    data = rng.normal(size=50)
    with pm.Model():
        many = pm.Normal("many", shape=300)
        for params in ([2.0], [pm.Poisson("k", 3.0) + 1.0], [many.sum()], [many[:3]]):
            with pytest.raises(Unforeseeable):
                forecast(gaussian, params, data)
        b = pm.Normal("b")
        with pytest.raises(Unforeseeable):
            forecast(lambda x, s: gaussian(x, s) * b, [pm.HalfNormal("s")], data)
        q = ebm.reference.independent(pm.Normal.dist(0, 4), 100, random_seed=rng)
        nowhere = forecast(lambda x, b: b * np.nan * x, [b], data)
        with pytest.raises(Unforeseeable):
            nowhere(q)


# N, data, energy, log Z, the grid: the last has an error beyond 5% at 16,384 points
PROBLEMS = {
    "gaussian": (
        100_000,
        lambda rng, n: rng.normal(0, 2, n),
        gaussian,
        lambda s: np.log(s) + np.log(2 * np.pi) / 2,
        2.0,
    ),
    "student": (
        100_000,
        lambda rng, n: 1.5 * rng.standard_t(3, n),
        student,
        lambda s: np.log(s) + np.log(3 * np.pi) / 2 + gammaln(1.5) - gammaln(2),
        1.5,
    ),
    "five quartics": (
        1500,
        lambda rng, n: stats.gennorm(4).rvs((n, 5), random_state=rng),
        quartic,
        lambda a: 5 * (np.log(2) + gammaln(1.25) - np.log(a) / 4),
        1.0,
    ),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_posteriors_without_a_hand(name, rng):
    """On a grid the posterior mean is within four wanted errors, 0.2 sd, of the exact one."""
    n, draw, energy, log_z, truth = PROBLEMS[name]
    data = draw(rng, n)
    with pm.Model() as model:
        theta = pm.HalfNormal("theta", 5)
        ebm.EBM("x", theta, energy=energy, observed=data)
    q = reference_of(model)
    assert q.exact == (name != "five quartics") and q.n_points != 2**14
    at = truth * np.linspace(1 - 6 / np.sqrt(n), 1 + 6 / np.sqrt(n), 21)
    likelihood = -at_theta(energy, data)(at).sum(axis=1)
    estimated = logsumexp(q.log_weights - at_theta(energy, q.points)(at), axis=1)
    means, sds = np.empty((2, 2))
    for i, level in enumerate((estimated, log_z(at))):
        log_p = likelihood - n * level
        p = np.exp(log_p - log_p.max())
        means[i] = p @ at / p.sum()
        sds[i] = np.sqrt(p @ (at - means[i]) ** 2 / p.sum())
    assert abs(means[0] - means[1]) < 0.2 * sds[1]
    assert abs(sds[0] / sds[1] - 1) < 0.2


def test_the_same_data_give_the_same_reference(rng):
    data = rng.standard_t(3, 100_000)
    found = []
    for _ in range(2):
        with pm.Model() as model:
            ebm.EBM("x", pm.HalfNormal("s"), energy=student, observed=data)
        found.append(reference_of(model).fingerprint)
    assert found[0] == found[1]
