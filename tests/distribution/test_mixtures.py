"""Mixtures of energy-based models (eq. 26): p(x) = Σ_g π_g exp(−E_g(x | θ_g)) / Z_g(θ_g)."""

import csv
import math

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from pymc.distributions.transforms import ordered
from scipy import optimize, special, stats

import pymc_ebm as ebm


def gaussian(x, mu, s):
    return ((x - mu) / s) ** 2 / 2


def quartic(x, mu, s):
    return ((x - mu) / s) ** 4


# Z in closed form: √(2π) s and 2 Γ(5/4) s.
LOG_Z = {gaussian: 0.5 * math.log(2 * math.pi), quartic: math.log(2 * math.gamma(1.25))}


def exact(energy, mu, s):
    return pm.CustomDist.dist(
        mu, s, logp=lambda x, mu, s: -energy(x, mu, s) - pt.log(s) - LOG_Z[energy]
    )


def mixture(data, energies, references, centres, scale, batched=False):
    """The model; closed forms where there are no references.

    Locations are ordered, as otherwise any two components could change places; centres of the
    prior that differ make an ordered start. The prior of the scales vanishes at 0, where a
    component on one datum (or on ties) would have a likelihood without bound.
    """
    n = len(energies)
    coords = {"component": ["low", "high"], "obs": np.arange(len(data))}
    with pm.Model(coords=coords) as model:
        w = pm.Dirichlet("w", np.full(n, 2.0), dims="component")
        mu = pm.Normal("mu", centres, scale, transform=ordered, dims="component")
        s = pm.LogNormal("s", np.log(scale), 0.5, dims="component")
        if batched:
            components = ebm.EBM.dist(mu, s, energy=energies[0], reference=references[0])
        elif references is None:
            components = [exact(e, mu[g], s[g]) for g, e in enumerate(energies)]
        else:
            components = [
                ebm.EBM.dist(mu[g], s[g], energy=e, reference=r)
                for g, (e, r) in enumerate(zip(energies, references, strict=True))
            ]
        pm.Mixture("x", w, components, observed=data, dims="obs")
    return model, components


def draws_about(rng, mode, n_draws):
    """Draws about as far from the mode as a posterior has them."""
    draws = {n: mode[n] * rng.normal(1, 0.03, size=(2, n_draws, 2)) for n in ("mu", "s")}
    share = mode["w"][0] + rng.normal(0, 0.03, size=(2, n_draws))
    return az.from_dict(
        {"posterior": {"w": np.stack([share, 1 - share], axis=-1), **draws}},
        coords={"component": ["low", "high"]},
        dims={n: ["component"] for n in ("w", "mu", "s")},
    )


def log_likelihood(model, idata):
    """``(chain, draw)``, at posterior draws."""
    with model:
        found = pm.compute_log_likelihood(idata, extend_inferencedata=False, progressbar=False)
    return found["x"].sum("obs").to_numpy()


def reweighted(posterior, log_ratio):
    """Moments that draws have after their density is multiplied by a ratio, minus their own."""
    w = np.exp(log_ratio - log_ratio.max())
    w = xr.DataArray(w / w.sum(), dims=("chain", "draw"))
    shifts = {}
    for name in ("w", "mu", "s"):
        values = posterior[name]
        mean = (w * values).sum(("chain", "draw"))
        sd = np.sqrt((w * (values - mean) ** 2).sum(("chain", "draw")))
        shifts[name, "mean"] = mean - values.mean(("chain", "draw"))
        shifts[name, "sd"] = sd - values.std(("chain", "draw"))
    return shifts


@pytest.fixture(scope="module")
def two_gaussians():
    """150 draws of 0.4 N(−2, 1) + 0.6 N(2, 0.5²), and `pm.NormalMixture`, the truth."""
    rng = np.random.default_rng(26)
    low = rng.random(150) < 0.4
    data = np.where(low, rng.normal(-2, 1, 150), rng.normal(2, 0.5, 150))
    with pm.Model(coords={"component": ["low", "high"], "obs": np.arange(150)}) as truth:
        w = pm.Dirichlet("w", np.full(2, 2.0), dims="component")
        mu = pm.Normal("mu", [-1.0, 1.0], 2.0, transform=ordered, dims="component")
        s = pm.LogNormal("s", np.log(2.0), 0.5, dims="component")
        pm.NormalMixture("x", w, mu, s, observed=data, dims="obs")
    return data, truth


