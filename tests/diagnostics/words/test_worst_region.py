"""Which values of the parameters go with the worst estimates."""

import numpy as np
import xarray as xr
from scipy import stats

from pymc_ebm.diagnostics.words.worst_region import worst_region

DIMS = ("chain", "draw")


def test_the_region_is_that_of_the_worst_draws(rng):
    """The estimate is worst where b[1] is large: the mean of its upper 5% is 2.06 sds out."""
    b = rng.normal(10, 2, size=(2, 2000, 2))
    posterior = xr.Dataset({"a": (DIMS, rng.normal(size=(2, 2000))), "b": ((*DIMS, "g"), b)})
    badness = xr.DataArray(b[..., 1], dims=DIMS)
    text = worst_region(posterior, badness)
    assert text.startswith("It is worst around b[1] = 14.") and text.count("posterior") == 1
    named = posterior.assign_coords({posterior["b"].dims[2]: ["edges", "triangles"]})
    assert worst_region(named, badness) == text.replace("b[1]", "b[triangles]")
    # The tail mean of 200 draws has a standard error of 0.07; 4 of them and the rounding.
    found = float(text.split("= ")[1].split(" ")[0])
    np.testing.assert_allclose(found, 10 + 2 * stats.norm.pdf(1.645) / 0.05, atol=0.35)
    noise = xr.DataArray(rng.normal(size=(2, 2000)), dims=DIMS)
    assert "no worse in one part" in worst_region(posterior, noise)


def test_the_parameter_that_is_farthest_comes_first():
    """4.4 sds below its mean, and 1.6 above."""
    s = np.arange(100.0).reshape(1, -1)
    posterior = xr.Dataset({"a": (DIMS, 1000 + s), "b": (DIMS, np.where(s < 95, 0.0, -1.0))})
    text = worst_region(posterior, xr.DataArray(s, dims=DIMS))
    assert text.startswith("It is worst around b = -1 (posterior -0.05 ± 0.22), a = 1,097 (")


def test_undefined_values_are_the_worst():
    s = np.arange(40.0).reshape(1, -1)
    badness = xr.DataArray(np.where(s < 2, np.nan, s), dims=DIMS)
    assert "s = 0.5 " in worst_region(xr.Dataset({"s": (DIMS, s)}), badness)
