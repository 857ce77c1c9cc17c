"""Annealed references of states and counts, against enumeration and closed forms."""

import itertools

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy.special import logsumexp

import pymc_ebm as ebm

annealed = ebm.reference.annealed


def within_its_error(reference, energies, truth, most):
    """Whether log Ẑ is within 4 standard errors over runs, and these below `most`.

    Student's t with 15 degrees of freedom passes 4 once in a thousand.
    """
    log_weights = reference.log_weights - energies
    weights = np.exp(log_weights - log_weights.max())
    by_run = np.bincount(reference.groups, weights)
    error = by_run.std(ddof=1) / np.sqrt(len(by_run)) / by_run.mean()
    return error < most and abs(logsumexp(log_weights) - truth) < 4 * error


def test_spins_by_compiled_sweeps_and_clusters(rng, seed, kaufman):
    q = annealed(
        ebm.energies.ising, 0.44, data=rng.choice([-1, 1], size=(20, 6, 6)), particles=200,
        draws=4, random_seed=seed, progressbar=False,
    )  # fmt: skip
    assert q.points.dtype.kind == "i"
    bonds = sum((q.points * np.roll(q.points, 1, axis)).sum((1, 2)) for axis in (1, 2))
    assert within_its_error(q, -0.44 * bonds, kaufman(6, 6, 0.44), 0.1)


def test_states_whose_energy_has_terms_of_three_sites(rng, seed):
    def energy(x, b):
        return b * (x[..., 0] * x[..., 1] * x[..., 2] - x[..., 3] * x[..., 4]) + x.sum(-1) / 5

    states = np.array(list(itertools.product([0, 1, 2], repeat=5)))
    triple = lambda x: x[:, 0] * x[:, 1] * x[:, 2] - x[:, 3] * x[:, 4] + x.sum(1) / 5
    q = annealed(
        energy, 1.0, data=rng.integers(3, size=(30, 5)), support=(0, 2), particles=64, draws=4,
        random_seed=seed, progressbar=False,
    )  # fmt: skip
    assert within_its_error(q, triple(q.points), logsumexp(-triple(states)), 0.1)


def test_counts_by_steps(rng, seed):
    """Two counts, Poisson but for a coupling: the sum over 0 to 60 leaves out 1e-20."""

    def energy(x, rate):
        return -pt.log(rate) * x.sum(-1) + pt.gammaln(x + 1).sum(-1) + x[..., 0] * x[..., 1] / 20

    from scipy.special import gammaln

    def at_four(x):
        return -np.log(4.0) * x.sum(1) + gammaln(x + 1).sum(1) + x[:, 0] * x[:, 1] / 20

    grid = np.array(list(itertools.product(range(61), repeat=2)))
    q = annealed(
        energy, 4.0, data=rng.poisson(4, size=(50, 2)) * rng.choice([0, 1], size=(50, 1)),
        particles=64, draws=4, random_seed=seed, progressbar=False,
    )  # fmt: skip
    assert within_its_error(q, at_four(q.points), logsumexp(-at_four(grid)), 0.1)


def test_a_chain_of_angles(rng, seed):
    """XY spins on a line of eight: log Z = 8 log 2π + 7 log I₀(J)."""

    def energy(x, j):
        return -j * pt.cos(x[..., 1:] - x[..., :-1]).sum(-1)

    q = annealed(
        energy, 1.5, data=rng.uniform(-np.pi, np.pi, size=(20, 8)), support="circle",
        particles=48, draws=4, random_seed=seed, progressbar=False,
    )  # fmt: skip
    found = -1.5 * np.cos(np.diff(q.points, axis=1)).sum(axis=1)
    assert within_its_error(q, found, 8 * np.log(2 * np.pi) + 7 * np.log(np.i0(1.5)), 0.2)


def test_starts_are_for_real_numbers(rng):
    with pytest.raises(ValueError, match="places of modes of real numbers"):
        annealed(
            ebm.energies.ising, 0.1, data=rng.choice([-1, 1], size=(5, 3, 3)),
            starts=np.ones((1, 3, 3)), progressbar=False,
        )  # fmt: skip


@pytest.mark.slow
def test_a_critical_lattice_of_256_spins(rng, seed, kaufman):
    beta = np.log(1 + np.sqrt(2)) / 2
    q = annealed(
        ebm.energies.ising, beta, data=rng.choice([-1, 1], size=(1, 16, 16)), particles=128,
        draws=4, random_seed=seed, progressbar=False,
    )  # fmt: skip
    bonds = sum((q.points * np.roll(q.points, 1, axis)).sum((1, 2)) for axis in (1, 2))
    assert kaufman(16, 16, beta) == pytest.approx(238.642257, abs=1e-6)
    assert within_its_error(q, -beta * bonds, 238.642257, 0.2)
