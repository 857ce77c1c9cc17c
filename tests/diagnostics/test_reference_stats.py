"""Statistics of a posterior's draws against the same by hand."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import stats as st

from pymc_ebm.diagnostics import report
from pymc_ebm.distribution.ebm import EBM
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.reference._quadrature import quadrature


def test_the_share_of_points_without_weight(paper):
    """Half of the nodes of an even grid are negative."""
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma")
        half = lambda x, s: pt.switch(x < 0, np.inf, paper.energy(x, s))
        EBM("x", sigma, energy=half, reference=quadrature(-9, 9, 100), observed=abs(paper.DATA))
    shares = paper.computed(model, checks=())["reference_stats"]["zero_weight_share"]
    np.testing.assert_allclose(shares, 0.5)


def test_statistics_of_one_draw_by_hand(idata, paper):
    reference = paper.normal_reference()
    stats = idata["reference_stats"].isel(chain=1, draw=7, ebm=0)
    sigma = idata["posterior"]["sigma"][1, 7].item()
    w = np.exp(reference.log_weights - reference.points**2 / (2 * sigma**2))
    m, ess = w.size, w.sum() ** 2 / (w**2).sum()
    variance = m / (m - 1) * (1 / ess - 1 / m)
    expected = {
        "log_partition": np.log(w.sum()),
        "log_partition_mcse": np.sqrt(variance),
        "ess": ess,
        "amplification": paper.N,
        "loglik_variance": paper.N**2 * variance,
        "zero_weight_share": 0,
        "edge_weight": 0,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(stats[name], value, rtol=1e-8, err_msg=name)
    assert stats["pareto_k"] < 0.5


def test_reference_error_of_the_posterior_mean(idata, paper):
    """0.0159 predicted and 0.0162 seen, for q = N(2, 4²), M = 5000, N = 100."""
    added = idata["reference_mcse"]["sigma"]
    np.testing.assert_allclose(added.sel(statistic="mean"), 0.0159, rtol=0.1)
    means, sds = [], []
    for seed in range(100):
        y = st.norm(2, 4).rvs(5000, random_state=1000 + seed)
        grid = paper.GRID[::20]
        # Each grid point's weights, relative to the proposal.
        weights = np.exp((y - 2) ** 2 / 32 - y**2 / (2 * grid[:, None] ** 2))
        log_p = (
            -paper.N * np.log(weights.sum(1)) - (paper.DATA**2).sum() / (2 * grid**2) - grid**2 / 50
        )
        p = np.exp(log_p - log_p.max())
        p /= p.sum()
        means.append(p @ grid)
        sds.append(np.sqrt(p @ (grid - means[-1]) ** 2))
    # Four standard errors of a spread of 100.
    four = 4 / np.sqrt(2 * 99)
    np.testing.assert_allclose(added.sel(statistic="mean"), np.std(means), rtol=four)
    np.testing.assert_allclose(added.sel(statistic="sd"), np.std(sds), rtol=four)


def test_normalisers_with_one_reference_share_its_error(idata, paper):
    model = paper.gaussian(paper.normal_reference(), parts=2)
    halves = paper.computed(model, paper.exact_draws(), checks=())
    xr.testing.assert_allclose(halves["reference_mcse"]["sigma"], idata["reference_mcse"]["sigma"])
    np.testing.assert_allclose(halves["reference_stats"]["amplification"], paper.N / 2)


def test_quadrature_error_is_that_of_half_the_nodes(paper):
    """The interpolating rule on every second node of one with 9 nodes, for E = 0.3 x."""
    rule = quadrature(-1, 1, 9)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma")
        log_z = log_partition(lambda x, s: 0.3 * x * s, sigma, reference=rule)
        pm.Potential("p", -10 * log_z)
    idata = paper.computed(model, checks=())
    stats = idata["reference_stats"].isel(chain=0, draw=0, ebm=0)
    sigma = idata["posterior"]["sigma"][0, 0].item()
    nodes = np.polynomial.legendre.leggauss(9)[0][::2]
    # Exact for polynomials up to degree 4: integrate the interpolant of the integrand.
    fit = np.polynomial.Polynomial.fit(nodes, np.exp(-0.3 * nodes * sigma), 4)
    coarse = np.log(np.diff(fit.integ()([-1.0, 1.0])))
    exact = np.log(2 * np.sinh(0.3 * sigma) / (0.3 * sigma))
    np.testing.assert_allclose(stats["quadrature_error"], abs(coarse - exact)[0], rtol=1e-6)


def test_initial_values_are_no_obstacle(paper):
    """PyMC copies no model with initial values; the statistics must not need that."""
    reference = quadrature(-np.inf, np.inf)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5, initval=2.0)
        EBM("x", sigma, energy=paper.energy, reference=reference, observed=paper.DATA)
    stats = paper.computed(model, checks=())["reference_stats"]
    np.testing.assert_allclose(stats["amplification"], paper.N)
    assert model.initial_point()["sigma_log__"] == pytest.approx(np.log(2))


def test_a_tree_of_its_own(paper):
    idata = paper.exact_draws(40)
    model = paper.gaussian(paper.normal_reference(draws=50))
    tree = paper.computed(model, idata, checks=(), extend_inferencedata=False)
    assert set(tree.children) == {"reference_stats", "reference_mcse"}
    assert "reference_stats" not in idata.children


def test_thinned_draws(paper):
    """The same at the draws that are left, and errors that differ by chance alone.

    An error from S draws has one of its own of about 1/√(2S): 4% at 400. Four of those are allowed.
    """
    model = paper.gaussian(paper.normal_reference(draws=2000))
    thinned = paper.computed(model, paper.exact_draws(800), draws=400, checks=())
    every = paper.computed(model, paper.exact_draws(800), checks=())
    of_thinned, of_every = (
        tree["reference_stats"].to_dataset().drop_vars(["elpd_mcse", "variable"])
        for tree in (thinned, every)
    )
    assert of_every.sizes["draw"] == 400
    assert of_thinned["draw"].to_numpy().tolist() == list(range(0, 400, 2))
    xr.testing.assert_allclose(of_every.sel(draw=of_thinned["draw"]), of_thinned)
    ratio = thinned["reference_mcse"]["sigma"] / every["reference_mcse"]["sigma"]
    np.testing.assert_allclose(ratio, 1, atol=0.15)
    assert "by 400 of 800 draws" in " ".join(report(thinned).reasons)


def test_draws_are_thinned_where_points_are_many(paper):
    model = paper.gaussian(paper.normal_reference(draws=130_000))
    found = paper.computed(model, paper.exact_draws(800), checks=())
    assert found["reference_stats"].sizes["draw"] == 100  # of 400 in each chain


def test_what_is_missing_is_named(paper):
    with pytest.raises(ValueError, match="Run compute_reference_stats"):
        report(paper.exact_draws(40))
    with pm.Model() as plain:
        pm.Normal("sigma")
    with pytest.raises(ValueError, match=r"no estimated normaliser.*pymc_ebm.EBM"):
        paper.computed(plain)
    model = paper.gaussian(paper.normal_reference(draws=50))
    with pytest.raises(ValueError, match="no estimated normaliser in sigma"):
        paper.computed(model, var_names=["sigma"])
    other = paper.exact_draws(40)
    other["posterior"] = other["posterior"].to_dataset().rename(sigma="tau")
    with pytest.raises(ValueError, match="no sigma"):
        paper.computed(model, other)
