"""Three colours on six pixels, and sums over all fields in NumPy."""

import itertools
from functools import partial

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymc_ebm as ebm


@pytest.fixture(scope="session")
def fields():
    """Every field of some values, ``(M, *shape)``."""

    def every(values, shape):
        states = itertools.product(values, repeat=int(np.prod(shape)))
        return np.array(list(states)).reshape(-1, *shape)

    return every


@pytest.fixture(scope="session")
def bonds():
    """Sum of a function of neighbours, free boundary, of fields ``(M, rows, columns)``."""

    def total(x, pair):
        across, down = pair(x[:, :, 1:], x[:, :, :-1]), pair(x[:, 1:], x[:, :-1])
        return across.sum((1, 2)) + down.sum((1, 2))

    return total


@pytest.fixture(scope="module")
def colours():
    """A model of three colours on 2 × 3 pixels, one of them not seen, and its data."""

    def normal(x, mu, sigma):
        return pm.Normal.dist(mu[x], sigma)

    free = partial(ebm.energies.potts, boundary="free")
    y = np.array([[-1.2, np.nan, 0.3], [2.1, 0.8, -0.4]])
    with pm.Model(coords={"row": ["a", "b"], "column": range(3)}) as model:
        beta = pm.HalfNormal("beta", 1)
        mu = pm.Normal("mu", [-1.0, 0.0, 1.0], 2, shape=3)
        sigma = pm.HalfNormal("sigma", 1)
        ebm.HiddenEBM(
            "y", beta, energy=free, emission=normal, emission_params=[mu, sigma],
            states=[0, 1, 2], observed=y, dims=("row", "column"),
        )  # fmt: skip
    return model, y


@pytest.fixture(scope="module")
def log_terms(fields, bonds):
    """Fields of that model, their bonds that agree, and a function for log p(x, y) + log Z."""
    x = fields(range(3), (2, 3))
    agree = bonds(x, np.equal)

    def of(y, beta, mu, sigma):
        return beta * agree + np.nansum(stats.norm(mu[x], sigma).logpdf(y), axis=(1, 2))

    return x, agree, of
