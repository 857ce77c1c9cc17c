"""Every method on models with known estimates, models of other kinds, and what is refused."""

import csv

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import gammaln

import pymc_ebm as ebm
from pymc_ebm.distribution import anchored_chains
from pymc_ebm.energies import edges, ergm, to_dyads, triangles
from pymc_ebm.fitting.find_mle import solve

LINE = ebm.reference.quadrature(-np.inf, np.inf)


def gaussian(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


# Methods that maximise the likelihood, and fits that each is given.
LIKELIHOOD = {"geyer": 50, "gradient_descent": 40, "exact_gradient": 20}


@pytest.mark.slow
@pytest.mark.parametrize("case", ["gaussian", "quartic", "conway", "ising"], indirect=True)
def test_maximum_likelihood_with_both_its_errors(case, rng):
    """Exact estimates and information, under many references (or runs of draws) at fixed data.

    Σ (error/mcse)² is χ² with as many degrees of freedom as fits, two-sided at 1e-5 for each
    parameter. References of 100 effective points and more give a standard error of sampling to 7%,
    and the mean over fits to 2%; 10% are over four of these.
    """
    model, problem = case.build(rng, 100)
    data = model["data"].get_value()
    options = {"exact_gradient": {"sampler": case.draw}, "geyer": {"recenter": False}}
    mle, exact_se = case.mle(data), case.se(data)
    for method, fits in LIKELIHOOD.items():
        found = []
        for _ in range(fits):
            if method != "exact_gradient":
                problem.set_reference(0, case.reference(rng))
            found.append(solve(problem, method, random_seed=rng, **options.get(method, {})))
        scores = [(case.vector(f.estimate) - mle) / case.vector(f.mcse) for f in found]
        lower, upper = stats.chi2(fits).ppf([5e-6, 1 - 5e-6])
        total = np.square(scores).sum(axis=0)
        assert ((lower < total) & (total < upper)).all(), (method, total)
        se = np.mean([case.vector(f.se) for f in found], axis=0)
        np.testing.assert_allclose(se, exact_se, rtol=0.1, err_msg=method)


def matched_mean(problem, start, *, advance, random_seed, data):
    """A method of the user's own: the scale of an exponential law is the mean."""
    u = np.log([data.mean()])
    advance(u)
    none = np.zeros((1, 1))
    return ebm.fitting.Solution(u, none + 1 / len(data), none, np.nan, True, "Known.", [start, u])


@pytest.mark.usefixtures("interpreted")
def test_a_method_of_the_users_own(rng):
    data = rng.exponential(2.0, size=100)
    half = ebm.reference.quadrature(0, np.inf)
    with pm.Model():
        s = pm.HalfFlat("s")
        ebm.EBM("t", s, energy=lambda t, s: t / s, reference=half, observed=data)
        fit = ebm.find_MLE(matched_mean, data=data, progressbar=False)
    assert fit.method == "matched_mean" and fit.converged
    np.testing.assert_allclose(fit.estimate["s"], data.mean(), rtol=1e-12)
    np.testing.assert_allclose(fit.se["s"], data.mean() / 10, rtol=1e-6)


@pytest.mark.usefixtures("interpreted")
def test_freight_regression():
    """MLE 13.824706, 1.483821, 5.781815 and log-likelihood −18.644891 of the summed likelihood."""
    with open("tests/data/freight.csv") as file:
        rows = list(csv.DictReader(file))
    broken, transfers = (np.array([int(r[c]) for r in rows]) for c in ("broken", "transfers"))
    with pm.Model():
        b0, b1 = pm.Flat("b0", initval=2.0), pm.Flat("b1", initval=0.2)
        nu = pm.HalfFlat("nu", initval=1.0)
        ebm.EBM(
            "broken",
            b0 + b1 * transfers,
            nu,
            energy=lambda x, log_rate, nu: -x * log_rate + nu * pt.gammaln(x + 1),
            observed=broken,
            reference=ebm.reference.enumeration(np.arange(401)),
        )
        fit = ebm.find_MLE(progressbar=False)
    assert fit.converged
    found = [fit.estimate[n] for n in ("b0", "b1", "nu")]
    np.testing.assert_allclose(found, [13.824706, 1.483821, 5.781815], atol=2e-6)
    np.testing.assert_allclose(fit.objective, 18.644891, atol=1e-6)
    assert all(fit.mcse[n] == 0 for n in fit.mcse)
    # Standard errors by second differences of the summed likelihood, written out with NumPy.
    k = np.arange(401)

    def loss(theta):
        terms = k[:, None] * (theta[0] + theta[1] * transfers) - theta[2] * gammaln(k + 1)[:, None]
        own = broken * (theta[0] + theta[1] * transfers) - theta[2] * gammaln(broken + 1)
        return (np.logaddexp.reduce(terms, axis=0) - own).sum()

    h, e = 1e-4, np.eye(3)
    hessian = [
        [
            sum(
                sign * loss(np.array(found) + h * (a * e[i] + b * e[j]))
                for a, b, sign in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))
            )
            / (4 * h**2)
            for j in range(3)
        ]
        for i in range(3)
    ]
    se = np.sqrt(np.diag(np.linalg.inv(hessian)))
    np.testing.assert_allclose([fit.se[n] for n in ("b0", "b1", "nu")], se, rtol=1e-3)


