"""What is stored with a posterior, and what it is refused for."""

import json

import pymc as pm
import pytest
import xarray as xr

from pymc_ebm.diagnostics import report


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
