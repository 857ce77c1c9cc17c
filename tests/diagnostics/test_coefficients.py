"""Directions in which coefficients move, against the rank of the matrix of their differences."""

import numpy as np
import pytest

from pymc_ebm.diagnostics.coefficients import moving


def spans(differences, basis):
    """Whether every c·T is a function of T @ basis."""
    solved, *_ = np.linalg.lstsq(basis, differences.T, rcond=None)
    return np.allclose(basis @ solved, differences.T, rtol=1e-9, atol=1e-9 * abs(differences).max())


@pytest.mark.parametrize("rank", [1, 2, 3, 4])
def test_rank_and_span(rank, rng):
    """Four coefficients of sizes from 10⁻⁶ to 10⁶ that move in fewer directions, and one still."""
    size = np.array([1e-6, 1.0, 30.0, 1e6])
    moves = rng.normal(size=(9, rank)) @ rng.normal(size=(rank, 4)) * size
    differences = np.insert(moves, 2, 0.0, axis=1)
    found, basis = moving(differences)
    assert found == rank and basis.shape == (5, rank)
    assert (basis[2] == 0).all()
    assert spans(differences / np.insert(size, 2, 1.0), basis / np.insert(size, 2, 1.0)[:, None])


def test_all_that_move_independently_keep_their_axes(rng):
    found, basis = moving(np.insert(rng.normal(size=(6, 2)), 1, 0.0, axis=1))
    assert found == 2
    np.testing.assert_array_equal(basis, [[1, 0], [0, 0], [0, 1]])


def test_what_rounding_moves_does_not_count(rng):
    """A second direction 10⁻⁷ as large as the first is rounding, and 10⁻⁵ is not."""
    common = np.outer(rng.normal(size=8), [1.0, 1.0])
    other = np.outer(np.resize([1.0, -1.0], 8), [1.0, -1.0])
    assert moving(common + 1e-8 * other)[0] == 1
    assert moving(common + 1e-5 * other)[0] == 2


def test_nothing_moves():
    found, basis = moving(np.zeros((4, 3)))
    assert found == 0 and basis.shape == (3, 0)
