"""An estimate as a table and as a tree."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import pymc_ebm as ebm

pytestmark = pytest.mark.usefixtures("interpreted")

LINE = ebm.reference.quadrature(-np.inf, np.inf)


def gaussian(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


def test_result_as_table_and_tree(rng, tmp_path):
    with pm.Model(coords={"g": ["a", "b"]}):
        mu = pm.Normal("mu", dims="g")
        index = np.repeat([0, 1], 10)
        pm.Deterministic("exp", pm.math.exp(mu), dims="g")
        pm.Deterministic("larger", pm.math.gt(mu[1], mu[0]))  # has no standard error
        ebm.EBM("x", mu[index], 1.0, energy=gaussian, reference=LINE, observed=rng.normal(size=20))
        fit = ebm.find_MLE(progressbar=False)
    assert "geyer: converged" in str(fit)
    assert "mu[b]" in str(fit)
    assert "mu[a]" in fit._repr_html_() and repr(fit) == str(fit)
    assert max(map(len, str(fit).splitlines())) <= 80
    tree = fit.to_datatree()
    assert tree["estimate"]["mu"].dims == ("statistic", "g")
    np.testing.assert_array_equal(tree["estimate"]["mu"].sel(statistic="se"), fit.se["mu"])
    assert tree["trace"]["mu"].sizes["iteration"] == len(fit.trace["mu"])
    # The delta method: d exp(μ) = exp(μ) dμ.
    assert set(fit.estimate) == {"mu", "exp"}
    assert tree["estimate"]["exp"].dims == ("statistic", "g")
    np.testing.assert_allclose(fit.estimate["exp"], np.exp(fit.estimate["mu"]))
    np.testing.assert_allclose(fit.se["exp"], fit.estimate["exp"] * fit.se["mu"])
    tree.to_zarr(tmp_path / "fit.zarr")
    with xr.open_datatree(tmp_path / "fit.zarr", engine="zarr") as back:
        assert back["estimate"].attrs["method"] == "geyer"


def test_log_partition_of_noise_contrastive_in_the_tree(rng):
    with pm.Model():
        sigma = pm.HalfFlat("sigma")
        ebm.EBM("x", 0.0, sigma, energy=gaussian, observed=rng.normal(0, 2, 50))
        fit = ebm.find_MLE("noise_contrastive", progressbar=False)
    tree = fit.to_datatree()
    found = tree["estimate"]["x_log_partition"].sel(statistic="estimate")
    assert found == fit.estimate["x_log_partition"]
    assert set(tree["trace"].data_vars) == {"sigma"}
