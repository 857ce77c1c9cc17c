"""log Ẑ at given numbers, and its standard error, against closed forms over seeds."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import logsumexp, ndtri

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


@pytest.mark.usefixtures("interpreted")
def test_points_of_rows_own(rng):
    """Three choice sets at two rows of a vector, and draws of three rows at scalars."""
    offers = [rng.normal(size=(n, 2)) for n in (2, 3, 4)]
    sets = ebm.reference.rows([ebm.reference.enumeration(o, complete=True) for o in offers])
    utility = lambda x, b: -(x * b[None]).sum(-1)
    beta = rng.normal(size=(2, 1, 2))
    truth = [[logsumexp(o @ b[0]) for o in offers] for b in beta]
    found = ebm.log_partition_at(utility, beta, reference=sets, signature="(k)")
    np.testing.assert_allclose(found.log_partition, truth)
    assert not found.mcse.any()
    alone = ebm.log_partition_at(utility, beta[0, 0], reference=sets, signature="(k)")
    np.testing.assert_allclose(alone.log_partition, truth[0])

    mean = np.array([[-1.0], [0.0], [1.0]])
    y = rng.normal(mean, 3, (3, 200))
    drawn = ebm.reference.from_draws(y, stats.norm(mean, 3).logpdf(y))
    one_for_all = ebm.log_partition_at(gaussian, 2.0, reference=drawn)
    s = np.array([1.0, 2.0, 4.0])
    for found, sigma in (one_for_all, 2.0), (ebm.log_partition_at(gaussian, s, reference=drawn), s):
        assert found.mcse.shape == (3,)
        # Five standard errors: six estimates.
        assert (np.abs(found.log_partition - log_z(sigma)) < 5 * found.mcse).all()
        for r in range(3):
            q = drawn.row(r)
            own = ebm.log_partition_at(gaussian, np.broadcast_to(sigma, 3)[r], reference=q)
            # Of 600 groups G/(G - 1) is less than of 200.
            np.testing.assert_allclose((found[0][r], found[1][r]), own, rtol=3e-3)


def test_every_row_is_looked_at():
    """Not the first one alone, of which the others' NaN says nothing."""
    q = ebm.reference.independent(pm.Normal.dist(0, 4), 100, random_seed=1)
    rows = ebm.reference.rows([q, q, q])
    at = lambda *values, energy=gaussian, q=q, **kw: ebm.log_partition_at(
        energy, *values, reference=q, **kw
    )
    of_two = lambda x, a, b: a * x**2 + b
    with pytest.raises(ValueError, match=r"Parameter 0 is \[ 1. nan\], shape \(2,\)"):
        at([1.0, np.nan])
    with pytest.raises(ValueError, match="The energy is NaN at"):
        at([1.0, -1.0], energy=lambda x, s: x**2 * pt.sqrt(s))
    with pytest.raises(ValueError, match=r"\[\(2,\), \(3,\)\], do not fit together"):
        at(np.ones(2), np.ones(3), energy=of_two)
    with pytest.raises(ValueError, match=r"\[\(2,\)\], do not .* points of 3 rows"):
        at(np.ones(2), q=rows)
    with pytest.raises(ValueError, match=r"shape \(0,\)"):
        at([])
    with pytest.raises(ValueError, match="has 0 dimensions, but the signature"):
        at(1.0, signature="(k)")
    with pytest.raises(TypeError, match="not a Reference"):
        at(1.0, q=pm.Normal.dist())