@pytest.fixture(scope="module")
def posterior(two_gaussians):
    """1000 draws of the exact posterior, resampled from a wider law at its mode."""
    data, _ = two_gaussians
    rng = np.random.default_rng(1)

    def log_p(u):
        """By the log odds of the first component, locations and log scales, ``(S, 5)``."""
        log_w = special.log_expit(u[:, :1] * [1, -1])
        mu, log_s = u[:, 1:3], u[:, 3:]
        of_data = stats.norm(mu, np.exp(log_s)).logpdf(data[:, None, None]) + log_w
        prior = 2 * log_w - (mu - [-1, 1]) ** 2 / 8 - (log_s - np.log(2)) ** 2 / (2 * 0.5**2)
        return special.logsumexp(of_data, axis=-1).sum(axis=0) + prior.sum(axis=1)

    mode = optimize.minimize(lambda u: -log_p(u[None])[0], [-0.4, -2, 2, 0, -0.7])
    law = stats.multivariate_t(mode.x, 1.3 * mode.hess_inv, df=8, seed=rng)
    u = law.rvs(10_000)
    log_ratio = log_p(u) - law.logpdf(u)
    share = np.cumsum(np.exp(log_ratio - log_ratio.max()))
    chosen = np.searchsorted(share / share[-1], (np.arange(1000) + rng.random()) / 1000)
    u = rng.permutation(u[chosen]).reshape(2, 500, 5)
    return az.from_dict(
        {"posterior": {
            "w": special.expit(u[..., :1] * [1, -1]), "mu": u[..., 1:3], "s": np.exp(u[..., 3:])
        }},
        coords={"component": ["low", "high"]},
        dims={n: ["component"] for n in ("w", "mu", "s")},
    )  # fmt: skip


@pytest.mark.slow
def test_two_gaussians_by_quadrature(two_gaussians, posterior):
    """The likelihood at all draws is that of pm.NormalMixture, and the report ok."""
    (data, truth), idata = two_gaussians, posterior.copy(deep=True)
    grid = ebm.reference.quadrature(-30, 30, 400)
    model, components = mixture(data, [gaussian] * 2, [grid] * 2, [-1.0, 1.0], 2.0)
    np.testing.assert_allclose(
        log_likelihood(model, idata), log_likelihood(truth, idata), rtol=1e-10
    )
    with model:
        ebm.compute_reference_stats(idata, progressbar=False)
    statistics = idata["reference_stats"].to_dataset()
    assert statistics["ebm"].to_numpy().tolist() == ["x[low]", "x[high]"]
    np.testing.assert_allclose(statistics["amplification"].sum("ebm"), len(data), rtol=1e-10)
    log_z = LOG_Z[gaussian] + np.log(idata.posterior["s"].to_numpy())
    np.testing.assert_allclose(statistics["log_partition"], log_z, atol=1e-8)
    assert ebm.report(idata).status == "ok"

    # The recipe of docs/mixtures.md, against Bayes' rule at every posterior draw.
    w, mu, s = (idata.posterior[name].to_numpy()[:, :, None] for name in ("w", "mu", "s"))
    weighted = w * stats.norm(mu, s).pdf(data[:, None])
    expected = weighted / weighted.sum(axis=-1, keepdims=True)
    with model:
        log_joint = pt.log(model["w"]) + pt.stack([pm.logp(c, data) for c in components], axis=-1)
        pm.Deterministic(
            "membership", pt.special.softmax(log_joint, axis=-1), dims=("obs", "component")
        )
        pm.compute_deterministics(
            idata, var_names=["membership"], extend_dataset=True, progressbar=False
        )
    membership = idata.posterior["membership"]
    assert membership.dims == ("chain", "draw", "obs", "component")
    assert membership["component"].to_numpy().tolist() == ["low", "high"]
    np.testing.assert_allclose(membership, expected, atol=1e-8)


