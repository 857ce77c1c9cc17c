"""What a file of results may do to the session that opens it."""

import pickle

import cloudpickle
import numpy as np
import pymc as pm
import xarray as xr

import pymc_ebm as ebm


def test_nothing_is_unpickled(tmp_path, monkeypatch, rng):
    """A pickle can run any code: a report of a file that somebody sent must not need one."""
    q = ebm.reference.independent(pm.Normal.dist(0, 3), 200, random_seed=rng)
    with pm.Model():
        s = pm.HalfNormal("s", 3)
        ebm.EBM(
            "x", s, energy=lambda x, s: x**2 / (2 * s**2), reference=q, observed=rng.normal(size=30)
        )
        posterior = xr.Dataset({"s": (("chain", "draw"), rng.uniform(0.8, 1.2, (1, 20)))})
        idata = xr.DataTree.from_dict({"posterior": posterior.assign_coords(chain=[0])})
        ebm.compute_reference_stats(idata, progressbar=False)
    idata.to_zarr(tmp_path / "idata.zarr")
    for path in (tmp_path / "idata.zarr").rglob("*.json"):
        assert "pickle" not in path.read_text()

    def refuse(*args, **kwargs):
        raise AssertionError("Something was unpickled.")

    for module in (pickle, cloudpickle):
        for name in ("load", "loads"):
            monkeypatch.setattr(module, name, refuse)
    monkeypatch.setattr(pickle, "Unpickler", refuse)
    with xr.open_datatree(tmp_path / "idata.zarr", engine="zarr") as back:
        assert ebm.report(back).status == ebm.report(idata).status
        np.testing.assert_array_equal(
            back["reference_mcse"]["s"].to_numpy(), idata["reference_mcse"]["s"].to_numpy()
        )
