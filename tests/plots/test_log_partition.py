"""The curve, its band and the error of the log-likelihood against their formulas."""

import arviz as az
import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymc_ebm as ebm
from pymc_ebm.plots import plot_log_partition

N = 100
LOG_ROOT = np.log(np.sqrt(2 * np.pi))


def log_normal(sigma):
    return np.log(sigma) + LOG_ROOT


def line(pc, variable, curve, ebm="x"):
    return pc.get_viz("line", variable, ebm=ebm, curve=curve).get_xydata()


def band(pc, variable):
    """Lower and upper edge, from the outline of the filled area."""
    [path] = pc.get_viz("band", variable, ebm="x").get_paths()
    x, y = path.vertices.T
    return np.array([[y[x == t].min(), y[x == t].max()] for t in np.unique(x)]).T


def by_hand(points, sigma):
    """log Ẑ ``(T,)`` and w̄ ``(T, M)`` from the densities."""
    log_w = -(points**2) / (2 * sigma[:, None] ** 2) - stats.norm(2, 4).logpdf(points)
    w = np.exp(log_w)
    return np.log(w.mean(axis=1)), w / w.sum(axis=1, keepdims=True)


def test_curves_and_bands_are_the_formulas(gaussian):
    model, idata, reference = gaussian
    sigma = np.linspace(1, 3, 7)
    pc = plot_log_partition(idata, values=sigma, exact=log_normal, model=model)
    m = reference.n_points
    log_z, w = by_hand(reference.points, sigma)
    np.testing.assert_allclose(line(pc, "log_partition", "estimate"), np.c_[sigma, log_z])
    np.testing.assert_allclose(line(pc, "log_partition", "exact")[:, 1], log_normal(sigma))
    mcse = np.sqrt(m / (m - 1) * ((w - 1 / m) ** 2).sum(axis=1))
    t = stats.t(m - 1).ppf(0.975)
    expected = [log_z - t * mcse, log_z + t * mcse]
    np.testing.assert_allclose(band(pc, "log_partition"), expected, rtol=1e-6)

    start = np.array([idata["posterior"]["sigma"].mean().item()])
    log_z0, w0 = by_hand(reference.points, start)
    half = t * N * np.sqrt(m / (m - 1) * ((w - w0) ** 2).sum(axis=1))
    np.testing.assert_allclose(band(pc, "loglik"), [-half, half], rtol=1e-6)
    np.testing.assert_array_equal(line(pc, "loglik", "estimate")[:, 1], 0)
    error = -N * ((log_normal(sigma) - log_z) - (log_normal(start) - log_z0))
    np.testing.assert_allclose(line(pc, "loglik", "exact")[:, 1], error, atol=1e-9)


def test_an_exact_reference_has_no_band(make):
    model = make(ebm.reference.quadrature(-np.inf, np.inf))
    sigma = np.linspace(1, 3, 5)
    pc = plot_log_partition(values=sigma, model=model)
    for variable in ("log_partition", "loglik"):
        lower, upper = band(pc, variable)
        np.testing.assert_array_equal(lower, upper)
    np.testing.assert_allclose(line(pc, "log_partition", "estimate")[:, 1], log_normal(sigma))


def test_chains_without_an_absolute_log_partition_compare_differences(make, rng):
    """The exact curve is that of the log-likelihood alone, within 4.5 errors of it."""
    anchors = (1.4, 2.0, 2.8)
    reference = ebm.reference.pooled(
        lambda x, s: x**2 / (2 * s**2),
        [(a,) for a in anchors],
        draws=[rng.normal(0, a, size=(2, 1000)) for a in anchors],
    )
    values = [1.5, 2.0, 2.5]
    pc = plot_log_partition(values=values, exact=log_normal, model=make(reference, [-1.8, 1.8]))
    axes = pc.get_viz("plot", "log_partition", ebm="x")
    assert np.isnan(line(pc, "log_partition", "exact")[:, 1]).all()
    assert axes.get_ylabel() == "log Ẑ + constant, nats"
    sd = band(pc, "loglik")[1] / 1.96
    difference = line(pc, "loglik", "exact")[:, 1]
    assert (sd[[0, 2]] > 0).all()
    assert (abs(difference[[0, 2]]) < 4.5 * sd[[0, 2]]).all()
    assert difference[1] == 0


def test_one_element_of_an_array_goes_and_the_others_stay(gaussian):
    _, _, reference = gaussian
    with pm.Model(coords={"component": ["short", "long"]}) as model:
        sigma = pm.HalfNormal("sigma", 5, dims="component")
        parts = ebm.EBM.dist(sigma, energy=lambda x, s: x**2 / (2 * s**2), reference=reference)
        pm.Mixture("x", [0.5, 0.5], parts, observed=np.linspace(-3, 3, 20))
    draws = np.random.default_rng(1).uniform(1, 4, size=(1, 10, 2))
    coords = {"component": ["short", "long"]}
    idata = az.from_dict(
        {"posterior": {"sigma": draws}}, coords=coords, dims={"sigma": ["component"]}
    )
    values = np.array([2.0, 3.0])
    with pytest.raises(ValueError, match=r"sigma is an array.*Pass what pm.sample returned"):
        plot_log_partition(None, "sigma", values=values, model=model)
    pc = plot_log_partition(
        idata, "sigma", coords={"component": "long"}, values=values, model=model,
        point={"sigma": [1.5, 9.0]},
    )  # fmt: skip
    still, moving = (line(pc, "log_partition", "estimate", f"x[{i}]")[:, 1] for i in (0, 1))
    np.testing.assert_allclose(moving, by_hand(reference.points, values)[0])
    np.testing.assert_allclose(still, by_hand(reference.points, np.array([1.5, 1.5]))[0])
    assert pc.get_viz("plot", "loglik", ebm="x[1]").get_xlabel() == "sigma[long]"
    labelled = plot_log_partition(
        idata, "sigma[long]", values=values, model=model, point={"sigma": [1.5, 9.0]}
    )
    np.testing.assert_array_equal(line(labelled, "log_partition", "estimate", "x[1]")[:, 1], moving)
    with pytest.raises(
        ValueError, match=r"sigma has no .wide. along component\. It has short, long"
    ):
        plot_log_partition(idata, "sigma[wide]", model=model)
    with pytest.raises(ValueError, match="Choose an element with coords="):
        plot_log_partition(idata, "sigma", model=model)


def test_errors_name_the_remedy(gaussian):
    model, idata, _ = gaussian
    with pytest.raises(ValueError, match="give values="):
        plot_log_partition(model=model)
    with pytest.raises(ValueError, match="Choose the one along which"):
        plot_log_partition(idata, "mu", model=model)
    with pytest.raises(ValueError, match="no parameter mu"):
        plot_log_partition(idata, point={"mu": 1}, model=model)
    with pytest.raises(ValueError, match="Its normalisers are x"):
        plot_log_partition(idata, ebm=["y"], model=model)
    with pm.Model() as two:
        a, b = pm.Normal("a"), pm.HalfNormal("b")
        shifted = lambda x, a, b: (x - a) ** 2 / (2 * b**2)
        ebm.EBM("x", a, b, energy=shifted, observed=np.linspace(-3, 3, 30))
    with pytest.raises(ValueError, match=r"no values of b\. .*point="):
        plot_log_partition(None, "a", values=[0.0, 1.0], model=two)
