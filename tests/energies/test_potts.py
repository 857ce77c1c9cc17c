"""The Potts model against transfer matrices, the Ising model and closed forms."""

import itertools

import numpy as np
import pytest
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.energies import ising, potts


def states(q, *shape):
    return ebm.reference.enumeration(range(q), shape=shape, complete=True).points


def transfer_log_z(q, rows, columns, beta):
    """log Z with free boundaries, column by column."""
    column = np.array(list(itertools.product(range(q), repeat=rows)))
    within = beta * (column[:, 1:] == column[:, :-1]).sum(1)
    step = beta * (column[:, None] == column).sum(2)
    log_weight = within
    for _ in range(columns - 1):
        log_weight = within + logsumexp(step + log_weight, axis=1)
    return logsumexp(log_weight)


def test_transfer_matrix_against_the_table():
    assert abs(transfer_log_z(2, 8, 10, 0.6) - 104.880878) < 1e-6


def test_energies_of_8_by_10_from_those_of_its_columns(values_of):
    """log Z = 104.880878 by a transfer matrix made of this energy at one and two columns."""
    one = states(2, 8, 1)
    both = np.concatenate([np.repeat(one, 256, axis=0), np.tile(one, (256, 1, 1))], axis=2)
    within = -values_of(potts, one, 0.6, boundary="free")
    onwards = -values_of(potts, both, 0.6, boundary="free").reshape(256, 256) - within[:, None]
    log_weight = within
    for _ in range(9):
        log_weight = logsumexp(onwards + log_weight[:, None], axis=0)
    assert abs(logsumexp(log_weight) - 104.880878) < 1e-6


@pytest.mark.parametrize("q, shape", [(3, (3, 3)), (4, (2, 3)), (2, (3, 4))])
def test_free_log_z(q, shape, values_of):
    energy = values_of(potts, states(q, *shape), 0.8, boundary="free")
    np.testing.assert_allclose(logsumexp(-energy), transfer_log_z(q, *shape, 0.8), rtol=1e-12)


@pytest.mark.parametrize("boundary", ["periodic", "free"])
def test_two_colours_are_ising(boundary, rng, values_of):
    """1{x = y} = (1 + s t) / 2, and h 1{x = 1} = h (1 + s) / 2, with masks alike."""
    x = rng.integers(2, size=(30, 5, 6))
    mask = rng.random((5, 6)) < 0.8
    options = {"boundary": boundary, "mask": mask}
    found = values_of(potts, x, 0.9, 0.4, **options)
    bonds = -values_of(ising, np.ones((1, 5, 6), dtype=int), 1.0, **options)[0]
    truth = values_of(ising, 2 * x - 1, 0.45, 0.2, **options) - 0.45 * bonds - 0.2 * mask.sum()
    np.testing.assert_allclose(found, truth, atol=1e-12)


@pytest.mark.parametrize("boundary", ["periodic", "free"])
def test_three_colours_site_by_site(boundary, rng, values_of):
    x = rng.integers(3, size=(10, 4, 3))
    found = values_of(potts, x, 0.7, 0.5, -0.3, boundary=boundary)
    truth = np.zeros(10)
    for i, j in itertools.product(range(4), range(3)):
        truth -= np.array([0, 0.5, -0.3])[x[:, i, j]]
        for k, m in ((i + 1, j), (i, j + 1)):
            if boundary == "periodic" or (k < 4 and m < 3):
                truth -= 0.7 * (x[:, i, j] == x[:, k % 4, m % 3])
    np.testing.assert_allclose(found, truth, atol=1e-12)


def test_field_without_coupling(values_of):
    """Independent sites: Z = (1 + exp h₁ + exp h₂)⁶."""
    log_z = logsumexp(-values_of(potts, states(3, 2, 3), 0.0, 0.5, -0.3))
    np.testing.assert_allclose(log_z, 6 * np.log(1 + np.exp(0.5) + np.exp(-0.3)), rtol=1e-12)
