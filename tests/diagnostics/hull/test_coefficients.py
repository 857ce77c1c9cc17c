"""Directions in which coefficients move, against the rank of the matrix of their differences."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm.diagnostics.hull.coefficients import (
    FAR,
    NEAR,
    EnergyCoefficients,
    NotApplicable,
    moving,
)
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.reference import from_draws

POINTS = np.random.default_rng(0).normal(size=200)


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


def test_what_stood_still_in_one_step_may_move_in_others():
    assert moving(np.array([[1.0, 0.0], [0.5, 2.0], [0.1, 0.0]]))[0] == 2


def coefficients_of(make, points=POINTS, observed=None):
    """Coefficients of an energy; `make` gives it and its parameters within a model."""
    reference = from_draws(points, np.zeros(len(points)))
    with pm.Model() as model:
        energy, *params = make()
        data = points[:5] if observed is None else observed
        ebm.EBM("x", *params, energy=energy, reference=reference, observed=data)
    normalisers = Normalisers(model)
    [normaliser] = normalisers
    statistics = np.column_stack(normaliser.nodes[0].op.split.statistics_at(np.r_[data, points]))
    return EnergyCoefficients(normalisers, normaliser, statistics)


def ranks(coefficients, step):
    """Of each row, and of all rows together."""
    found = coefficients.directions(step)
    rows = [moving(found[:, r])[0] for r in range(coefficients.n_rows)]
    return rows, moving(found.reshape(len(found), -1))[0]


def test_rows_of_vectors_move_one_by_one():
    """Three rows with two statistics of their own, from vectors that follow each other."""

    def make():
        b, a = pm.Normal("b", shape=2), pm.Normal("a", shape=3)
        return lambda x, a, b: a * x + b * x**2, a, pt.concatenate([b, [a[0] + b[1]]])

    data = POINTS[:3]
    assert ranks(coefficients_of(make, observed=data), NEAR) == ([2, 2, 2], 5)


def test_a_curve_spans_more_than_it_moves_in():
    """With aᵏ before xᵏ, one parameter moves in one direction and reaches five."""

    def make():
        return lambda x, a: sum(a**k * x**k for k in range(1, 6)), pm.Normal("a", initval=1)

    found = coefficients_of(make)
    assert ranks(found, FAR) == ([5], 5)
    assert ranks(found, NEAR) == ([1], 1)


def test_parameters_in_proportion():
    """c = (a, 3a): every step has the second at three times the first."""
    found = coefficients_of(lambda: (lambda x, a, b: a * x + b * x**2, a := pm.Normal("a"), 3 * a))
    for step in (FAR, NEAR):
        moved = found.directions(step)[:, 0]
        np.testing.assert_allclose(moved[:, 1], 3 * moved[:, 0], rtol=1e-9)
        assert (moved[:, 0] != 0).all()


def test_steps_to_where_the_energy_is_not_finite_do_not_count():
    """√b of a parameter that half of the steps make negative."""

    def make():
        a, b = pm.Normal("a"), pm.Normal("b", initval=0.3)
        return lambda x, a, c: a * x + c * x**2, a, pt.sqrt(b)

    found = coefficients_of(make).directions(FAR)
    assert 0 < len(found) < 4 and np.isfinite(found).all()


def test_nowhere_finite():
    def make():  # but at the initial point
        b = pm.Normal("b", initval=0.5)
        return lambda x, c: c * x**2, pt.sqrt(-((b - 0.5) ** 2))

    with pytest.raises(NotApplicable, match="no finite gradient"):
        coefficients_of(make).directions(FAR)


@pytest.mark.parametrize(("size", "other"), [(1.0, 0.0), (1e-10, 0.0), (1e-4, 1e6)])
def test_a_bend_at_the_outermost_point_only(size, other):
    """max(x − a, 0) with a = 10, and one point beyond, among those that come late."""
    points = np.append(POINTS, 50.0)

    def make():
        energy = lambda x, a: size * pt.maximum(x - a, 0) + other * a * x**2
        return energy, pm.Normal("a", 10, 1)

    with pytest.raises(NotApplicable, match="not linear"):
        coefficients_of(make, points)


def test_fewer_points_than_are_looked_at():
    found = coefficients_of(lambda: (lambda x, a: a * x, pm.Normal("a")), POINTS[:25])
    assert ranks(found, FAR) == ([1], 1)
