"""Floats that may be states: taken for them, a question, or left alone; sums by enumeration."""

import itertools
import re

import numpy as np
import pymc as pm
import pytest
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.space.box import Support
from pymc_ebm.space.guess import space_of
from pymc_ebm.space.sites import Sites


def zeros_and_ones(n, shape=()):
    return np.arange(n * int(np.prod(shape)), dtype=float).reshape(n, *shape) % 2


WITHIN = {
    "zeros and ones": (lambda r: zeros_and_ones(5), (0, 1), [0, 1]),
    "scalar spins": (lambda r: 2 * zeros_and_ones(20) - 1, (-1, 1), [-1, 1]),
    "many ones": (lambda r: np.ones(20), (0, 1), [0, 1]),
    "ratings": (lambda r: r.integers(1, 6, (60, 3)) * 1.0, (1, 5), range(1, 6)),
    "one rating": (lambda r: r.integers(1, 6, 60) * 1.0, (1, 5), range(1, 6)),
    "percentages": (lambda r: np.r_[0.0, r.integers(0, 101, 60)], (0, 100), range(101)),
}


@pytest.mark.parametrize("name", WITHIN)
def test_whole_floats_between_whole_bounds_are_states(name, rng):
    make, bounds, values = WITHIN[name]
    data = make(rng)
    with pytest.warns(UserWarning, match=r"taken for states.*(move the bounds out|unit)"):
        assert space_of(data, bounds) == Sites.of(list(values), data.shape[1:])
    if bounds == (0, 1):
        assert space_of(data, "unit") == Support(0.0, 1.0)
    else:  # as the warning says of rounded numbers
        wider = bounds[0] - 0.5, bounds[1] + 0.5
        if name != "scalar spins":
            assert space_of(data, wider) == Support(*wider, data.shape[1:])


BOXES = {
    "shares": (lambda r: r.beta(2, 2, 60), (0, 1)),
    "shares of 0 and 1 too": (lambda r: np.r_[0.0, 1, 1, r.beta(2, 2, 60)], (0, 1)),
    "uniform": (lambda r: r.uniform(-1, 1, (60, 2)), (-1, 1)),
    "three of two values": (lambda r: np.array([0.0, 1.0, 1.0]), (0, 1)),
    "a few whole ones": (lambda r: np.array([1.0, 3, 2, 5]), (1, 5)),
    "metres": (lambda r: np.round(r.uniform(0, 1000, 60)), (0, 1000)),
    "an open side": (lambda r: r.poisson(3, 60) * 1.0, (0, np.inf)),
    "fractions for bounds": (lambda r: r.integers(1, 6, 60) * 1.0, (0.5, 5.5)),
}


@pytest.mark.parametrize("name", BOXES)
def test_other_floats_between_bounds_are_numbers(name, rng):
    make, bounds = BOXES[name]
    data = make(rng)
    assert space_of(data, bounds) == Support(*map(float, bounds), data.shape[1:])


def test_binary_floats_within_0_and_1_are_summed(rng):
    """E = −by: log p = bΣy − N log(1 + e^b)."""
    y = (rng.random(200) < 0.7).astype(float)
    with pytest.warns(UserWarning, match="taken for states"), pm.Model() as model:
        b = pm.Normal("b")
        ebm.EBM("y", b, energy=lambda y, b: -b * y, support=(0, 1), observed=y)
    found = model.compile_fn(model.logp(vars=model.observed_RVs))({"b": 0.6})
    np.testing.assert_allclose(found, 0.6 * y.sum() - 200 * np.log1p(np.exp(0.6)), rtol=1e-12)


def test_ratings_with_holes_are_summed(rng):
    """NaN makes floats of integers: completions are of 5³ states, however the data are stored."""
    x = rng.integers(1, 6, (60, 3)).astype(float)
    x[rng.random(x.shape) < 0.2] = np.nan
    energy = lambda x, b: -b * (x[..., 0] * x[..., 1] + x[..., 1] * x[..., 2]) / 10
    states = np.array(list(itertools.product(range(1, 6), repeat=3)))
    weights = -energy(states, 0.7)
    fits = [(np.isnan(row) | (states == row)).all(axis=1) for row in x]
    truth = sum(logsumexp(weights[fit]) for fit in fits) - len(x) * logsumexp(weights)
    with pm.Model() as model:
        b = pm.Normal("b")
        with pytest.raises(ValueError, match=r"no other values, say support=\(1, 5\)"):
            ebm.EBM("x", b, energy=energy, observed=x)
        with pytest.warns(UserWarning, match="taken for states"):
            ebm.EBM("x", b, energy=energy, observed=x, support=(1, 5))
    found = model.compile_fn(model.logp(vars=model.observed_RVs))({"b": 0.7})
    np.testing.assert_allclose(found, truth, rtol=1e-12)


