"""The spread of the curves is the error that the reference adds."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import pymc_ebm as ebm
from pymc_ebm.diagnostics.error.other_references import _deviates
from pymc_ebm.plots import plot_reference_effect
from pymc_ebm.weights.groups import group_variance


def mean_of(line):
    x, y = line.get_xydata().T
    return (x * y).sum() / y.sum()


def test_means_of_the_curves_spread_by_the_reference_mcse(make, seed):
    reference = ebm.reference.independent(pm.Normal.dist(2, 4), 5000, random_seed=seed)
    model, idata = make(reference), make.posterior(400)
    ebm.compute_reference_stats(idata, model=model, checks=(), progressbar=False)
    pc = plot_reference_effect(
        idata, num_references=300, random_seed=seed, model=model, progressbar=False
    )
    sigma = idata["posterior"]["sigma"]
    mcse = idata["reference_mcse"]["sigma"].sel(statistic="mean").item()
    assert 0.05 < mcse / sigma.std().item() < 0.3
    np.testing.assert_allclose(
        mean_of(pc.get_viz("this", "sigma")), sigma.mean(), atol=0.02 * sigma.std().item()
    )
    means = [mean_of(line) for line in pc.get_viz("others", "sigma").to_numpy().ravel()]
    assert len(means) == 300
    # A spread of 300 has a standard error of 4%; 4.5 of them, with 2% for the second order.
    np.testing.assert_allclose(np.std(means, ddof=1), mcse, rtol=0.2)


def test_draws_that_were_thrown_away_count(make, seed, rng):
    """The deviates have the variance of the group formula, in which they are groups of weight 0."""
    reference = ebm.reference.independent(pm.Normal.dist(2, 4), 2000, random_seed=seed)
    half = reference.restricted_to((-3, 7))
    z = _deviates(half, 4000, rng)
    influence = rng.uniform(size=half.n_groups)
    expected = group_variance(influence, half.groups, half.unused_draws)
    # 4000 draws: the standard error of a variance is 2.2%.
    np.testing.assert_allclose((z @ influence).var(), expected, rtol=0.1)


def test_an_exact_reference_has_no_effect(make):
    model = make(ebm.reference.quadrature(-np.inf, np.inf))
    idata = make.posterior(60)
    idata["posterior"] = xr.DataTree(
        idata["posterior"].to_dataset().assign(double=2 * idata["posterior"]["sigma"])
    )
    pc = plot_reference_effect(
        idata, num_references=3, var_names="double", model=model, progressbar=False
    )
    this = pc.get_viz("this", "double").get_xydata()
    for line in pc.get_viz("others", "double").to_numpy().ravel():
        np.testing.assert_allclose(line.get_xydata(), this)
    assert "sigma" not in pc.viz["this"].data_vars


def test_errors_name_the_remedy(gaussian, make, rng):
    model, idata, _ = gaussian
    with pytest.raises(ValueError, match=r"Pass what pm\.sample returned"):
        plot_reference_effect(xr.DataTree(), model=model)
    y = rng.normal(0, 3, 100)
    one = ebm.reference.from_draws(y, -(y**2) / 18, groups=np.zeros(100, dtype=int))
    with pytest.raises(ValueError, match="several independent groups"):
        plot_reference_effect(idata, model=make(one), progressbar=False)
