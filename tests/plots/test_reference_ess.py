"""The marks are the statistics of the group."""

import numpy as np
import pytest
import xarray as xr

from pymc_ebm.plots import (
    plot_log_partition,
    plot_reference_ess,
    plot_reference_weights,
    plot_second_estimate,
)


def marks(pc, visual, variable, **sel):
    return np.asarray(pc.get_viz(visual, variable, ebm="x", **sel).get_offsets())


@pytest.mark.parametrize("var_name", [None, "sigma"])
def test_marks_are_the_statistics(gaussian, var_name):
    _, idata, _ = gaussian
    pc = plot_reference_ess(idata, var_name)
    stats, sigma = idata["reference_stats"], idata["posterior"]["sigma"]
    for variable in ("ess", "pareto_k"):
        for chain in (0, 1):
            x = np.arange(30) if var_name is None else sigma.sel(chain=chain)
            y = stats[variable].sel(ebm="x", chain=chain)
            np.testing.assert_allclose(marks(pc, "draws", variable, chain=chain), np.c_[x, y])
    axes = pc.get_viz("plot", "pareto_k", ebm="x")
    assert axes.get_xlabel() == (var_name or "draw")
    # min(1 − 1/log10(500), 0.7)
    threshold = pc.get_viz("threshold", "pareto_k", ebm="x").get_ydata()
    np.testing.assert_allclose(threshold, 1 - 1 / np.log10(500))
    assert "undefined" not in pc.viz.children


def test_undefined_k_hats_are_crosses(gaussian):
    _, idata, _ = gaussian
    idata = idata.copy(deep=True)
    stats = idata["reference_stats"].to_dataset()
    stats["pareto_k"].loc[{"chain": 1, "draw": [3, 7]}] = np.nan
    stats["pareto_k"].loc[{"chain": 0, "draw": 5}] = -np.inf  # no tail, and nothing wrong
    idata["reference_stats"] = xr.DataTree(stats)
    pc = plot_reference_ess(idata)
    crosses = marks(pc, "undefined", "pareto_k")
    crosses = crosses[np.isfinite(crosses).all(axis=1)]
    np.testing.assert_array_equal(crosses, [[3, 1], [7, 1]])


def test_errors_name_the_remedy(make, gaussian):
    with pytest.raises(ValueError, match=r"Run compute_reference_stats\(idata\) first"):
        plot_reference_ess(make.posterior(10))
    with pytest.raises(ValueError, match="It has sigma"):
        plot_reference_ess(gaussian[1], "mu")
    with pytest.raises(ValueError, match=r"no normaliser xx\. There is x\."):
        plot_reference_ess(gaussian[1], ebm="xx")


def test_a_name_is_taken_whole(gaussian):
    """As a list of one, and not by its letters."""
    model, idata, _ = gaussian
    assert "x" in plot_reference_ess(idata, ebm="x").viz["draws"]["ess"].coords["ebm"]
    with model:
        for plot in (plot_log_partition, plot_reference_weights):
            with pytest.raises(ValueError, match="no normaliser xx"):
                plot(idata, ebm="xx")
    with pytest.raises(ValueError, match="says nothing of sgm"):
        plot_second_estimate(idata, var_names="sgm")
    assert plot_second_estimate(idata, var_names="sigma") is not None