@pytest.mark.usefixtures("interpreted")
def test_with_the_prior_it_is_find_map(rng):
    data = rng.normal(0, 2, 50)
    with pm.Model():
        sigma = pm.Gamma("sigma", 30, 30)
        ebm.EBM("x", 0.0, sigma, energy=gaussian, reference=LINE, observed=data)
        fit = ebm.find_MLE(include_prior=True, progressbar=False)
        flat = ebm.find_MLE(progressbar=False, start={"sigma": 3.0})
        mode = pm.find_MAP(progressbar=False)
    np.testing.assert_allclose(fit.estimate["sigma"], mode["sigma"], rtol=1e-4)
    np.testing.assert_allclose(flat.estimate["sigma"], np.sqrt(np.mean(data**2)), rtol=1e-6)
    assert fit.se["sigma"] < flat.se["sigma"]


@pytest.mark.usefixtures("interpreted")
def test_a_domain_is_a_wall_for_the_steps_and_no_exception(rng):
    """As for pm.find_MAP: outside the domain the loss is inf, and the line search steps back."""
    data = rng.normal(0, 0.2, 50)
    with pm.Model():
        # The first step has length 1 and crosses 0.
        s = pm.Flat("s", initval=0.8)
        ebm.EBM(
            "x", 0.0, s, energy=gaussian, reference=LINE, observed=data, domain=lambda mu, s: s > 0
        )
        fit = ebm.find_MLE(progressbar=False)
        with pytest.raises(ValueError, match="loss is inf at the initial values"):
            ebm.find_MLE(start={"s": -1.0}, progressbar=False)
    np.testing.assert_allclose(fit.estimate["s"], np.sqrt(np.mean(data**2)), rtol=1e-6)


@pytest.mark.usefixtures("interpreted")
def test_domain_holds_for_every_method(rng):
    """From outside the domain there is no estimate, whatever the method minimises."""
    data = rng.normal(0, 1, 50)
    with pm.Model():
        a = pm.Flat("a", initval=-1.5)
        q = ebm.reference.fitted(data, 1024, random_seed=1)
        ebm.EBM(
            "x", a, energy=lambda x, a: a**2 * x**2, reference=q, observed=data,
            domain=lambda a: a > 0,
        )  # fmt: skip
        for method in ("geyer", "noise_contrastive", "score_matching"):
            with pytest.raises(ValueError, match="initial values"):
                ebm.find_MLE(method, progressbar=False)


@pytest.mark.usefixtures("interpreted")
def test_potential_and_ebm_give_one_estimate(rng):
    data = rng.normal(1, 2, 60)
    q = ebm.reference.independent(pm.Normal.dist(0, 4), draws=2000, random_seed=1)
    fits = []
    for potential in (False, True):
        with pm.Model(coords={"of": ["location", "scale"]}):
            both = pm.HalfFlat("both", dims="of")
            if potential:
                log_z = ebm.log_partition(gaussian, both[0], both[1], reference=q)
                energy = gaussian(data, both[0], both[1]).sum()
                pm.Potential("x", -energy - len(data) * log_z)
            else:
                ebm.EBM("x", both[0], both[1], energy=gaussian, reference=q, observed=data)
            fits.append(ebm.find_MLE(recenter=False, progressbar=False))
    for statistic in ("estimate", "se", "mcse"):
        one, other = (getattr(fit, statistic)["both"] for fit in fits)
        np.testing.assert_allclose(one, other, rtol=1e-5)
    assert fits[0].mcse["both"].shape == (2,)
    assert "both[scale]" in str(fits[0])


