"""The reference of an `EBM` in one and two real dimensions, against closed forms and SciPy."""

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import integrate, special, stats

import pymc_ebm as ebm
from pymc_ebm.distribution.of_free_values import Unforeseeable
from pymc_ebm.distribution.panels_for import panels_for
from pymc_ebm.distribution.pilot import PilotLikelihood
from pymc_ebm.energy.energy import Energy
from pymc_ebm.reference import Unresolved

HALF_LOG_2PI = np.log(2 * np.pi) / 2


def reference_of(energy, params, data, **kwargs):
    """What `EBM` makes; `params` makes random variables."""
    with pm.Model() as model:
        ebm.EBM("x", *params(), energy=energy, observed=data, **kwargs)
    return model, model["x"].owner.op.spec.reference


def at(reference, energy, thetas):
    """Log Ẑ at several parameters."""
    energies = Energy(energy).of_points(reference.event_shape, float, thetas[0])
    of_points = energies.at(reference.points)
    return np.array([special.logsumexp(reference.log_weights - of_points(t)) for t in thetas])


def log_likelihoods(energy, data, thetas):
    of_data = Energy(energy).of_points(data.shape[1:], float, thetas[0]).at(data)
    return -np.array([of_data(theta).sum() for theta in thetas])


def grid(*axes):
    return list(zip(*(a.ravel() for a in np.meshgrid(*axes)), strict=True))


def around(value, relative=0.3, places=13):
    return value * np.exp(np.linspace(-relative, relative, places))


def likely(energy, data, thetas, exact, nats=12.0):
    """Which of the parameters lie so few nats below the best one."""
    found = log_likelihoods(energy, data, thetas) - len(data) * exact
    return found > found.max() - nats


def truncated_draws(rng):
    data = stats.truncnorm(-1.5, 1.5, 0.5, 1).rvs(400, random_state=rng)
    data[:2] = -1, 2  # on the bounds
    return data


def soft_draws(rng):
    x = rng.normal(size=1500)
    return x[rng.random(1500) < special.expit((x + 0.5) / 0.2)]


def soft_log_z(m, s):
    density = lambda x: np.exp(-((x - m) ** 2) / (2 * s**2) - np.logaddexp(0, -(x + 0.5) / 0.2))
    ends = m - 12 * s, m + 12 * s
    options = {"points": [-1, -0.5, 0], "limit": 200, "epsabs": 0, "epsrel": 1e-12}
    return np.log(integrate.quad(density, *ends, **options)[0])