TWO = {
    "half spins": lambda r: r.choice([-0.5, 0.5], (60, 4)),
    "one lattice": lambda r: r.choice([-0.5, 0.5], (1, 16, 16)),
    "scalar spins": lambda r: r.choice([-1.0, 1.0], 60),
    "twos": lambda r: r.choice([-2.0, 2.0], 60),
    "standardised": lambda r: (
        (x := r.integers(0, 2, (60, 3)) - [0.1, 0.2, 0.3]) / np.std(x, axis=0)
    ),
    "a column of spins": lambda r: np.c_[r.choice([-1.0, 1.0], 60), r.normal(size=60)],
    "a binary column": lambda r: np.c_[r.normal(size=60), r.choice([0.0, 1.0], 60)],
}
NUMBERS = {
    "three": lambda r: np.array([-0.5, 0.5, 0.5]),
    "one other": lambda r: np.r_[np.full(30, -0.1), 0.7],
    "zeros and others": lambda r: np.c_[r.normal(size=60), np.r_[np.zeros(58), -0.2, 0.3]],
    "rounded": lambda r: np.round(2 * r.normal(size=(60, 2))) / 2,
    "a constant column": lambda r: np.c_[r.normal(size=60), np.full(60, 0.5)],
    "a few of a column": lambda r: np.c_[r.normal(size=5), [-1.0, 1, 1, -1, 1]],
}


@pytest.mark.parametrize("name", TWO)
def test_two_values_are_a_question(name, rng):
    data = TWO[name](rng)
    with pytest.raises(ValueError, match=r'If they are states, .*; if .* say support="real"'):
        space_of(data)
    assert isinstance(space_of(data, "real"), Support)
    ends = (data.min() - 0.25, np.inf)
    with pytest.raises(ValueError, match="If they are states"):
        space_of(data, ends)


@pytest.mark.parametrize("name", NUMBERS)
def test_what_may_be_two_values_by_chance_is_left_alone(name, rng):
    data = NUMBERS[name](rng)
    assert space_of(data) == Support(event_shape=data.shape[1:])


def test_the_remedies_of_two_values_serve(rng):
    """A chain of four spins ±½ with coupling b, log Z = 4 log 2 + 3 log cosh(b / 4)."""
    data = rng.choice([-0.5, 0.5], (60, 4))
    chain = lambda s, b: -b * (s[..., 1:] * s[..., :-1]).sum(-1)
    truth = 1.5 * (data[:, 1:] * data[:, :-1]).sum() - 60 * (
        4 * np.log(2) + 3 * np.log(np.cosh(1.5 / 4))
    )
    with pytest.raises(ValueError, match="states") as error:
        space_of(data)
    reference = eval(re.search(r"reference=(.*True\))", str(error.value))[1])
    with pytest.raises(ValueError, match="states") as error:
        space_of(np.tile(data, (1, 5)))
    integers = eval(re.search(r"observed=(.*, 1, -1\))", str(error.value))[1])
    scaled = lambda s, b: chain(s / 2, b)
    for energy, kwargs in (
        (chain, {"reference": reference, "observed": data}),
        (scaled, {"observed": integers}),
    ):
        with pm.Model() as model:
            ebm.EBM("s", pm.Normal("b"), energy=energy, **kwargs)
        found = model.compile_fn(model.logp(vars=model.observed_RVs))({"b": 1.5})
        np.testing.assert_allclose(found, truth, rtol=1e-12)


def test_the_remedies_of_columns_of_two_values_serve(rng):
    columns = TWO["standardised"](rng)
    with pytest.raises(ValueError, match=r"index \[0, 1, 2\]") as error:
        space_of(columns)
    integers = eval(
        re.search(r"observed=(.*int\))", str(error.value))[1], {"data": columns, "np": np}
    )
    assert space_of(integers) == Sites.of([0, 1], (3,))
    mixed = TWO["a binary column"](rng)
    with pytest.raises(ValueError, match=r"index \[1\].* pass them .* as a parameter"):
        space_of(mixed)
    assert space_of(mixed[:, 0]) == Support()