@pytest.mark.slow
@pytest.mark.usefixtures("interpreted")
def test_mixture_of_two_gaussians(rng):
    """Estimates and standard errors are those of the mixture with the exact densities."""
    data = np.concatenate([rng.normal(-2, 0.7, 60), rng.normal(2, 1.2, 140)])
    with pm.Model():
        w = pm.Beta("w", 1, 1)
        mu = pm.Flat("mu", shape=2, initval=np.array([-1.0, 1.0]))
        s = pm.HalfFlat("s", shape=2)
        parts = [ebm.EBM.dist(mu[g], s[g], energy=gaussian, reference=LINE) for g in (0, 1)]
        pm.Mixture("x", w=pt.stack([w, 1 - w]), comp_dists=parts, observed=data)
        fit = ebm.find_MLE(progressbar=False)
    found, se = (
        np.concatenate([np.ravel(of[name]) for name in ("w", "mu", "s")])
        for of in (fit.estimate, fit.se)
    )

    def loss(theta):
        w, mu, s = theta[0], theta[1:3], theta[3:]
        return -np.log(stats.norm(mu, s).pdf(data[:, None]) @ [w, 1 - w]).sum()

    # Derivatives by central differences: with this step right to 1e-6.
    h, e = 1e-4, np.eye(5)
    slope = np.array([loss(found + h * d) - loss(found - h * d) for d in e]) / (2 * h)
    bend = [
        [
            sum(a * b * loss(found + h * (a * one + b * two)) for a in (1, -1) for b in (1, -1))
            for one in e
        ]
        for two in e
    ]
    covariance = np.linalg.inv(np.array(bend) / (4 * h**2))
    # From the maximum by less than a ten-thousandth of each parameter's size.
    assert (abs(covariance @ slope) < 1e-4 * abs(found)).all()
    np.testing.assert_allclose(se, np.sqrt(np.diag(covariance)), rtol=1e-3)
    # The gradient of a mixture needs Z itself.
    with pytest.raises(ValueError, match="not linear in log Z"):
        with pm.Model():
            w = pm.Beta("w", 1, 1)
            parts = [ebm.EBM.dist(m, 1.0, energy=gaussian, reference=LINE) for m in (-1.0, 1.0)]
            pm.Mixture("x", w=pt.stack([w, 1 - w]), comp_dists=parts, observed=data)
            ebm.find_MLE("exact_gradient", progressbar=False)


@pytest.mark.slow
def test_florentine_marriages(seed, monkeypatch):
    """−1.674 ± 0.0015 and 0.1546 ± 0.0021 by long chains, standard errors 0.351 and 0.589.

    The default reference has one seed; here another. An mcse of 0.0024 and 0.0038, that of half the
    sweeps, makes 0.015 a bar of 3.5 standard errors.
    """
    ties = np.loadtxt("tests/data/florentine_marriage.csv", delimiter=",", skiprows=1, dtype=str)
    families = sorted({*ties.ravel(), "Pucci"})
    a = np.zeros((16, 16), dtype=int)
    i, j = np.searchsorted(families, ties).T
    a[i, j] = a[j, i] = 1
    pooled = anchored_chains.pooled

    other = lambda *args, random_seed, **kwargs: pooled(*args, random_seed=seed, **kwargs)
    monkeypatch.setattr(anchored_chains, "pooled", other)
    with pm.Model() as model:
        theta = pm.Normal("theta", 0, 5, shape=2)
        energy = ergm((edges, triangles))
        ebm.EBM("x", theta, energy=energy, signature="(k)", observed=to_dyads(a)[None])
        fit = ebm.find_MLE(progressbar=False)
    assert fit.converged
    assert (abs(fit.estimate["theta"] - [-1.674, 0.155]) < 0.015).all()
    np.testing.assert_allclose(fit.se["theta"], [0.351, 0.589], rtol=0.03)
    assert (fit.mcse["theta"] < 0.0057).all()
    # Without triangles each tie is by itself. Where the network fills up, log Z is that of nearly
    # complete graphs: missing ties have the logit −(θ_1 + 14 θ_2), and two of one family share a
    # triangle, so that e^θ_2 more are missing.
    places, truth = [[np.log(0.2), 0.0], [-1.67, 0.6], [-1.2, 0.5]], [120 * np.log1p(0.2)]
    for of_edges, of_triangles in places[1:]:
        missing = np.exp(-(of_edges + 14 * of_triangles))
        full = 120 * of_edges + 560 * of_triangles + 120 * np.log1p(missing)
        truth.append(full + 120 * 28 / 2 * missing**2 * np.expm1(of_triangles))
    q = model["x"].owner.op.spec.reference
    found = ebm.log_partition_at(energy, places, reference=q, signature="(k)")
    assert (abs(found.log_partition - truth) < 4 * found.mcse + 0.01).all()


