"""The error that the level of log Ẑ adds to elpd, against its spread over references."""

import arviz as az
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import stats
from scipy.special import logsumexp, ndtri

import pymc_ebm as ebm
from pymc_ebm.diagnostics.error.level_error import LevelError
from pymc_ebm.reference.uniforms import uniforms

pytestmark = pytest.mark.usefixtures("interpreted")
DATA = 2 * stats.norm.ppf((np.arange(100) + 0.5) / 100)
GRID = np.linspace(1.2, 3.2, 81)


def energy(x, sigma):
    return x**2 / (2 * sigma**2)


def posterior_of(q):
    """Probabilities on the grid with reference q, and log p(x_n | σ) there, ``(N, S)``."""
    log_z = logsumexp(q.log_weights - energy(q.points, GRID[:, None]), axis=1)
    log_p = -energy(DATA[:, None], GRID) - log_z
    total = log_p.sum(axis=0) - GRID**2 / 50
    p = np.exp(total - total.max())
    return p / p.sum(), log_p


def elpds(q):
    """Sum of log E[p(x_n | σ)], and of exact leave-one-out −log E[1 / p(x_n | σ)]."""
    p, log_p = posterior_of(q)
    return logsumexp(log_p, b=p, axis=1).sum(), -logsumexp(-log_p, b=p, axis=1).sum()


def model_of(q):
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5)
        ebm.EBM("x", sigma, energy=energy, reference=q, observed=DATA)
    return model


def draws_of(q, n=40):
    p, _ = posterior_of(q)
    sigma = GRID[np.searchsorted(np.cumsum(p), (np.arange(n) + 0.5) / n)]
    return az.from_dict({"posterior": {"sigma": sigma[None]}})


@pytest.mark.slow
@pytest.mark.parametrize("draws, method", [(2000, "iid"), (256, "sobol")])
def test_spread_over_references(draws, method, seed):
    """Within 15%: 300 seeds have a standard error of 4%, and the forecast little; of 16
    scramblings six forecasts have one of 8%, and twice that is allowed.
    """

    def make(k):
        u, groups = uniforms(method, draws, 1, np.random.default_rng([seed, k]))
        points = 4 * ndtri(u[:, 0])
        log_q = stats.norm(0, 4).logpdf(points)
        return ebm.reference.Reference(points, -log_q - np.log(draws), groups)

    spread = np.std([elpds(make(k)) for k in range(300)], axis=0, ddof=1)
    forecasts = []
    for k in range(6 if method == "sobol" else 2):
        q = make(1000 + k)
        idata = ebm.compute_reference_stats(
            draws_of(q, 20), model=model_of(q), checks=(), progressbar=False
        )
        forecasts.append(float(idata["reference_stats"]["elpd_mcse"].sel(variable="x")))
    found = np.sqrt(np.mean(np.square(forecasts)))
    np.testing.assert_allclose(found, spread, rtol=0.15 if method == "iid" else 0.25)
    assert any(f"adds {forecasts[-1]:.2g} nats" in reason for reason in ebm.report(idata).reasons)


def test_an_estimate_of_the_level_counts(rng):
    """An error of log Z that all draws share counts N times in the elpd, beside the points."""
    y, log_f = rng.normal(0, 4, 200), lambda x: -(x**2) / 32
    level = np.log(np.sqrt(32 * np.pi))
    errors = []
    for se in (0.0, 0.3):
        q = ebm.reference.from_draws(y, log_f, log_partition=(level, se))
        idata = ebm.compute_reference_stats(
            draws_of(q, 5), model=model_of(q), progressbar=False, checks=[]
        )
        errors.append(float(idata["reference_stats"]["elpd_mcse"].sel(variable="x")))
    np.testing.assert_allclose(np.sqrt(errors[1] ** 2 - errors[0] ** 2), 0.3 * len(DATA), rtol=1e-6)


def test_components_share_points_and_constants_have_no_level(rng):
    """Influences of one variable add before they are squared; two references are independent."""
    q = ebm.reference.independent(pm.Normal.dist(0, 4), 50, random_seed=rng)
    other = ebm.reference.independent(pm.Normal.dist(0, 4), 50, random_seed=rng)
    chain = ebm.reference.chain(energy, 2.0, draws=rng.normal(0, 2, (2, 1000)), progressbar=False)
    line = ebm.reference.quadrature(-np.inf, np.inf)
    keys = {("x", "q"): q, ("x", "other"): other, ("y", "chain"): chain, ("z", "line"): line}
    level, every = LevelError(keys), slice(0, 50)
    a, b, c = rng.normal(size=(3, 50))
    for influence in (a, b):
        level.add(("x", "q"), every, influence)
    level.add(("x", "other"), every, c)
    found = level.result(2)
    # Independent points: G/(G−1) Σ (Φ − mean)² is the sample variance times G.
    expected = 50 * (np.var((a + b) / 2, ddof=1) + np.var(c / 2, ddof=1))
    np.testing.assert_allclose(found["x"], np.sqrt(expected))
    assert np.isnan(found["y"]) and found["z"] == 0


def test_the_group_of_a_file(tmp_path):
    """It goes through zarr and comes back."""
    q = ebm.reference.independent(pm.Normal.dist(0, 4), 200, random_seed=1)
    idata = ebm.compute_reference_stats(
        draws_of(q), model=model_of(q), checks=(), progressbar=False
    )
    idata.to_zarr(tmp_path / "stats.zarr")
    with xr.open_datatree(tmp_path / "stats.zarr", engine="zarr") as back:
        xr.testing.assert_equal(
            back["reference_stats"]["elpd_mcse"], idata["reference_stats"]["elpd_mcse"]
        )


def test_an_anchor_whose_log_z_is_an_estimate(rng):
    """Its standard error is that of log Ẑ at every θ, counts N times in the elpd, and moves nothing
    else."""
    y = rng.normal(0, 2, (4, 5000))
    truth = np.log(2 * np.sqrt(2 * np.pi))
    found = []
    for given in (truth, (truth, 0.05)):
        q = ebm.reference.chain(energy, 2.0, draws=y, log_partition=given, progressbar=False)
        stats_of_draws = ebm.compute_reference_stats(
            draws_of(q, 20), model=model_of(q), checks=(), progressbar=False
        )
        found.append(stats_of_draws)
    exact, estimated = (f["reference_stats"] for f in found)
    assert q.level == "absolute" and q.level_mcse == 0.05
    np.testing.assert_allclose(
        estimated["elpd_mcse"], np.hypot(exact["elpd_mcse"], len(DATA) * 0.05), rtol=1e-9
    )
    np.testing.assert_allclose(
        estimated["log_partition_mcse"], np.hypot(exact["log_partition_mcse"], 0.05), rtol=1e-9
    )
    for name in ("log_partition", "loglik_variance", "ess"):
        np.testing.assert_allclose(estimated[name], exact[name], rtol=1e-9)
    xr.testing.assert_allclose(found[0]["reference_mcse"].ds, found[1]["reference_mcse"].ds)
