"""Energies of point patterns: against plain counting, and log Z where every pair is near."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.spatial.distance import cdist
from scipy.special import gammaln, logsumexp

import pymc_ebm as ebm
from pymc_ebm.energies import geyer, hard_core, pairwise, strauss
from pymc_ebm.energy.energy import Energy

RADIUS = 0.4


def counted(x):
    """Points, near pairs, near neighbours of each."""
    near = (cdist(x, x) < RADIUS) & ~np.eye(len(x), dtype=bool)
    return len(x), near.sum() // 2, near.sum(axis=1)


@pytest.fixture
def patterns(rng):
    return [rng.uniform(size=(n, 2)) for n in (0, 1, 2, 5, 9)]


def test_plain_counting(patterns, interpreted):
    """All energies, with and without covariates, in any order of points and places."""
    x = ebm.space.pack(patterns, most=12)[:, np.r_[11:2:-1, 0:3]]
    z = lambda u: pt.stack([u[..., 0], pt.log(u[..., 1])], axis=-1)
    slopes = np.array([0.5, -1.0])
    phi = lambda d, a: pt.exp(-d / a) / d
    found = pytensor.function(
        [],
        [
            strauss(RADIUS)(x, 0.7, -1.3),
            strauss(RADIUS, covariates=z)(x, 0.7, slopes, -1.3),
            hard_core(RADIUS)(x, 0.7),
            geyer(RADIUS, 2)(x, 0.7, 0.4),
            pairwise(phi)(x, 0.7, 0.3),
            pairwise(phi)(x.reshape(5, 1, 12, 3), 0.7, 0.3),
        ],
    )()
    for i, p in enumerate(patterns):
        n, pairs, neighbours = counted(p)
        of_rate = -0.7 * n
        of_place = -(0.5 * p[:, 0] - np.log(p[:, 1])).sum()
        distances = cdist(p, p)[np.triu_indices(n, 1)]
        wanted = [
            of_rate + 1.3 * pairs,
            of_rate + of_place + 1.3 * pairs,
            np.inf if pairs else of_rate,
            of_rate - 0.4 * np.minimum(neighbours, 2).sum(),
            of_rate + (np.exp(-distances / 0.3) / distances).sum(),
        ]
        np.testing.assert_allclose([f[i] for f in found[:5]], wanted, rtol=1e-12)
    np.testing.assert_array_equal(found[5][:, 0], found[4])


def test_one_covariate_with_or_without_its_axis(patterns, interpreted):
    """Σ u_1 b over the points; numbers of covariates and slopes that differ are refused."""
    x = ebm.space.pack(patterns, most=12)
    truth = [-0.7 * p[:, 0].sum() for p in patterns]
    for z in (lambda u: u[..., 0], lambda u: u[..., :1]):
        energy = strauss(RADIUS, covariates=z)
        np.testing.assert_allclose(energy(x, 0.0, np.array([0.7]), 0.0).eval(), truth, rtol=1e-12)
        with pytest.raises(ValueError, match="one for each slope"):
            energy(x, 0.0, np.array([0.7, 0.7]), 0.0)
    with pytest.raises(ValueError, match="one for each slope"):
        strauss(RADIUS, covariates=lambda u: 1.0)(x, 0.0, np.array([0.7]), 0.0)


def test_sufficient_statistics(patterns):
    """They are found, so that pairs of the points are counted once."""
    for energy in (strauss(RADIUS), geyer(RADIUS, 2)):
        split = Energy(energy).split((12, 3), "float64", [0.7, -1.3])
        assert sorted(s.ndim for s in split.statistics) == [1, 1]


N = np.arange(13)


def log_series(of_n, area):
    """Log Z where the energy of n points is the same wherever they are."""
    return -area + logsumexp(N * np.log(area) - gammaln(N + 1) - of_n)


def test_every_pair_is_near():
    """In a window narrower than the radius E depends on n alone: log Z is a series."""
    window, area = [(0, 0.5), (-1, 0)], 0.5
    rng = np.random.default_rng(0)
    data = ebm.space.pack([rng.uniform(*np.transpose(window), size=(n, 2)) for n in (1, 2, 4)])
    q = ebm.reference.fitted(
        ebm.space.pack(ebm.space.unpack(data), most=12), 2**12,
        support=ebm.space.points(window), random_seed=1,
    )  # fmt: skip
    log_beta, log_gamma = 1.5, -0.4
    # Zero energy: the Poisson process of unit rate itself.
    none = ebm.log_partition_at(pairwise(lambda d: 0 * d), 0.0, reference=q)
    assert abs(none.log_partition) < 4 * none.mcse < 0.05
    for energy, params, of_n in [
        (strauss(2.0), (log_beta, 0.0), -N * log_beta),  # log Z = (β − 1) |W|
        (strauss(2.0), (log_beta, log_gamma), -N * log_beta - N * (N - 1) / 2 * log_gamma),
        (hard_core(2.0), (log_beta,), np.where(N < 2, -N * log_beta, np.inf)),
        (geyer(2.0, 2), (log_beta, 0.2), -N * log_beta - 0.2 * N * np.minimum(N - 1, 2).clip(0)),
    ]:
        found = ebm.log_partition_at(energy, *params, reference=q)
        assert abs(found.log_partition - log_series(of_n, area)) < 4 * found.mcse < 0.05
    assert np.isclose(log_series(-N * log_beta, area), (np.exp(log_beta) - 1) * area, atol=1e-4)