@pytest.mark.usefixtures("interpreted")
def test_what_is_refused(rng):
    data = rng.normal(size=20)
    counts = rng.poisson(3, 20)
    with pm.Model() as continuous:
        s = pm.HalfFlat("s")
        ebm.EBM("x", 0.0, s, energy=gaussian, reference=LINE, observed=data)
    with pm.Model() as discrete:
        rate = pm.HalfFlat("rate")
        poisson = lambda k, r: -k * pt.log(r) + pt.gammaln(k + 1)
        states = ebm.reference.enumeration(np.arange(60))
        ebm.EBM("k", rate, energy=poisson, reference=states, observed=counts)
    with pm.Model() as positive:
        rate = pm.HalfFlat("rate")
        half = ebm.reference.quadrature(0, np.inf)
        ebm.EBM("t", rate, energy=lambda t, r: r * t, reference=half, observed=np.abs(data))
    with pm.Model() as with_potential:
        log_z = ebm.log_partition(gaussian, 0.0, pm.HalfFlat("s"), reference=LINE)
        pm.Potential("p", -log_z)
    with pm.Model() as with_limits:
        mu, limits = pm.Flat("mu"), (data[:3] - 1.0, np.inf)
        ebm.EBM("y", mu, 1.0, energy=gaussian, support=limits, observed=data[:3])
    with pm.Model() as nothing_free:
        ebm.EBM("x", 0.0, 1.0, energy=gaussian, reference=LINE, observed=data)
    for model, method, message in (
        (continuous, "newton", "unknown"),
        (continuous, "pseudolikelihood", "continuous"),
        (continuous, "noise_contrastive", "density of the reference of x"),
        (discrete, "score_matching", "discrete"),
        (positive, "score_matching", "vanish at the ends"),
        (with_potential, "score_matching", "p is no observed EBM"),
        (with_limits, "score_matching", "y has bounds that move or missing entries"),
        (nothing_free, "geyer", "there are none"),
    ):
        with pytest.raises(ValueError, match=message):
            ebm.find_MLE(method, model=model, progressbar=False)
    with pytest.raises(ValueError, match="include_prior"):
        ebm.find_MLE("score_matching", model=continuous, include_prior=True, progressbar=False)
    with pytest.raises(ValueError, match="start has tau"):
        ebm.find_MLE(model=continuous, start={"tau": 1.0}, progressbar=False)
    with pytest.raises(ValueError, match=r"start gives s the shape \(2,\), and it has \(\)"):
        ebm.find_MLE(model=continuous, start={"s": [1.0, 2.0]}, progressbar=False)
    with pytest.raises(TypeError, match=r"'geyer' has no option draws\. Its options are rec"):
        ebm.find_MLE(model=continuous, draws=5, progressbar=False)
    with pytest.raises(TypeError, match=r"no option simulations\. Its options are none"):
        ebm.find_MLE("score_matching", model=continuous, simulations=5, progressbar=False)
    with pytest.raises(ValueError, match=r"s = -1\. at an end, which its prior excludes"):
        ebm.fitting.path_integral({"s": -1.0}, {"s": 2.0}, model=continuous)
    with pytest.raises(ValueError, match=r"runs is 1,.*Give 2 or more"):
        ebm.fitting.path_integral({"s": 1.0}, {"s": 2.0}, model=continuous, runs=1)
    with pytest.raises(ValueError, match="no value of s"):
        ebm.fitting.path_integral({}, {"s": 1.0}, model=continuous)
    with pytest.raises(ValueError, match=r"s has shape \(\), and the path gives it \(2,\)"):
        ebm.fitting.path_integral({"s": np.ones(2)}, {"s": 1.0}, model=continuous)


@pytest.mark.usefixtures("interpreted")
def test_parameters_outside_the_likelihood_are_named(rng):
    with pm.Model():
        m = pm.Normal("m")
        mu = pm.Normal("mu", m, 1)
        ebm.EBM("x", mu, 1.0, energy=gaussian, reference=LINE, observed=rng.normal(size=20))
        with pytest.raises(ValueError, match=r"m do not enter the likelihood.*include_prior"):
            ebm.find_MLE(progressbar=False)
        assert ebm.find_MLE(include_prior=True, progressbar=False).converged
