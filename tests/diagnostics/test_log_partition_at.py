"""log Ẑ at given numbers, and its standard error, against closed forms over seeds."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import ndtri

import pymc_ebm as ebm
from pymc_ebm.energy.energy import Energy
from pymc_ebm.reference.uniforms import uniforms


def gaussian(x, s):
    return x**2 / (2 * s**2)


def log_z(s):
    return np.log(np.sqrt(2 * np.pi) * s)


@pytest.mark.slow
@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("method, groups", [("iid", 1000), ("sobol", 16)])
def test_errors_are_those_of_the_closed_form(method, groups, seed):
    """Over 60 seeds error/mcse has the variance of Student's t: 1 or 15/13, and the mean 0.

    The mean of 60 has a standard error of 0.13, the mean square one of 0.18 or, of a t with 15
    degrees of freedom, 0.25: four of them.
    """
    draws, energy, z = 1024 if method == "sobol" else 1000, Energy(gaussian), []
    for k in range(60):
        u, of_points = uniforms(method, draws, 1, np.random.default_rng([seed, k]))
        y = 2 + 4 * ndtri(u[:, 0])
        log_weights = -stats.norm(2, 4).logpdf(y) - np.log(draws)
        q = ebm.reference.Reference(y, log_weights, of_points)
        found = ebm.log_partition_at(energy, 2.0, reference=q)
        z.append((found.log_partition - log_z(2.0)) / found.mcse)
    assert abs(np.mean(z)) < 0.52
    freedom = groups - 1
    assert abs(np.mean(np.square(z)) - freedom / (freedom - 2)) < (1.0 if groups == 16 else 0.73)


@pytest.mark.usefixtures("interpreted")
def test_rows_are_those_one_by_one():
    """Batches of scalars and of vectors; equal rows too."""
    q = ebm.reference.independent(pm.Normal.dist(0, 4), 500, random_seed=1)
    s = np.array([[1.0, 2.0, 1.0], [3.0, 0.5, 2.0]])
    found = ebm.log_partition_at(gaussian, s, reference=q)
    assert found.log_partition.shape == found.mcse.shape == (2, 3)
    for index in np.ndindex(2, 3):
        one = ebm.log_partition_at(gaussian, s[index], reference=q)
        assert isinstance(one.log_partition, float)
        np.testing.assert_allclose((found[0][index], found[1][index]), one)
    shifted = lambda x, theta: (x - theta[0]) ** 2 / (2 * theta[1] ** 2)
    theta = np.array([[0.0, 2.0], [1.0, 2.0]])
    found = ebm.log_partition_at(shifted, theta, reference=q, signature="(k)")
    np.testing.assert_allclose(found.log_partition, log_z(2.0), atol=5 * found.mcse.max())


@pytest.mark.usefixtures("interpreted")
def test_levels(rng):
    """Exact to rounding with an error of 0; of one group the error is not known."""
    line = ebm.reference.quadrature(-np.inf, np.inf, 200)
    found = ebm.log_partition_at(gaussian, 2.0, reference=line)
    np.testing.assert_allclose(found.log_partition, log_z(2.0), rtol=1e-10)
    assert found.mcse == 0
    y = rng.normal(0, 3, 100)
    base = -stats.norm(0, 3).logpdf(y) - np.log(100)
    one = ebm.reference.Reference(y, base, np.zeros(100, dtype=int))
    assert np.isnan(ebm.log_partition_at(gaussian, 2.0, reference=one).mcse)


def test_graphs_are_refused():
    q = ebm.reference.quadrature(-9, 9)
    with pytest.raises(TypeError, match="Parameter 0 is a graph"):
        ebm.log_partition_at(gaussian, pt.scalar("s"), reference=q)
