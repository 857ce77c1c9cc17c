"""Which space is taken for data: states of two values, counts, real numbers, or a question."""

import re

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
    assert space_of(counts - 3) == Support() == space_of(np.append(counts - 3, 0.5))


def test_states_stored_as_floats_are_a_question(rng):
    spins = rng.choice([-1.0, 0.0, 1.0], size=(200, 3))
    for data in (spins, spins[:, 0], 2 * spins[:, 0]):
        with pytest.raises(ValueError, match=r"stored as floats.* no other values, say") as e:
            space_of(data)
        bounds = data.min(), data.max()
        assert "support=({:g}, {:g})".format(*bounds) in str(e.value)
        space = space_of(data.astype(int), bounds)
        assert isinstance(space, Sites)
        with pytest.warns(UserWarning, match="taken for states"):
            assert space_of(data, bounds) == space
        assert isinstance(space_of(data, "real"), Support)


SIDED = {
    "positive": (lambda r: r.gamma(2, 1, 60), r"60 data are positive.*=\(0, np.inf\) or .*real"),
    "from 0 on": (lambda r: r.gamma(2, 1, 60).clip(1) - 1, r"are 0 or positive \(smallest 0\)"),
    "shares": (lambda r: np.r_[0.0, r.beta(2, 2, 60), 1], r"support=\(0, 1\), support=\(0, np.inf"),
    "mirrored": (lambda r: -r.gamma(2, 1, 60), r"are negative .*support=\(-np.inf, 0\) or"),
    "up to 0": (lambda r: 1 - r.gamma(2, 1, 60).clip(1), r"are 0 or negative \(largest 0\)"),
    "colours": (lambda r: r.integers(1, 4, (40, 3)), r"support=\(1, 3\) if there are no other"),
    "ones": (lambda r: np.ones(30, int), r"Give support=\(0, np.inf\) or support=\"real\""),
    "losses": (lambda r: -r.poisson(3, 60), r"=\(-\d+, 0\) if .*support=\(-np.inf, 0\)"),
    "a column of counts": (
        lambda r: np.c_[r.normal(size=100), r.poisson(3, 100)],
        r"If those with index \[1\] are counts, pass them .*; if not, give support=",
    ),
    "a column": (
        lambda r: np.c_[r.normal(size=100), r.exponential(2, 100), -r.exponential(2, 100)],
        r"index \[1, 2\] of all 100 .*=\(\[-np.inf, 0, -np.inf\], \[np.inf, np.inf, 0\]\)",
    ),
}
EITHER = {
    "few zeros": lambda r: np.array([0.0, 0.3, 1.2]),
    "few negative": lambda r: -np.arange(1.0, 4),
    "nothing but zeros": lambda r: np.zeros((3, 2)),
    "a column far from 0": lambda r: np.c_[r.normal(size=100), r.normal(170, 10, 100)],
    "a column of few": lambda r: np.c_[np.linspace(-2, 2, 9), np.linspace(0, 3, 9)],
    "a constant column": lambda r: np.c_[r.normal(size=100), np.ones(100)],
}


@pytest.mark.parametrize("name", SIDED)
def test_data_on_one_side_of_zero_are_a_question(name, rng):
    make, words = SIDED[name]
    data = make(rng)
    with pytest.raises(ValueError, match=words) as error:
        space_of(data)
    offered = re.findall(r"support=(\([^)]*\))", str(error.value))
    for support in offered:
        assert space_of(data, eval(support, {"np": np})).contains(data, data.ndim - 1).all()
    assert space_of(data, "real").contains(data, data.ndim - 1).all()


@pytest.mark.parametrize("name", EITHER)
def test_a_side_that_chance_or_the_units_choose_is_none(name, rng):
    data = EITHER[name](rng)
    assert space_of(data) == Support(event_shape=data.shape[1:])


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
    assert space_of_points(np.zeros((3, 2)), line, listed=False) == Support(event_shape=(2,))
    halves = np.array([[-0.5, 0.5], [0.5, 0.5]])
    assert space_of_points(halves, line, listed=True) == States(halves)
    assert space_of_points(np.arange(3), line, listed=False) == WholeNumbers()
    assert space_of_points(np.array([-1, 1]), line, listed=True) == Sites.of([-1, 1], ())
    some = np.array([[0, 0], [1, 1]])
    assert space_of_points(some, line, listed=True) == States(some)
    assert space_of_points(some, Sites.of([0, 1], (2,)), listed=True) == Sites.of([0, 1], (2,))
