"""Geyer's method: references that move, stay, or are too far away."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import optimize
from scipy.stats import norm
from scipy.stats import t as stats_t

import pymc_ebm as ebm
from pymc_ebm.fitting.find_mle import solve

pytestmark = pytest.mark.usefixtures("interpreted")


def gaussian(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


def gaussian_scale(x, s):
    return gaussian(x, 0.0, s)


@pytest.mark.parametrize(
    ("case", "share"),
    # Sites of their own are far from a lattice, and more points than are allowed would be needed.
    [("gaussian", 0.1), ("conway", 0.1), ("ising", 0.15)],
    indirect=["case"],
)
def test_recentred_reference_adds_no_more_than_is_asked(case, share, rng):
    model, problem = case.build(rng, 100)
    fit = solve(problem, "geyer", mcse_share=share, random_seed=rng)
    assert fit.converged
    assert all(fit.mcse[n] <= share * fit.se[n] for n in case.names)
    away = np.abs(case.vector(fit.estimate) - case.mle(model["data"].get_value()))
    assert (away < 5 * case.vector(fit.mcse)).all()


@pytest.mark.filterwarnings("ignore:The energies of the data:UserWarning")
def test_unbounded_likelihood_raises(rng):
    """E linear in x², and the data's x² outside that of every point."""
    narrow = ebm.reference.independent(pm.Normal.dist(0, 0.1), draws=500, random_seed=1)
    with pm.Model():
        b = pm.Flat("b", initval=0.2)
        ebm.EBM(
            "x", b, energy=lambda x, b: b * x**2, reference=narrow, observed=rng.normal(0, 2, 50)
        )
        for method in ("geyer", "gradient_descent"):
            with pytest.raises(ValueError, match=r"no maximum.*widen or re-centre"):
                ebm.find_MLE(method, progressbar=False)


def test_energy_of_a_fixed_number_of_points_keeps_its_reference(rng):
    """As those of wrap_jax: the estimate and its mcse are those without re-centring."""

    def energy(x, s):
        if x.type.shape[0] is None:
            raise ValueError("static shapes only")
        return x**2 / (2 * s**2)

    with pm.Model():
        s = pm.HalfFlat("s")
        ebm.EBM("x", s, energy=energy, observed=rng.normal(0, 2, 60))
        moved = ebm.find_MLE(mcse_share=1e-4, progressbar=False)
        fixed = ebm.find_MLE(recenter=False, progressbar=False)
    assert moved.mcse["s"] == fixed.mcse["s"] > 1e-4 * fixed.se["s"]


@pytest.mark.slow
def test_chains_stay_and_the_remedy_is_more_draws(rng):
    """A chain far from the estimate is not replaced by independent draws, and it says so."""
    data = rng.normal(0, 2, 100)
    chains = [
        ebm.reference.chain(gaussian_scale, 2.5, draws=2.5 * rng.normal(size=(4, draws)))
        for draws in (250, 40_000)
    ]
    with pm.Model() as model:
        s = pm.HalfFlat("s")
        ebm.EBM("x", s, energy=gaussian_scale, reference=chains[0], observed=data)
    problem, found = ebm.fitting.Problem(model), []
    for q in chains:
        problem.set_reference(0, q)
        fit, same = solve(problem), solve(problem, recenter=False)
        assert fit.estimate["s"] == same.estimate["s"]
        found.append(fit)
    few, many = found
    assert not few.converged and "The draws add" in few.reason and "times the draws" in few.reason
    assert many.converged
    assert abs(many.estimate["s"] - np.sqrt(np.mean(data**2))) < 5 * many.mcse["s"]


def seen(y):
    """Probability that a detector sees y."""
    return norm.cdf((y - 1) / 0.5)


def detected(y, rng):
    return y[rng.random(len(y)) < seen(y)]


def population(x, mu, s):  # normalised without the detector
    return (x - mu) ** 2 / (2 * s**2) + pt.log(s) + 0.5 * np.log(2 * np.pi)


@pytest.mark.parametrize(("draws", "enough"), [(40_000, False), (1_000_000, True)])
def test_a_selection_stays_with_its_reference(draws, enough, rng):
    """Z = Φ((μ − 1)/√(s² + 0.5²)); a reference fitted anew would know nothing of the detector."""
    data = detected(rng.normal(0.8, 1, 400), rng)
    law = norm(0.5, 2.5)
    injections = detected(law.rvs(draws, random_state=rng), rng)
    q = ebm.reference.from_draws(injections, law.logpdf, total_draws=draws)

    def exact(u):
        log_z = norm.logcdf((u[0] - 1) / np.hypot(0.5, np.exp(u[1])))
        return len(data) * log_z - norm.logpdf(data, u[0], np.exp(u[1])).sum()

    truth = optimize.minimize(exact, [0.5, 0.0]).x
    with pm.Model():
        mu, s = pm.Normal("mu"), pm.HalfNormal("s")
        ebm.EBM("x", mu, s, energy=population, reference=q, observed=data)
        fit = ebm.find_MLE(mcse_share=0.1 if enough else 0.01, progressbar=False)
        for blind in ("score_matching", "pseudolikelihood"):
            with pytest.raises(
                ValueError, match=r"selection threw away\. Use exact_gradient, geyer"
            ):
                ebm.find_MLE(blind, progressbar=False)
    assert fit.converged == enough
    if not enough:
        assert "give from_draws" in fit.reason
    assert abs(fit.estimate["mu"] - truth[0]) < 4 * fit.mcse["mu"] < 0.3
    assert abs(fit.estimate["s"] - np.exp(truth[1])) < 4 * fit.mcse["s"]
    # Without the selection it would be the mean of the data.
    assert data.mean() - fit.estimate["mu"] > 0.3


