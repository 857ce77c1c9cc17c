"""The diagnostics on models whose answers are known: the paper's Gaussian and its relatives."""

import json

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import stats as st

from pymc_ebm.diagnostics import amplification, compute_reference_stats, find_log_partitions, report
from pymc_ebm.distribution.ebm import EBM
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.reference._enumeration import enumeration
from pymc_ebm.reference._from_draws import from_draws
from pymc_ebm.reference._quadrature import quadrature
from pymc_ebm.reference.base import Reference

N = 100
# Of this root mean square the posterior sd is 0.124, as in the field's reference numbers.
DATA = np.resize([-1.754, 1.754], N)


def energy(x, sigma):
    return x**2 / (2 * sigma**2)


def normal_reference(mean=2.0, sd=4.0, draws=5000, seed=1):
    q = st.norm(mean, sd)
    return from_draws(q.rvs(draws, random_state=seed), q.logpdf)


def gaussian(reference, data=DATA, parts=1):
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5)
        x = pm.Data("x", data)
        for i in range(parts):
            log_z = log_partition(energy, sigma, reference=reference)
            share = (energy(x, sigma).sum() + x.shape[0] * log_z) / parts
            pm.Potential("likelihood" if parts == 1 else f"part{i}", -share)
    return model


GRID = np.linspace(1.2, 2.8, 800)