# energy, random variables, draws, support, parameters, log Z, tolerance
LINES = {
    "gaussian": (
        lambda x, m, s: (x - m) ** 2 / (2 * s**2),
        lambda: [pm.Normal("m", 0, 10), pm.HalfNormal("s", 5)],
        lambda rng: rng.normal(3, 2, 20_000),
        None,
        grid(around(3.0, 0.05), around(2.0, 0.05)),
        lambda m, s: np.log(s) + HALF_LOG_2PI,
        1e-12,
    ),
    "quartic": (
        lambda x, a: a * x**4,
        lambda: [pm.HalfNormal("a", 3)],
        lambda rng: stats.gennorm(4).rvs(20, random_state=rng),
        None,
        grid(around(1.0, 1.5)),
        lambda a: np.log(2) + special.gammaln(1.25) - np.log(a) / 4,
        1e-11,
    ),
    "student": (
        lambda x, s, v: (v + 1) / 2 * pt.log1p((x / s) ** 2 / v),
        lambda: [pm.HalfNormal("s", 5), pm.Gamma("v", 2, 0.5)],
        lambda rng: 2 * rng.standard_t(2, 400),
        None,
        grid(around(2.0), around(2.0, 0.8)),
        lambda s, v: np.log(s * np.sqrt(v)) + special.betaln(v / 2, 0.5),
        1e-12,
    ),
    "two modes 40 sd apart": (
        lambda x, m: -pt.logaddexp(-((x - m) ** 2) / 2, -((x + m) ** 2) / 2),
        lambda: [pm.HalfNormal("m", 20)],
        lambda rng: 20 * rng.choice([-1, 1], 400) + rng.normal(size=400),
        None,
        grid(around(20.0, 0.02)),
        lambda m: np.log(2) + HALF_LOG_2PI,
        1e-12,
    ),
    "gamma": (
        lambda x, k, b: b * x - (k - 1) * pt.log(x),
        lambda: [pm.HalfNormal("k", 3), pm.HalfNormal("b", 3)],
        lambda rng: rng.gamma(0.45, size=400),
        "positive",
        grid(around(0.45), around(1.0, 0.5)),
        lambda k, b: special.gammaln(k) - k * np.log(b),
        1e-9,
    ),
    "truncated normal": (
        lambda x, m, s: (x - m) ** 2 / (2 * s**2),
        lambda: [pm.Normal("m"), pm.HalfNormal("s", 3)],
        truncated_draws,
        (-1, 2),
        grid(np.linspace(-0.5, 1.5, 15), around(1.0, 0.7)),
        lambda m, s: (
            np.log(s) + HALF_LOG_2PI + np.log(stats.norm.cdf(2, m, s) - stats.norm.cdf(-1, m, s))
        ),
        1e-12,
    ),
    "a soft limit": (
        lambda x, m, s: (x - m) ** 2 / (2 * s**2) + pt.softplus(-(x + 0.5) / 0.2),
        lambda: [pm.Normal("m"), pm.HalfNormal("s", 3)],
        soft_draws,
        None,
        grid(np.linspace(-0.2, 0.2, 7), around(1.0, 0.15, 5)),
        soft_log_z,
        1e-11,
    ),
    "laplace": (
        lambda x, m, b: abs(x - m) / b,
        lambda: [pm.Normal("m", 0, 5), pm.HalfNormal("b", 5)],
        lambda rng: rng.laplace(size=400),
        None,
        grid(np.linspace(-0.25, 0.25, 21), around(1.0)),
        lambda m, b: np.log(2 * b),
        1e-5,
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_one_dimension(name, rng):
    """All over the posterior, and no false maximum at 300 parameters far from it."""
    energy, params, draw, support, thetas, log_z, tolerance = LINES[name]
    data = draw(rng)
    model, q = reference_of(energy, params, data, support=support)
    assert q.exact and q.description.endswith("panels in 1-D") and q.n_points <= 4096
    exact = np.array([log_z(*theta) for theta in thetas])
    found = at(q, energy, thetas)
    inside = likely(energy, data, thetas, exact)
    assert inside.sum() >= 7 and not inside.all()
    np.testing.assert_allclose(found[inside], exact[inside], atol=tolerance)
    top = (log_likelihoods(energy, data, thetas) - len(data) * exact).max()
    far = [
        [float(v) for v in row]
        for row in zip(*_prior_like(model, thetas, rng, 2000), strict=True)
    ]  # fmt: skip
    with np.errstate(all="ignore"):
        heights = log_likelihoods(energy, data, far) - len(data) * at(q, energy, far)
    assert np.nanmax(heights) < top + 0.5


def _prior_like(model, thetas, rng, draws):
    """Unconstrained values far around the best parameters, through the model's transforms."""
    middle = np.median(np.array(thetas), axis=0)
    for rv, centre in zip(model.free_RVs, middle, strict=True):
        noise = rng.normal(size=draws) * rng.choice([1, 3], draws)
        positive = model.rvs_to_transforms[rv] is not None
        yield centre * np.exp(noise) if positive else centre + 10 * noise


def test_two_components_of_twenty_data(rng):
    """Where the prior lets a component be narrower than the data are apart: 5 parameters, Z = 1."""

    def energy(x, m, n, s, t, w):
        one = pt.log(w) - pt.log(s) - ((x - m) / s) ** 2 / 2
        return -pt.logaddexp(one, pt.log1p(-w) - pt.log(t) - ((x - n) / t) ** 2 / 2)

    normals = lambda: [pm.Normal(n, 0, 3) for n in "mn"] + [pm.HalfNormal(n, 2) for n in "st"]
    data = rng.normal(size=20)
    _, q = reference_of(energy, lambda: [*normals(), pm.Beta("w", 2, 2)], data)
    assert q.exact
    narrow = 0.02 * np.exp(rng.exponential(size=200))
    wide, weight = 0.5 + rng.random(200), rng.random(200)
    thetas = list(zip(*rng.normal(size=(2, 200)), narrow, wide, weight, strict=True))
    found = at(q, energy, thetas) - HALF_LOG_2PI
    assert np.abs(found).max() < 1e-3 and np.quantile(np.abs(found), 0.9) < 1e-5


def banana_draws(rng):
    x = rng.normal(size=400)
    return np.column_stack([x, x**2 + 0.3 * rng.normal(size=400)])


def ring_draws(rng):
    angle, radius = rng.uniform(0, 2 * np.pi, 400), 3 + 0.2 * rng.normal(size=400)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def ring_log_z(r, s):
    radial = lambda u: u * np.exp(-((u - r) ** 2) / (2 * s**2))
    return np.log(2 * np.pi * integrate.quad(radial, 0, r + 12 * s, points=[r], epsabs=1e-14)[0])


PAIRS = {
    "correlated": (
        lambda x, r: (x[:, 0] ** 2 - 2 * r * x[:, 0] * x[:, 1] + x[:, 1] ** 2) / (2 - 2 * r**2),
        lambda: [pm.Uniform("r", -1, 1)],
        lambda rng: rng.multivariate_normal([0, 0], [[1, 0.9], [0.9, 1]], 400),
        grid(np.linspace(0.84, 0.94, 21)),
        lambda r: 2 * HALF_LOG_2PI + np.log1p(-(r**2)) / 2,
    ),
    "banana": (
        lambda x, b, s: x[:, 0] ** 2 / 2 + (x[:, 1] - b * x[:, 0] ** 2) ** 2 / (2 * s**2),
        lambda: [pm.Normal("b", 0, 3), pm.HalfNormal("s", 3)],
        banana_draws,
        grid(around(1.0, 0.06, 11), around(0.3, 0.25, 11)),
        lambda b, s: 2 * HALF_LOG_2PI + np.log(s),
    ),
    "ring": (
        lambda x, r, s: (pt.sqrt((x**2).sum(-1)) - r) ** 2 / (2 * s**2),
        lambda: [pm.HalfNormal("r", 5), pm.HalfNormal("s", 2)],
        ring_draws,
        grid(around(3.0, 0.02, 11), around(0.2, 0.25, 11)),
        ring_log_z,
    ),
    "two modes": (
        lambda x, m: -pt.logaddexp(-((x - m) ** 2).sum(-1) / 2, -((x + m) ** 2).sum(-1) / 2),
        lambda: [pm.HalfNormal("m", 5)],
        lambda rng: 3 * rng.choice([-1, 1], (400, 1)) + rng.normal(size=(400, 2)),
        grid(around(3.0, 0.1)),
        lambda m: 2 * HALF_LOG_2PI + np.log(2),
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_two_dimensions(name, rng):
    energy, params, draw, thetas, log_z = PAIRS[name]
    data = draw(rng)
    _, q = reference_of(energy, params, data)
    assert q.exact and q.description.endswith("panels in 2-D") and q.n_points < 30_000
    exact = np.array([log_z(*theta) for theta in thetas])
    inside = likely(energy, data, thetas, exact)
    assert inside.sum() >= 5 and not inside.all()
    found = at(q, energy, [t for t, i in zip(thetas, inside, strict=True) if i])
    np.testing.assert_allclose(found, exact[inside], atol=1e-5)


def test_a_regression(rng):
    """Rows of other places and scales: each has the closed form of its own."""
    z = np.linspace(-2, 2, 200)
    data = rng.normal(3 * z, np.exp(0.5 * z))
    energy = lambda x, m, s: (x - m) ** 2 / (2 * s**2)
    params = lambda: [pm.Normal("a", 0, 5) + pm.Normal("b", 0, 5) * z, pt.exp(pm.Normal("c") * z)]
    _, q = reference_of(energy, params, data)
    assert q.exact and q.n_points < 2500
    thetas = [
        (a + b * v, np.exp(c * v))
        for v in z[::20] for a in (-0.1, 0.1) for b in (2.9, 3.1) for c in (0.4, 0.5, 0.6)
    ]  # fmt: skip
    exact = [np.log(s) + HALF_LOG_2PI for _, s in thetas]
    np.testing.assert_allclose(at(q, energy, thetas), exact, atol=1e-10)


def test_where_panels_do_not_serve(rng):
    """Three numbers, integer parameters: draws of a fitted law."""
    gaussian = lambda x, m: (x - m) ** 2 / 2
    three = lambda x, m: ((x - m) ** 2).sum(-1) / 2
    for energy, params, data in (
        (three, lambda: [pm.Normal("m")], rng.normal(size=(50, 3))),
        (gaussian, lambda: [pm.Poisson("m", 1)], rng.normal(1, 1, 50)),
    ):
        _, q = reference_of(energy, params, data)
        assert not q.exact and "fitted" in q.description


def test_a_jump_that_moves_is_refused(rng):
    """With 20,000 data its nodes would have to be 10⁻⁷ apart, at all of its places."""
    energy = lambda x, a, s: x / s + pt.switch(x > a, 0.0, 3.0)
    data = rng.exponential(size=20_000) - 2
    with pm.Model():
        params = [pm.Normal("a", -3), pm.HalfNormal("s")]
        pilot = PilotLikelihood(Energy(energy), params, data, 0)
        with pytest.raises((Unresolved, Unforeseeable)):
            panels_for(pilot, (-2.5, np.inf))


def test_one_number_of_points_only(rng):
    """An energy that must know how many points it gets has Sobol points."""

    def strict(x, m):
        if x.type.shape[0] is None:
            raise ValueError("How many points are there?")
        return (x - m) ** 2 / 2

    _, q = reference_of(strict, lambda: [pm.Normal("m")], rng.normal(size=50))
    assert not q.exact


def test_the_same_data_give_the_same_panels(rng):
    energy, params, draw, *_ = LINES["student"]
    data = draw(rng)
    found = [reference_of(energy, params, data)[1].fingerprint for _ in range(2)]
    assert found[0] == found[1]


@pytest.mark.usefixtures("interpreted")
def test_a_report_accepts_them(rng):
    """Posterior of a scale, N = 300: known in closed form on a grid, and "ok" at its quantiles."""
    energy = lambda x, s: x**2 / (2 * s**2)
    data = rng.normal(0, 2, 300)
    model, _ = reference_of(energy, lambda: [pm.HalfNormal("s", 5)], data)
    s = np.linspace(1.5, 2.7, 201)
    log_p = -(data**2).sum() / (2 * s**2) - 300 * np.log(s) - s**2 / 50
    logp = model.compile_logp(jacobian=False)
    found = np.array([logp({"s_log__": value}) for value in np.log(s)])
    near = log_p > log_p.max() - 10
    np.testing.assert_allclose((found - found.max())[near], (log_p - log_p.max())[near], atol=0.01)
    share = np.cumsum(np.exp(found - found.max()))
    draws = rng.permutation(np.interp((np.arange(400) + 0.5) / 400, share / share[-1], s))
    idata = az.from_dict({"posterior": {"s": draws.reshape(4, 100)}})
    with model:
        ebm.compute_reference_stats(idata, progressbar=False)
    stats_ = idata["reference_stats"]
    assert float(300 * stats_["quadrature_error"].max()) < 0.01
    assert ebm.report(idata).status == "ok"
