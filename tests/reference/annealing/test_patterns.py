"""Births, deaths and moves by local changes, against closed forms."""

from pathlib import Path

import numpy as np
import pytest
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.energies.local_change import with_local_change

LENGTH, RADIUS = 3.0, 0.8


@pytest.mark.slow
def test_two_points_on_a_line(rng):
    """Strauss of at most two points: Z e^L = 1 + βL + β² (far + γ near) / 2."""
    data = ebm.space.pack([rng.uniform(0, LENGTH, size=(n, 1)) for n in (2, 1, 2, 0)], most=2)
    strauss = ebm.energies.strauss(RADIUS)
    q = ebm.reference.annealed(
        strauss, 0.5, -1.0, data=data, anchors=[(1.5, -2.5)], random_seed=1, particles=256, draws=4,
        support=ebm.space.points([(0, LENGTH)]), progressbar=False,
    )  # fmt: skip
    assert q.points[..., -1].sum(axis=1).max() == 2
    far = (LENGTH - RADIUS) ** 2
    for log_beta, log_gamma in ((0.5, -1.0), (1.5, -2.5), (1.0, -1.5)):
        beta, gamma = np.exp([log_beta, log_gamma])
        pairs = far + gamma * (LENGTH**2 - far)
        truth = np.log(1 + beta * LENGTH + beta**2 * pairs / 2) - LENGTH
        found = ebm.log_partition_at(strauss, log_beta, log_gamma, reference=q)
        assert abs(found.log_partition - truth) < 4 * found.mcse < 0.1


PINES = Path(__file__).parents[2] / "data" / "swedish_pines.csv"
# `benchmarks/exchange_pines.py 9`: of log β and log γ the means, their errors and the sds.
MEANS, ERRORS, SDS = np.array([[-3.633, -1.051], [0.009, 0.006], [0.287, 0.235]])


@pytest.mark.slow
def test_swedish_pines_against_the_exchange_algorithm():
    """Means within four errors of both; sds within a tenth. Priors N(−4, 2) and N(−1, 1)."""
    pines = np.loadtxt(PINES, delimiter=",", skiprows=1)
    apart = np.linalg.norm(pines[:, None] - pines, axis=-1)
    n_seen, pairs_seen = len(pines), (apart[np.triu_indices(len(pines), 1)] < 9).sum()
    strauss = ebm.energies.strauss(9.0)
    q = ebm.reference.annealed(
        strauss, -3.6, -1.0, data=ebm.space.pack([pines], most=120), particles=64, draws=4,
        support=ebm.space.points([(0, 96), (0, 100)]), random_seed=1, progressbar=False,
    )  # fmt: skip
    there = q.points[..., -1] > 0
    n = there.sum(axis=1)
    pairs = np.array([
        (np.linalg.norm((x := p[t, :2])[:, None] - x, axis=-1) < 9).sum() - len(x)
        for p, t in zip(q.points, there, strict=True)
    ]) // 2  # fmt: skip
    grid = np.stack(np.meshgrid(np.linspace(-4.8, -2.4, 41), np.linspace(-2, 0, 41)), axis=-1)
    grid = grid.reshape(-1, 2)
    log_w = q.log_weights + grid @ np.stack([n, pairs])
    by_run = np.stack([logsumexp(log_w[:, q.groups == r], axis=1) for r in range(q.n_groups)])

    def moments(log_z):
        prior = -((grid - [-4, -1]) ** 2 / [8, 2]).sum(axis=1)
        log_p = grid @ [n_seen, pairs_seen] - log_z + prior
        p = np.exp(log_p - logsumexp(log_p))
        return p @ grid, np.sqrt(p @ (grid - p @ grid) ** 2)

    mean, sd = moments(logsumexp(by_run, axis=0))
    without = [moments(logsumexp(np.delete(by_run, r, axis=0), axis=0))[0] for r in range(16)]
    error = np.sqrt(15 / 16 * ((without - np.mean(without, axis=0)) ** 2).sum(axis=0))  # jackknife
    assert (error < 0.15 * SDS).all()
    assert (np.abs(mean - MEANS) < 4 * np.hypot(error, ERRORS)).all()
    np.testing.assert_allclose(sd, SDS, rtol=0.1)


def test_a_wrong_change_is_refused(rng):
    data = ebm.space.pack([rng.uniform(0, LENGTH, size=(5, 1))])
    strauss = ebm.energies.strauss(RADIUS)
    wrong = with_local_change(ebm.energies.strauss(2 * RADIUS).local_change)(
        lambda x, b, g: strauss(x, b, g)
    )
    with pytest.raises(ValueError, match="where a point vanishes, and the energy changes by"):
        ebm.reference.annealed(
            wrong, 0.5, -1.0, data=data, support=ebm.space.points([(0, LENGTH)]), progressbar=False
        )
