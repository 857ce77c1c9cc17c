"""Which space is taken for data: states of two values, counts, real numbers, or a question."""

import numpy as np
import pytest

from pymc_ebm.space.box import Support
from pymc_ebm.space.guess import space_of, space_of_points
from pymc_ebm.space.sites import Sites
from pymc_ebm.space.states import States
from pymc_ebm.space.whole_numbers import WholeNumbers


@pytest.mark.parametrize("pair", [(0.0, 1.0), (-1.0, 1.0)])
def test_floats_of_two_values_are_states(pair, rng):
    data = rng.choice(pair, size=(1, 16, 16))
    with pytest.warns(UserWarning, match=r"taken for states.* at 256 sites.*support=\"real\""):
        space = space_of(data)
    assert space == Sites.of([int(v) for v in pair], (16, 16))
    with pytest.warns(UserWarning, match="taken for states"):  # both ends and nothing between
        assert space_of(data, pair) == space
    assert space_of(data, "real") == Support(event_shape=(16, 16))
    assert isinstance(space_of(data[:, :, :1] * 0.5, None), Support)  # other values are numbers


def test_one_value_alone_does_not_tell():
    assert isinstance(space_of(-np.ones((1, 3))), Support)
    with pytest.raises(ValueError, match="All 3 data are positive"):
        space_of(np.ones((1, 3)))


def test_integers(rng):
    assert space_of(rng.integers(0, 2, size=(9, 4))) == Sites.of([0, 1], (4,))
    assert space_of(rng.choice([-1, 1], size=(9, 4))) == Sites.of([-1, 1], (4,))
    assert space_of(rng.choice([-1, 1], size=(9, 4)), (-1, 1)) == Sites.of([-1, 1], (4,))
    assert space_of(np.zeros((9, 4), int), (-1, 1)) == Sites.of([-1, 0, 1], (4,))
    assert space_of(np.zeros((9, 2), int), (0, [1, 2])) == Sites.of([[0, 1], [0, 1, 2]], (2,))
    assert space_of(np.arange(5)) == WholeNumbers(0, np.inf)
    assert space_of(np.arange(-2, 5)) == WholeNumbers()
    assert space_of(np.arange(5), (0, 9)) == Sites.of(range(10), ())
    assert space_of(np.arange(5), (0, 2**40)) == WholeNumbers(0, 2**40)
    assert space_of(np.array([True, False])) == Sites.of([0, 1], ())


def test_scalars_of_two_values_are_a_question():
    with pytest.raises(ValueError, match=r"0 or 1\. Say support=\(0, 1\) .*=\(0, np.inf\)"):
        space_of(np.array([0, 1, 1]))
    assert space_of(np.array([0, 1, 1]), (0, 1)) == Sites.of([0, 1], ())
    assert space_of(np.array([0, 1, 1]), (0, np.inf)) == WholeNumbers(0, np.inf)
    with pytest.raises(ValueError, match=r"-1 or 1\. Say support=\(-1, 1\)"):
        space_of(np.array([-1, 1, 1]))
    floats = np.array([0.0, 1.0, 1.0, 0.0, 0.0])
    with pytest.raises(ValueError, match=r"=\(0, 1\) and store them as integers .*\"real\""):
        space_of(floats)
    assert space_of(floats.astype(int), (0, 1)) == Sites.of([0, 1], ())
    assert space_of(floats, "real") == Support() == space_of(floats[:4])
    assert space_of(2 * floats - 1) == Support()


def test_counts_stored_as_floats_are_a_question(rng):
    counts = rng.poisson(3, 50).astype(float)
    for data in (counts, counts + 1, counts.reshape(25, 2)):
        with pytest.raises(ValueError, match=r"whole numbers from .*data\.astype\(int\).*real"):
            space_of(data)
    assert space_of(counts, "real") == Support()
    assert space_of(counts, (0, np.inf)) == Support(0.0, np.inf)
    assert space_of(counts.astype(int)) == WholeNumbers(0, np.inf)
    assert space_of(counts - 3) == Support() == space_of(np.append(counts, 0.5))


def test_bounds_are_inside():
    assert space_of(np.array([0.0, 1.5, 0.0]), "positive") == Support(0.0, np.inf)
    assert space_of(np.array([0.0, 0.5, 1.0]), "unit") == Support(0.0, 1.0)
    with pytest.raises(ValueError, match=r"1 of 3 .* outside the support \[0, inf\).* index 1: -1"):
        space_of(np.array([0.0, -1.0, 0.0]), "positive")


def test_bounds_of_rows_are_refused():
    with pytest.raises(ValueError, match="Give bounds of an event, the same for every observation"):
        space_of(np.arange(5.0), (np.arange(5.0), np.inf))


def test_space_of_points():
    line = Support()
    assert space_of_points(np.zeros((3, 2)), line, listed=True) == Support(event_shape=(2,))
    assert space_of_points(np.arange(3), line, listed=False) == WholeNumbers()
    assert space_of_points(np.array([-1, 1]), line, listed=True) == Sites.of([-1, 1], ())
    some = np.array([[0, 0], [1, 1]])
    assert space_of_points(some, line, listed=True) == States(some)
    assert space_of_points(some, Sites.of([0, 1], (2,)), listed=True) == Sites.of([0, 1], (2,))
