"""The two curves have the means and sds that both estimates give."""

import json

import numpy as np
import pymc as pm
import pytest

import pymc_ebm as ebm
from pymc_ebm.plots import plot_second_estimate


def moments(line):
    x, y = line.get_xydata().T
    mean = (x * y).sum() / y.sum()
    return mean, np.sqrt((y * (x - mean) ** 2).sum() / y.sum())


def test_both_posteriors(make):
    """Of 300 points the noise moves the mean, and the second estimate tells by how much."""
    model = make(ebm.reference.independent(pm.Normal.dist(2, 4), 300, random_seed=1))
    idata = make.posterior(400)
    with pytest.raises(ValueError, match="compute_reference_stats"):
        plot_second_estimate(idata)
    ebm.compute_reference_stats(idata, model=model, progressbar=False)
    found = json.loads(idata["reference_stats"].attrs["second_estimate"])["shifts"]["sigma"]
    pc = plot_second_estimate(idata)
    first, second = (moments(line) for line in pc.get_viz("posterior", "sigma").to_numpy())
    sigma = idata["posterior"]["sigma"]
    sd = sigma.std().item()
    # A kernel widens an sd by a few percent, and moves no mean.
    np.testing.assert_allclose(first[0], sigma.mean(), atol=0.03 * sd)
    np.testing.assert_allclose(second[0] - first[0], found["mean"] * sd, atol=0.03 * sd)
    np.testing.assert_allclose(second[1] / first[1], np.exp(found["log_sd"]), rtol=0.03)
    assert abs(found["mean"]) > 0.05
    axes = pc.get_viz("plot", "sigma")
    assert axes.get_title() == "sigma"
    with pytest.raises(ValueError, match="says nothing of nu"):
        plot_second_estimate(idata, var_names=["nu"])
