"""The paper's Gaussian with 500 points, and its exact posterior."""

import matplotlib
import numpy as np
import pymc as pm
import pytest
import xarray as xr
from matplotlib import pyplot as plt

import pymc_ebm as ebm

matplotlib.use("Agg")

N = 100
# Of this root mean square the posterior sd is 0.124.
DATA = np.resize([-1.754, 1.754], N)


@pytest.fixture(autouse=True)
def closed_figures(interpreted):
    yield
    plt.close("all")


def energy(x, sigma):
    return x**2 / (2 * sigma**2)


def model_with(reference, data=DATA, energy=energy):
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5, initval=1.75)
        ebm.EBM("x", sigma, energy=energy, reference=reference, observed=data)
    return model


def exact_posterior(n_draws):
    """Quantiles of the exact posterior of sigma, as two chains."""
    grid = np.linspace(1.2, 2.8, 800)
    log_p = -N * np.log(grid) - (DATA**2).sum() / (2 * grid**2) - grid**2 / 50
    cdf = np.cumsum(np.exp(log_p - log_p.max()))
    draws = np.interp((np.arange(n_draws) + 0.5) / n_draws, cdf / cdf[-1], grid)
    draws = np.random.default_rng(0).permutation(draws).reshape(2, -1)
    coords = {"chain": [0, 1], "draw": np.arange(n_draws // 2)}
    posterior = xr.Dataset({"sigma": (("chain", "draw"), draws)}, coords=coords)
    return xr.DataTree.from_dict({"posterior": posterior})


@pytest.fixture(scope="session")
def gaussian():
    """Model and posterior with reference statistics."""
    reference = ebm.reference.independent(pm.Normal.dist(2, 4), 500, random_seed=1)
    model = model_with(reference)
    idata = ebm.compute_reference_stats(exact_posterior(60), model=model, progressbar=False)
    return model, idata, reference


@pytest.fixture(scope="session")
def make():
    """``make(reference, data, energy)`` is a model, ``make.posterior(draws)`` a DataTree."""
    model_with.posterior = exact_posterior
    return model_with