def exact_draws(n_draws=400):
    """Quantiles of the exact posterior of sigma, as two chains."""
    log_p = -N * np.log(GRID) - (DATA**2).sum() / (2 * GRID**2) - GRID**2 / 50
    cdf = np.cumsum(np.exp(log_p - log_p.max()))
    draws = np.interp((np.arange(n_draws) + 0.5) / n_draws, cdf / cdf[-1], GRID)
    posterior = xr.Dataset(
        {"sigma": (("chain", "draw"), np.random.default_rng(0).permutation(draws).reshape(2, -1))},
        coords={"chain": [0, 1], "draw": np.arange(n_draws // 2)},
    )
    constant = xr.Dataset({"x": ("x_dim_0", DATA)})
    return xr.DataTree.from_dict({"posterior": posterior, "constant_data": constant})


def computed(model, idata=None, **kwargs):
    idata = exact_draws(40) if idata is None else idata
    return compute_reference_stats(idata, model=model, progressbar=False, **kwargs)


@pytest.fixture(scope="module")
def idata():
    return computed(gaussian(normal_reference()), exact_draws())


def test_amplification_is_the_number_of_data_and_follows_set_data():
    model = gaussian(normal_reference(draws=50))
    assert [name for name, _ in find_log_partitions(model)] == ["likelihood"]
    np.testing.assert_allclose(amplification(model)["likelihood"], N)
    with model:
        pm.set_data({"x": DATA[:30]})
        np.testing.assert_allclose(amplification()["likelihood"], 30)


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_amplification_in_a_mixture_is_the_expected_count(batched, named):
    """One normaliser for each component, whichever way the mixture is written."""
    x = np.r_[np.full(30, 0.1), np.full(20, 9.0)]
    reference = normal_reference(0, 8, 300)
    with pm.Model(coords={"component": ["short", "long"]}) as model:
        sigma = pm.HalfNormal("sigma", 5, shape=2)
        w = pm.Dirichlet("w", np.ones(2), dims="component") if named else [0.5, 0.5]
        if batched:
            components = EBM.dist(sigma, energy=energy, reference=reference)
        else:
            components = [EBM.dist(sigma[g], energy=energy, reference=reference) for g in (0, 1)]
        pm.Mixture("x", w=w, comp_dists=components, observed=x)
    point = {"sigma_log__": np.log([0.2, 9.0]), "w_simplex__": np.zeros(1)}
    c = amplification(model, {name: point[name] for name in model.initial_point()})
    assert list(c) == (["x[short]", "x[long]"] if named else ["x[0]", "x[1]"])
    counts = [float(value.sum()) for value in c.values()]
    np.testing.assert_allclose(sum(counts), 50)
    # By hand: the second component, at its own height near 0, gets 1 in 45 of the first 30.
    normal = st.norm(0, [[0.2], [9.0]]).pdf([0.1, 9.0])
    np.testing.assert_allclose(counts, normal / normal.sum(axis=0) @ [30, 20], rtol=0.05)


def test_components_keep_their_numbers():
    """Of four components one is no EBM, and two are equal."""
    reference = normal_reference(0, 8, 300)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5, shape=2)
        first, second = (EBM.dist(s, energy=energy, reference=reference) for s in (sigma[0], 3.0))
        again = EBM.dist(sigma[0], energy=energy, reference=reference)
        w = [0.1, 0.2, 0.3, 0.4]
        pm.Mixture("x", w, [pm.Normal.dist(), second, first, again], observed=DATA)
    c = amplification(model, {"sigma_log__": np.log([2.0, 2.0])})
    assert list(c) == ["x[1]", "x[2,3]"]
    density = [
        w * st.norm(0, s).pdf(1.754) for w, s in zip(w, (1, 3, 2, 2), strict=True)
    ]  # All data are at ±1.754.
    expected = N * np.array([density[1], density[2] + density[3]]) / sum(density)
    np.testing.assert_allclose([float(v.sum()) for v in c.values()], expected, rtol=0.05)


def test_equal_normalisers_of_one_variable_count_once():
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma")
        reference = normal_reference(draws=50)
        twice = [log_partition(energy, sigma, reference=reference) for _ in range(2)]
        pm.Potential("p", -3 * twice[0] - 4 * twice[1])
    assert len(find_log_partitions(model)) == 1
    np.testing.assert_allclose(amplification(model)["p"], 7)


def test_amplification_in_a_regression_is_one_per_row():
    with pm.Model() as model:
        b = pm.Normal("b", initval=0.2)
        scale = pt.exp(b * np.linspace(-1, 1, 5))
        EBM("x", scale, energy=energy, reference=normal_reference(draws=50), observed=np.ones(5))
    np.testing.assert_allclose(amplification(model)["x"], np.ones(5))


def test_amplification_follows_set_data_in_regressions_and_mixtures():
    grid = quadrature(-60, 60, 1000)
    with pm.Model() as regression:
        z, y = pm.Data("z", np.linspace(0, 1, 5)), pm.Data("y", np.ones(5))
        b = pm.Normal("b", initval=0.2)
        EBM("x", pt.exp(b * z), energy=energy, reference=grid, observed=y)
        pm.set_data({"z": np.linspace(0, 1, 8), "y": np.ones(8)})
    np.testing.assert_allclose(amplification(regression)["x"], np.ones(8))
    with pm.Model() as mixture:
        y = pm.Data("y", np.ones(20))
        sigma = pm.HalfNormal("sigma", 5, shape=2)
        components = [EBM.dist(s, energy=energy, reference=grid) for s in (sigma[0], sigma[1])]
        pm.Mixture("x", [0.5, 0.5], components, observed=y)
        pm.set_data({"y": np.ones(7)})
    c = amplification(mixture, {"sigma_log__": np.log([1.0, 3.0])})
    density = st.norm(0, [1, 3]).pdf(1)
    np.testing.assert_allclose(list(c.values()), 7 * density / density.sum(), rtol=1e-6)


def test_the_share_of_points_without_weight():
    """Half of the nodes of an even grid are negative."""
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma")
        half = lambda x, s: pt.switch(x < 0, np.inf, energy(x, s))
        EBM("x", sigma, energy=half, reference=quadrature(-9, 9, 100), observed=abs(DATA))
    shares = computed(model)["reference_stats"]["zero_weight_share"]
    np.testing.assert_allclose(shares, 0.5)


def test_statistics_of_one_draw_by_hand(idata):
    reference = normal_reference()
    stats = idata["reference_stats"].isel(chain=1, draw=7, ebm=0)
    sigma = idata["posterior"]["sigma"][1, 7].item()
    w = np.exp(reference.log_weights - reference.points**2 / (2 * sigma**2))
    m, ess = w.size, w.sum() ** 2 / (w**2).sum()
    variance = m / (m - 1) * (1 / ess - 1 / m)
    expected = {
        "log_partition": np.log(w.sum()),
        "log_partition_mcse": np.sqrt(variance),
        "ess": ess,
        "amplification": N,
        "loglik_variance": N**2 * variance,
        "zero_weight_share": 0,
        "edge_weight": 0,
    }
    for name, value in expected.items():
        np.testing.assert_allclose(stats[name], value, rtol=1e-8, err_msg=name)
    assert stats["pareto_k"] < 0.5


def test_reference_error_of_the_posterior_mean(idata):
    """0.0159 predicted and 0.0162 seen, for q = N(2, 4²), M = 5000, N = 100."""
    added = idata["reference_mcse"]["sigma"]
    np.testing.assert_allclose(added.sel(statistic="mean"), 0.0159, rtol=0.1)
    means, sds = [], []
    for seed in range(100):
        y = st.norm(2, 4).rvs(5000, random_state=1000 + seed)
        grid = GRID[::20]
        # Each grid point's weights, relative to the proposal.
        weights = np.exp((y - 2) ** 2 / 32 - y**2 / (2 * grid[:, None] ** 2))
        log_p = -N * np.log(weights.sum(1)) - (DATA**2).sum() / (2 * grid**2) - grid**2 / 50
        p = np.exp(log_p - log_p.max())
        p /= p.sum()
        means.append(p @ grid)
        sds.append(np.sqrt(p @ (grid - means[-1]) ** 2))
    np.testing.assert_allclose(added.sel(statistic="mean"), np.std(means), rtol=0.3)
    np.testing.assert_allclose(added.sel(statistic="sd"), np.std(sds), rtol=0.3)


def test_normalisers_with_one_reference_share_its_error(idata):
    halves = computed(gaussian(normal_reference(), parts=2), exact_draws())
    xr.testing.assert_allclose(halves["reference_mcse"]["sigma"], idata["reference_mcse"]["sigma"])
    np.testing.assert_allclose(halves["reference_stats"]["amplification"], N / 2)


def test_report_of_a_noisy_estimate(idata):
    """It adds 13% of the sd, and 10% is good."""
    verdict = report(idata)
    assert verdict.status == "inconclusive"
    assert any("10% is good" in reason for reason in verdict.reasons)
    np.testing.assert_allclose(verdict.added_error["sigma"]["mean"], 0.0159 / 0.124, rtol=0.1)
    text = str(verdict)
    assert "inconclusive" in text
    assert "likelihood" in text
    assert "inconclusive" in verdict._repr_html_()
    # 13% is to become 5%, and the added variance goes as 1/M.
    assert any("times the draws" in remedy for remedy in verdict.remedies)


def test_equal_weights_raise_nothing():
    y = st.norm(0, 2).rvs(100, random_state=1)
    reference = from_draws(y, st.norm(0, 2).logpdf)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma")
        log_z = log_partition(lambda x, s: x**2 / 8 + s, sigma, reference=reference)
        pm.Potential("p", -10 * log_z)
    idata = computed(model)
    assert (idata["reference_stats"]["pareto_k"] == -np.inf).all()
    verdict = report(idata)
    assert verdict.status == "ok"
    assert verdict.added_error["sigma"]["mean"] < 1e-6


def test_one_group_of_points_shows_no_spread():
    reference = normal_reference(draws=200)
    run = Reference(reference.points, reference.log_weights, np.zeros(200, int))
    verdict = report(computed(gaussian(run)))
    assert verdict.status != "ok"
    assert any("single group" in reason for reason in verdict.reasons)


def test_a_narrow_reference_fails():
    verdict = report(computed(gaussian(normal_reference(0, 0.45, 1000)), exact_draws()))
    assert verdict.status == "failed"
    assert verdict.remedies


def test_exact_and_complete_is_ok():
    verdict = report(computed(gaussian(quadrature(-np.inf, np.inf, 200))))
    assert verdict.status == "ok"
    assert verdict.remedies == ()
    assert verdict.added_error["sigma"] == {"mean": 0, "sd": 0}


@pytest.mark.parametrize(
    ("reference", "status"),
    [
        (quadrature(-1e4, 1e4, 200), "failed"),  # 100 apart, for a model of width 2
        (quadrature(-20, 20, 20), "failed"),
        (quadrature(-20, 20, 60), "inconclusive"),
        (quadrature(-20, 20, 100), "ok"),
    ],
)
def test_a_quadrature_must_resolve_the_model(reference, status):
    verdict = report(computed(gaussian(reference)))
    assert verdict.status == status
    if status != "ok":
        assert any("do not resolve" in reason for reason in verdict.reasons)
        assert any("Raise the order" in remedy for remedy in verdict.remedies)


def test_quadrature_error_is_that_of_half_the_nodes():
    """The interpolating rule on every second node of one with 9 nodes, for E = 0.3 x."""
    rule = quadrature(-1, 1, 9)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma")
        log_z = log_partition(lambda x, s: 0.3 * x * s, sigma, reference=rule)
        pm.Potential("p", -10 * log_z)
    idata = computed(model)
    stats = idata["reference_stats"].isel(chain=0, draw=0, ebm=0)
    sigma = idata["posterior"]["sigma"][0, 0].item()
    nodes = np.polynomial.legendre.leggauss(9)[0][::2]
    # Exact for polynomials up to degree 4: integrate the interpolant of the integrand.
    fit = np.polynomial.Polynomial.fit(nodes, np.exp(-0.3 * nodes * sigma), 4)
    coarse = np.log(np.diff(fit.integ()([-1.0, 1.0])))
    exact = np.log(2 * np.sinh(0.3 * sigma) / (0.3 * sigma))
    np.testing.assert_allclose(stats["quadrature_error"], abs(coarse - exact)[0], rtol=1e-6)


def test_a_truncated_sum_fails():
    """A Conway-Maxwell-Poisson sum over 0..400 that has not come to its end."""
    reference = enumeration(np.arange(401))
    conway = lambda x, nu: nu * pt.gammaln(x + 1) - x * np.log(1.5)
    with pm.Model() as model:
        nu = pm.HalfNormal("nu")
        EBM("x", nu, energy=conway, reference=reference, observed=np.array([1, 2, 3]))
    posterior = xr.Dataset({"nu": (("chain", "draw"), [[0.05, 0.06]])}).assign_coords(
        chain=[0], draw=[0, 1]
    )
    idata = computed(model, xr.DataTree.from_dict({"posterior": posterior}))
    verdict = report(idata)
    assert verdict.status == "failed"
    assert any("Widen the space" in remedy for remedy in verdict.remedies)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pareto_k", np.nan),
        ("pareto_k", np.inf),
        ("pareto_k", 1.01),
        ("log_partition", np.nan),
        ("log_partition", -np.inf),
        ("edge_weight", 1e-9),
    ],
)
def test_one_bad_draw_fails(idata, name, value):
    changed = idata.copy(deep=True)
    changed["reference_stats"][name][0, 3, 0] = value
    assert report(changed).status == "failed"