def test_draws_outside_the_support_are_no_selection(rng):
    """What `support=` drops is known, and a reference fitted anew has it too: E = x/s on x > 0."""
    law = stats_t(5, scale=4)
    q = ebm.reference.from_draws(law.rvs(600, random_state=rng), law.logpdf)
    data = rng.exponential(2.0, size=200)
    with pm.Model():
        s = pm.HalfFlat("s", initval=1.0)
        energy = lambda x, s: x / s
        ebm.EBM("x", s, energy=energy, reference=q, observed=data, support="positive")
        fit = ebm.find_MLE(random_seed=rng, progressbar=False)
    assert fit.converged
    assert abs(fit.estimate["s"] - data.mean()) < 4 * fit.mcse["s"]


def test_recentring_needs_the_space_of_integers(rng):
    """Two values, or all from 0 on: log Z is log(1 + e^b) or −log(1 − e^b)."""
    data = (rng.random(100) < 0.7).astype(int)
    draws = rng.integers(0, 2, 400)
    for support in (None, (0, 1)):
        q = ebm.reference.from_draws(draws, np.full(400, -np.log(2)), support=support)
        with pm.Model():
            b = pm.Flat("b")
            ebm.EBM("x", b, energy=lambda x, b: -b * x, reference=q, observed=data)
            if support is None:
                with pytest.raises(ValueError, match=r"from 0 to 1.*support=\(0, 1\)"):
                    ebm.find_MLE(mcse_share=0.02, progressbar=False)
            else:
                fit = ebm.find_MLE(mcse_share=0.02, random_seed=rng, progressbar=False)
    truth = np.log(data.mean() / (1 - data.mean()))
    assert fit.converged
    assert abs(fit.estimate["b"] - truth) < 5 * fit.mcse["b"]


def test_recentring_asks_where_counts_begin(rng):
    """Counts from 1 on or from 0, of E = −bx: log Z is b − log(1 − e^b) or −log(1 − e^b)."""
    data = rng.geometric(0.4, 100)
    law = pm.Geometric.dist(0.3)
    for support in (None, (1, np.inf)):
        q = ebm.reference.independent(law, 400, support=support, random_seed=1)
        with pm.Model():
            b = pm.TruncatedNormal("b", 0, 10, upper=0, initval=-0.5)
            ebm.EBM("x", b, energy=lambda x, b: -b * x, reference=q, observed=data)
            if support is None:
                with pytest.raises(ValueError, match=r"from 1 to.*or \(1, np.inf\)"):
                    ebm.find_MLE(mcse_share=0.02, progressbar=False)
            else:
                fit = ebm.find_MLE(mcse_share=0.02, random_seed=rng, progressbar=False)
    assert fit.converged
    assert abs(fit.estimate["b"] - np.log(1 - 1 / data.mean())) < 5 * fit.mcse["b"]


def test_draws_that_are_bound_stay_as_they_are(rng):
    """Symmetric matrices: the log odds of their dyads. Draws of free sites gave −2.12 for −0.75."""
    upper = np.triu_indices(5, 1)

    def symmetric(dyads):
        x = np.zeros((len(dyads), 5, 5), dtype=int)
        x[:, *upper] = dyads
        return x + x.swapaxes(1, 2)

    dyads = rng.random((10, 10)) < 0.3
    points = symmetric(rng.random((8192, 10)) < 0.5)
    q = ebm.reference.from_draws(points, np.full(8192, -10 * np.log(2)))
    truth = np.log(dyads.mean() / (1 - dyads.mean()))
    with pm.Model():
        t = pm.Flat("t", initval=0.0)
        energy = lambda x, t: -t * x.sum((-1, -2)) / 2
        ebm.EBM("x", t, energy=energy, observed=symmetric(dyads), reference=q)
        fit = ebm.find_MLE(progressbar=False, random_seed=rng)
        with pytest.raises(ValueError, match=r'x is of a space .* Use method="geyer"'):
            ebm.find_MLE("pseudolikelihood", progressbar=False)
    assert abs(fit.estimate["t"] - truth) < 4 * fit.mcse["t"] < 2 * fit.se["t"]
