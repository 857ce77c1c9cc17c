"""Finding the sites and pairs of a function by differences."""

import numpy as np
import pytest

from pymc_ebm.space.pairwise import decompose, random_codes


def lattice_pairs(side):
    """Neighbours on a periodic square lattice, by hand."""
    pairs = set()
    for r in range(side):
        for c in range(side):
            for other in ((r, (c + 1) % side), ((r + 1) % side, c)):
                pairs.add(tuple(sorted((r * side + c, other[0] * side + other[1]))))
    return sorted(pairs)


@pytest.mark.parametrize("side", [5, 32])
@pytest.mark.parametrize("glass", [False, True])
def test_lattice(side, glass, rng):
    """Every bond and no other, also where the couplings ±1 of two neighbours cancel."""
    right, down = rng.choice([-1, 1], size=(2, side, side)) if glass else np.ones((2, side, side))

    def statistics(codes):
        s = (2 * codes - 1).reshape(-1, side, side)
        bonds = right * s * np.roll(s, -1, 2) + down * s * np.roll(s, -1, 1)
        return np.stack([bonds.sum((1, 2)), s.sum((1, 2))], axis=1).astype(float)

    found = decompose(statistics, np.full(side**2, 2), rng)
    assert list(map(tuple, found.pairs.tolist())) == lattice_pairs(side)
    # s_i s_j with s = 2 code − 1 has second difference 4, the field none; s_i has 2.
    np.testing.assert_allclose(np.abs(found.pair[0, :, 1, 1]), 4)
    np.testing.assert_allclose(found.pair[1], 0)
    np.testing.assert_allclose(found.single[1, :, 1], 2)
    codes = random_codes(np.full(side**2, 2), 20, rng)
    np.testing.assert_allclose(found(codes), statistics(codes))


def test_sites_of_different_size(rng):
    """Random tables; a site of one value takes part in nothing."""
    n_values = np.array([3, 1, 2, 4, 3])
    single, pair = rng.normal(size=(5, 4)), rng.normal(size=(5, 5, 4, 4))

    def function(codes):
        value = single[np.arange(5), codes].sum(axis=1)
        for i, j in ((0, 3), (1, 2), (2, 4), (3, 4)):
            value = value + pair[i, j, codes[:, i], codes[:, j]]
        return value[:, None]

    found = decompose(function, n_values, rng)
    assert found.pairs.tolist() == [[0, 3], [2, 4], [3, 4]]
    codes = random_codes(n_values, 200, rng)
    np.testing.assert_allclose(found(codes), function(codes))
    doubled = found.combined(np.array([2.0]))
    np.testing.assert_allclose(doubled(codes), 2 * function(codes))


@pytest.mark.parametrize("step", [1, 5])
def test_neighbours_on_a_torus_and_pairs_that_are_farther_apart(step, rng):
    """By the axes of the event, and by groups of sites where that does not find all."""

    def lattice(s):
        s = 1.0 * s.reshape(-1, 15, 15)
        return sum((s * np.roll(s, step, axis)).sum((1, 2)) for axis in (1, 2))[:, None]

    found = decompose(lattice, np.full(225, 2), rng, (15, 15))
    assert len(found.pairs) == 450 and (found.pair[0, :, 1, 1] == 1).all()


@pytest.mark.parametrize("n_sites", [6, 250])
def test_three_sites_together_are_refused(n_sites, rng):
    triples = lambda s: (s[:, 2:] * s[:, 1:-1] * s[:, :-2]).sum(axis=1, keepdims=True).astype(float)
    assert decompose(triples, np.full(n_sites, 2), rng) is None


def test_infinite_values_are_refused(rng):
    hard = lambda s: np.where((s[:, 1:] & s[:, :-1]).any(1), np.inf, 0.0)[:, None]
    assert decompose(hard, np.full(5, 2), rng) is None


def test_directed_tables_name_the_neighbour_first(rng):
    """The field at a site, put together from its list, is the difference of the function."""
    n_values = np.array([3, 2, 3, 2])
    table = rng.normal(size=(4, 4, 3, 3))
    function = lambda s: sum(
        table[i, j, s[:, i], s[:, j]] for i, j in ((0, 1), (1, 2), (0, 3), (2, 3))
    )[:, None]
    found = decompose(function, n_values, rng)
    ends, others, _ = found.neighbours
    tables = found.directed()
    for codes in random_codes(n_values, 10, rng):
        for i, n in enumerate(n_values):
            field = found.single[0, i, :n].copy()
            for e in range(ends[i], ends[i + 1]):
                field += tables[e, codes[others[e]], :n]
            moved = np.repeat(codes[None], n, axis=0)
            moved[:, i] = np.arange(n)
            truth = function(moved)[:, 0]
            np.testing.assert_allclose(field - field[0], truth - truth[0], atol=1e-12)
