"""What is told of constrained events, and what free ones must not be taken for."""

import numpy as np
import pytest

from pymc_ebm.energies import to_dyads
from pymc_ebm.space import pack
from pymc_ebm.space.box import Support
from pymc_ebm.space.constrained import constraint_of
from pymc_ebm.space.guess import space_of
from pymc_ebm.space.sites import Sites


def directions(rng):
    x = rng.normal(size=(50, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def networks(rng):
    ties = np.triu(rng.integers(0, 2, size=(5, 6, 6)), 1)
    return ties + ties.swapaxes(1, 2)


def patterns(rng, low, high, numbers=(5, 3, 0, 7), d=2):
    return pack([rng.uniform(low, high, size=(n, d)) for n in numbers], most=9)


CONSTRAINED = {
    "directions": (directions, "norm 1: directions"),
    "rounded directions": (lambda rng: np.round(directions(rng), 2), "norm 1: directions"),
    "shares": (lambda rng: rng.dirichlet([2, 3, 4], 30), "sum 1: shares of a whole"),
    "percentages": (lambda rng: np.round(100 * rng.dirichlet([2, 3, 4], 30), 1), "sum 100"),
    "orders from 0": (lambda rng: rng.permuted(np.tile(np.arange(5), (20, 1)), axis=1), "0 to 4"),
    "orders from 1": (lambda rng: rng.permuted(np.tile([1, 2, 3], (20, 1)), axis=1), "1 to 3"),
    "standardised rows": (
        lambda rng: (
            (z := rng.normal(size=(9, 6)) @ (np.eye(6) - 1 / 6))
            / np.linalg.norm(z, axis=1, keepdims=True)
        ),
        "norm 1 and sum 0",
    ),
    "correlations": (
        lambda rng: np.array([np.corrcoef(rng.normal(size=(3, 20))) for _ in range(9)]),
        "symmetric matrix with 1 on the diagonal: correlation",
    ),
    "one network": (
        lambda rng: np.array(
            [[[0, 1, 0, 0, 1, 1], [1, 0, 0, 1, 0, 0], [0, 0, 0, 1, 0, 0],
              [0, 1, 1, 0, 0, 0], [1, 0, 0, 0, 0, 1], [1, 0, 0, 0, 1, 0]]]
        ),
        "symmetric matrix with 0 on the diagonal",
    ),
    "one correlation matrix": (
        lambda rng: np.corrcoef(rng.normal(size=(4, 20)))[None],
        "symmetric matrix with 1 on the diagonal: correlation",
    ),
    "one covariance": (lambda rng: np.cov(rng.normal(size=(5, 20)))[None], "a symmetric matrix"),
    "adjacency": (networks, "symmetric matrix with 0 on the diagonal"),
    "a few rounded shares": (
        lambda rng: np.array(
            [[0.21, 0.33, 0.46], [0.6, 0.15, 0.25], [0.3, 0.3, 0.4], [0.5, 0.4, 0.1]]
        ),
        "sum 1: shares of a whole",
    ),
    "tiny symmetric": (
        lambda rng: 1e-8 * ((x := rng.normal(size=(9, 3, 3))) + x.swapaxes(1, 2)),
        "a symmetric matrix",
    ),
    "one of four": (lambda rng: np.eye(4, dtype=int)[rng.integers(4, size=50)], "sum 1"),
    "patterns": (lambda rng: patterns(rng, 0, 1), "a packed point pattern"),
    "patterns around 0": (lambda rng: patterns(rng, -1, 1), "a packed point pattern"),
    "patterns below 0": (lambda rng: patterns(rng, -3, -1), "a packed point pattern"),
    "one pattern": (lambda rng: patterns(rng, -1, 1, [6]), "a packed point pattern"),
    "points on a line": (lambda rng: patterns(rng, 0, 1, d=1), "a packed point pattern"),
    "one on a line": (lambda rng: patterns(rng, -1, 1, [1], 1), "a packed point pattern"),
    "rounded places": (lambda rng: np.round(patterns(rng, 1, 99)), "a packed point pattern"),
    "multinomial": (lambda rng: rng.multinomial(20, [0.2, 0.3, 0.5], size=30), "sum 20"),
}  # fmt: skip
FREE = {
    "one lattice": lambda rng: rng.integers(0, 2, size=(1, 8, 8)),
    "one small lattice": lambda rng: np.array([[[0, 1, 0], [1, 0, 0], [0, 0, 0]]]),
    "an empty network": lambda rng: np.zeros((1, 6, 6), int),
    "one event": lambda rng: rng.normal(size=(1, 5)),
    "two events": lambda rng: rng.normal(size=(2, 3)),
    "vectors": lambda rng: rng.normal(size=(30, 3)),
    "rounded vectors": lambda rng: np.round(rng.normal(size=(5, 2)), 1),
    "many dimensions": lambda rng: rng.normal(size=(4, 300)),
    "nearly directions": lambda rng: directions(rng) * rng.normal(1, 0.02, size=(50, 1)),
    "spins": lambda rng: rng.choice([-1.0, 1.0], size=(100, 3)),
    "bits": lambda rng: rng.integers(0, 2, size=(20, 15)),
    "two bits": lambda rng: np.array([[0, 1], [1, 0], [0, 1]]),
    "counts": lambda rng: rng.poisson(3, size=(10, 2)),
    "colours": lambda rng: rng.integers(0, 3, size=(5, 4, 4)),
    "constant": lambda rng: np.zeros((5, 2, 2), int),
    "scalars": lambda rng: np.ones(30),
    "tiny matrices": lambda rng: 1e-8 * rng.normal(size=(100, 3, 3)),
    "pairs of whole and half numbers": lambda rng: np.array([[0.5, 1], [-0.5, 2], [1, 0.5]]),
    "halves": lambda rng: np.array([[0.5, -0.5], [-0.5, 0.5], [-0.5, 0.5], [0.5, -0.5]]),
    "all points there": lambda rng: patterns(rng, 0, 1, [9, 9]),
    "lines of bits": lambda rng: np.array([[[1, 1], [0, 0], [1, 0], [1, 1]]]),
    "series that are 0 or 1": lambda rng: np.dstack(
        [rng.normal(size=(4, 9)), np.arange(36).reshape(4, 9) % 2]
    ),
}


@pytest.mark.parametrize("name", CONSTRAINED)
def test_constrained_data_are_refused_in_words(name, rng):
    make, words = CONSTRAINED[name]
    data = make(rng)
    assert words in constraint_of(data)
    with pytest.raises(ValueError, match=r"Every event .* belongs to that space .*support="):
        space_of(data)
    space_of(data, "real")  # the user knows better


@pytest.mark.parametrize("name", FREE)
def test_free_data_are_left_alone(name, rng):
    assert constraint_of(FREE[name](rng)) is None


@pytest.mark.parametrize("name", CONSTRAINED)
def test_a_box_does_not_hold_what_is_constrained(name, rng):
    """A cube is larger by all that the equation forbids; whole numbers in it can be listed."""
    data = CONSTRAINED[name][0](rng)
    whole = (data == np.round(data)).all() and "places" not in name
    for box in ((data.min() - 1, np.inf), (data.min(), data.max())):
        if whole:
            space_of(data, box)
        else:
            with pytest.raises(ValueError, match=r"belongs to that space .*support=\"real\""):
                space_of(data, box)


BOXED = {
    "one event": lambda rng: rng.dirichlet([1, 1, 1], 1),
    "two of two coordinates": lambda rng: np.array([[0.3, 0.7], [0.6, 0.4]]),
    "shares but for one": lambda rng: rng.dirichlet([1, 1, 1], 30)[:, :2],
    "uniform": lambda rng: rng.uniform(size=(100, 2)),
    "one symmetric pair": lambda rng: np.array([[[0.2, 0.5], [0.5, 0.1]]]),
    "equal events": lambda rng: np.tile([0.2, 0.3, 0.5], (20, 1)),
}


@pytest.mark.parametrize("name", BOXED)
def test_a_box_is_taken_for_what_is_free_in_it(name, rng):
    data = BOXED[name](rng)
    assert space_of(data, "unit") == Support(0.0, 1.0, data.shape[1:])


def test_words_name_what_silences_them(rng):
    with pytest.raises(ValueError, match=r'or say support="real" if'):
        space_of(directions(rng))
    with pytest.raises(ValueError, match=r"or say support=\(0, 4\) if"):
        space_of(CONSTRAINED["orders from 0"][0](rng))
    with pytest.raises(
        ValueError, match=r'\.points\(\[\(low, high\), …\]\), or say support="real"'
    ):
        space_of(patterns(rng, 1, 9).round())
    network = CONSTRAINED["one network"][0](rng)
    with pytest.raises(ValueError, match=r"=ebm\.energies\.to_dyads\(x\), or say support=\(0, 1\)"):
        space_of(network)
    assert space_of(to_dyads(network)) == Sites.of([0, 1], (15,))