@pytest.mark.parametrize("engine", ["zarr", "h5netcdf"])
def test_round_trip_through_a_file(engine, idata, tmp_path):
    path = tmp_path / "idata"
    if engine == "zarr":
        idata.to_zarr(path)
    else:
        idata.to_netcdf(path, engine=engine)
    with xr.open_datatree(path, engine=engine) as back:
        for group in ("reference_stats", "reference_mcse"):
            xr.testing.assert_identical(
                back[group].to_dataset().load().astype(float),
                idata[group].to_dataset().astype(float),
            )
        assert report(back) == report(idata)
    versions = json.loads(back["reference_stats"].attrs["versions"])
    assert versions["pymc"] == pm.__version__


def test_another_reference_is_refused(idata):
    with pytest.raises(ValueError, match="another reference"):
        computed(gaussian(normal_reference(seed=2)), idata.copy())


def test_new_data_make_the_statistics_stale():
    model = gaussian(normal_reference())
    with model:
        pm.set_data({"x": DATA[:50]})
    verdict = report(computed(model))
    assert any(reason.startswith("Stale: x") for reason in verdict.reasons)


def test_initial_values_are_no_obstacle():
    """PyMC copies no model with initial values; the statistics must not need that."""
    reference = quadrature(-np.inf, np.inf)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5, initval=2.0)
        EBM("x", sigma, energy=energy, reference=reference, observed=DATA)
    stats = computed(model)["reference_stats"]
    np.testing.assert_allclose(stats["amplification"], N)
    assert model.initial_point()["sigma_log__"] == pytest.approx(np.log(2))


def test_a_tree_of_its_own():
    idata = exact_draws(40)
    tree = computed(gaussian(normal_reference(draws=50)), idata, extend_inferencedata=False)
    assert set(tree.children) == {"reference_stats", "reference_mcse"}
    assert "reference_stats" not in idata.children


def test_what_is_missing_is_named():
    with pytest.raises(ValueError, match="Run compute_reference_stats"):
        report(exact_draws(40))
    with pm.Model() as plain:
        pm.Normal("sigma")
    with pytest.raises(ValueError, match=r"no estimated normaliser.*pymc_ebm.EBM"):
        computed(plain)
    model = gaussian(normal_reference(draws=50))
    with pytest.raises(ValueError, match="no estimated normaliser in sigma"):
        computed(model, var_names=["sigma"])
    other = exact_draws(40)
    other["posterior"] = other["posterior"].to_dataset().rename(sigma="tau")
    with pytest.raises(ValueError, match="no sigma"):
        computed(model, other)
