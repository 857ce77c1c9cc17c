"""What is stored with a posterior, and what it is refused for."""

import json

import numpy as np
import pymc as pm
import pytest
import xarray as xr

from pymc_ebm.diagnostics import report
from pymc_ebm.distribution.ebm import EBM
from pymc_ebm.reference._quadrature import quadrature


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


def test_another_reference_is_refused(idata, paper):
    with pytest.raises(ValueError, match="another reference"):
        paper.computed(paper.gaussian(paper.normal_reference(seed=2)), idata.copy())


def test_new_data_make_the_statistics_stale(paper):
    model = paper.gaussian(paper.normal_reference())
    with model:
        pm.set_data({"x": paper.DATA[:50]})
    verdict = report(paper.computed(model))
    assert any(reason.startswith("Stale: x") for reason in verdict.reasons)


def test_another_posterior_makes_the_statistics_stale(paper):
    """A mean of 52 under statistics of draws about 1.8."""
    computed = paper.computed(paper.gaussian(quadrature(-np.inf, np.inf, 200)))
    assert report(computed).status == "ok"
    computed["posterior"] = computed["posterior"].to_dataset() + 50
    verdict = report(computed)
    assert verdict.status == "inconclusive"
    assert verdict.headline.endswith("Stale: 40 of 40 draws are other ones than when the "
                                     "statistics were computed.")  # fmt: skip


def test_draws_of_which_some_are_kept(paper):
    """Statistics of the draws that are left are read, and others are asked for."""
    computed = paper.computed(paper.gaussian(quadrature(-np.inf, np.inf, 200)), draws=10)
    assert report(computed.sel(draw=slice(8, None))).status == "ok"
    for lost in (computed.isel(draw=slice(10, None)), computed.isel(draw=slice(15, None))):
        with pytest.raises(ValueError, match="Run compute_reference_stats again"):
            report(lost)


def test_a_model_of_other_data_is_refused(paper):
    model = paper.gaussian(quadrature(-np.inf, np.inf, 200))
    computed = paper.computed(model)
    del computed["constant_data"]
    with model:
        pm.set_data({"x": paper.DATA[:50]})
    with pytest.raises(ValueError, match=r"other data, x\. Pass the model that was sampled"):
        paper.computed(model, computed)


def test_an_ok_of_some_normalisers_says_so(paper):
    """The other one has a hundred points."""
    good, bad = quadrature(-np.inf, np.inf, 200), paper.normal_reference(draws=100)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5, initval=1.8)
        for name, reference in (("x", good), ("x2", bad)):
            EBM(name, sigma, energy=paper.energy, reference=reference, observed=paper.DATA)
    for asked in ("x", ["x"]):
        computed = paper.computed(model, var_names=asked)
        assert computed["reference_stats"]["ebm"].to_numpy().tolist() == ["x"]
        verdict = report(computed)
        assert verdict.status == "ok" and verdict.left_out == ("x2",)
        assert verdict.headline.startswith("Estimated normalisers: ok but for x2, not looked at. ")
    for unknown in (["x", "typo"], "typo", []):
        with pytest.raises(ValueError, match=r"no estimated normaliser in .* some in x, x2"):
            paper.computed(model, var_names=unknown)


def test_limits_are_limits_and_a_time_may_be_text(paper):
    draws = paper.exact_draws(40)
    draws["posterior"].attrs["sampling_time"] = "12 s"
    computed = paper.computed(paper.gaussian(quadrature(-np.inf, np.inf, 200)), draws)
    with pytest.raises(TypeError, match=r"limits is a dict\. Give diagnostics.Limits\("):
        report(computed, limits={"rhat": 1.1})