@pytest.mark.slow
def test_two_gaussians_by_sobol_points(two_gaussians, posterior):
    """What the points do to means and sds, by reweighting, is within 5 of what they are said to.

    16 scramblings give each standard error within about 20%.
    """
    (data, truth), idata = two_gaussians, posterior
    references = [
        ebm.reference.independent(
            pm.StudentT.dist(nu=5, mu=centre, sigma=2.0), 4096, "sobol", random_seed=g
        )
        for g, centre in enumerate((-1.0, 1.0))
    ]
    model, _ = mixture(data, [gaussian] * 2, references, [-1.0, 1.0], 2.0)
    log_ratio = log_likelihood(model, idata) - log_likelihood(truth, idata)
    every_other = idata.posterior.isel(draw=slice(None, None, 2)).to_dataset()
    some = xr.DataTree.from_dict({"posterior": every_other})
    with model:
        ebm.compute_reference_stats(some, checks=[], progressbar=False)
    for (name, statistic), shift in reweighted(idata.posterior, log_ratio).items():
        added = some["reference_mcse"][name].sel(statistic=statistic)
        assert (abs(shift) < 5 * added).all(), (name, statistic)
    statistics = some["reference_stats"].to_dataset()
    log_z = LOG_Z[gaussian] + np.log(some.posterior["s"].to_numpy())
    errors = (statistics["log_partition"] - log_z) / statistics["log_partition_mcse"]
    assert (abs(errors.mean(("chain", "draw"))) < 5).all()


@pytest.mark.usefixtures("interpreted")
def test_one_batch_of_components(two_gaussians, rng):
    """Components as one batched distribution: the same logp, and c and log Z of each."""
    data, normal_mixture = two_gaussians
    grid = ebm.reference.quadrature(-30, 30, 800)
    model, _ = mixture(data, [gaussian] * 2, [grid], [-1.0, 1.0], 2.0, batched=True)
    point = model.initial_point()
    np.testing.assert_allclose(
        model.compile_logp()(point), normal_mixture.compile_logp()(point), rtol=1e-10
    )
    few = draws_about(rng, {"w": [0.4, 0.6], "mu": [-2.0, 2.0], "s": [1.0, 0.5]}, 5)
    with model:
        tree = ebm.compute_reference_stats(
            few, checks=[], extend_inferencedata=False, progressbar=False
        )
    statistics = tree["reference_stats"].to_dataset()
    log_z = LOG_Z[gaussian] + np.log(few.posterior["s"].to_numpy())
    np.testing.assert_allclose(statistics["log_partition"], log_z, atol=1e-8)
    w, mu, s = (few.posterior[name].to_numpy()[:, :, None] for name in ("w", "mu", "s"))
    weighted = w * stats.norm(mu, s).pdf(data[:, None])
    counts = (weighted / weighted.sum(axis=-1, keepdims=True)).sum(axis=2)
    np.testing.assert_allclose(statistics["amplification"], counts, rtol=1e-6)


@pytest.fixture(scope="module")
def waiting():
    with open("demo/data/faithful.csv") as file:
        return np.array([float(row["waiting"]) for row in csv.DictReader(file)])


@pytest.mark.usefixtures("interpreted")
def test_old_faithful(waiting, rng):
    """Quartic short waits and Gaussian long ones: logp and log Z in closed form, and the mode.

    Each component has its own reference, around its own prior location.
    """
    energies, centres = [quartic, gaussian], [55.0, 80.0]
    references = [
        ebm.reference.independent(
            pm.StudentT.dist(nu=5, mu=centre, sigma=12.0), 4096, "sobol", random_seed=1
        )
        for centre in centres
    ]
    grid = ebm.reference.quadrature(0, 160, 400)
    model, _ = mixture(waiting, energies, references, centres, 8.0)
    by_quadrature, _ = mixture(waiting, energies, [grid, grid], centres, 8.0)
    closed, _ = mixture(waiting, energies, None, centres, 8.0)

    point = closed.initial_point()
    logp = [m.compile_logp()(point) for m in (by_quadrature, closed)]
    np.testing.assert_allclose(*logp, rtol=1e-10)
    modes = [pm.find_MAP(model=m, progressbar=False) for m in (model, closed)]
    for name in ("w", "mu", "s"):
        # The error of log Ẑ moves the mode by a small share of the posterior sd of about 5%.
        np.testing.assert_allclose(*(mode[name] for mode in modes), rtol=2e-3)

    few = draws_about(rng, modes[1], 20)
    with model:
        ebm.compute_reference_stats(few, checks=[], progressbar=False)
    statistics = few["reference_stats"].to_dataset()
    log_z = np.log(few.posterior["s"].to_numpy()) + [LOG_Z[e] for e in energies]
    np.testing.assert_allclose(statistics["log_partition"], log_z, atol=5e-3)
    np.testing.assert_allclose(statistics["amplification"].sum("ebm"), len(waiting))
