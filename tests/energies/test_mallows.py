"""Mallows's model: distances against plain counting, log Z against closed forms."""

import itertools

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm.energies import mallows

DISTANCES = ["kendall", "footrule", "spearman", "hamming", "cayley", "ulam"]


def compiled(distance, n):
    x, rho = pt.lmatrix("x"), pt.lvector("rho")
    x = pt.specify_shape(x, (None, n))
    return pytensor.function([x, rho], mallows(distance)(x, 1.0, rho), mode="FAST_COMPILE")


def swaps_from(states):
    """The fewest swaps, and the fewest moves of one item, from the first state, by search."""
    n = len(states[0])

    def steps(neighbours):
        known, frontier = {states[0]: 0}, [states[0]]
        while frontier:
            state = frontier.pop(0)
            for other in neighbours(state):
                if other not in known:
                    known[other] = known[state] + 1
                    frontier.append(other)
        return np.array([known[s] for s in states])

    def swapped(s):
        for i, j in itertools.combinations(range(n), 2):
            t = list(s)
            t[i], t[j] = t[j], t[i]
            yield tuple(t)

    def moved(s):
        """In the order of ranks: an item is taken out and put elsewhere."""
        order = [s.index(r) for r in sorted(s)]
        for i, j in itertools.product(range(n), repeat=2):
            rest = order[:i] + order[i + 1 :]
            rest.insert(j, order[i])
            yield tuple(rest.index(item) + 1 for item in range(n))

    return steps(swapped), steps(moved)


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances(distance, rng):
    """By their definitions on all 120 orders, from any consensus, ranks from 0 or from 1."""
    states = list(itertools.permutations(range(1, 6)))
    x = np.array(states)
    cayley, ulam = swaps_from(states)
    pairs = list(itertools.combinations(range(5), 2))
    wanted = {
        "kendall": sum((x[:, i] > x[:, j]).astype(int) for i, j in pairs),
        "footrule": np.abs(x - x[0]).sum(1),
        "spearman": ((x - x[0]) ** 2).sum(1),
        "hamming": (x != x[0]).sum(1),
        "cayley": cayley,
        "ulam": ulam,
    }[distance]
    energy = compiled(distance, 5)
    np.testing.assert_array_equal(energy(x, x[0]), wanted)
    # Relabelling the items changes nothing, and a distance is symmetric.
    label, rho = rng.permutation(5), x[rng.integers(120)]
    np.testing.assert_array_equal(energy(x[:, label], rho[label]), energy(x, rho))
    other = x[rng.integers(120)]
    assert energy(other[None], rho) == energy(rho[None], other)
    np.testing.assert_array_equal(energy(x - 1, x[0]), wanted)


def test_closed_forms():
    """Log Z of seven items, and of any consensus."""
    orders = ebm.space.permutations(7).all_states()
    q = ebm.reference.enumeration(orders, complete=True, support="permutations")
    i, alpha = np.arange(1, 8), 0.4
    gamma = np.cumprod([1.0, *i])  # k!
    k = np.arange(8)
    truths = {
        "kendall": np.log((1 - np.exp(-i * alpha)) / (1 - np.exp(-alpha))).sum(),
        "cayley": np.log1p(i[:-1] * np.exp(-alpha)).sum(),
        "hamming": np.log(gamma[7] * np.exp(-7 * alpha) * (np.expm1(alpha) ** k / gamma).sum()),
    }
    rho = np.array([3, 1, 2, 7, 5, 6, 4])
    graphs = [ebm.log_partition(mallows(d, rho), alpha, reference=q) for d in truths]
    as_parameter = ebm.log_partition(
        mallows("kendall"), alpha, rho, reference=q, signature="(),(n)"
    )
    found = pytensor.function([], [*graphs, as_parameter], mode="FAST_COMPILE")()
    np.testing.assert_allclose(found, [*truths.values(), truths["kendall"]], rtol=1e-12)


def log_permanent(matrix):
    """By Ryser's formula, a sum over sets of columns."""
    n = len(matrix)
    sets = np.arange(1, 2**n)[:, None] >> np.arange(n) & 1
    return np.log(((-1.0) ** (n - sets.sum(axis=1)) * (sets @ matrix.T).prod(axis=1)).sum())


def test_permanents():
    """Z of the footrule and of Spearman's distance of nine items is a permanent."""
    orders = ebm.space.permutations(9).all_states()
    q = ebm.reference.enumeration(orders, complete=True, support="permutations")
    alpha, apart = 0.15, np.abs(np.subtract.outer(range(9), range(9)))
    found = [ebm.log_partition_at(mallows(d, orders[0]), alpha, reference=q).log_partition
             for d in ("footrule", "spearman")]  # fmt: skip
    truth = [log_permanent(np.exp(-alpha * d)) for d in (apart, apart**2)]
    np.testing.assert_allclose(found, truth, rtol=1e-10)


def test_expected_distances():
    """By the slope of log Z at E = α d / n, n = 5: sums over 120 orders; Kendall's closed form."""
    orders, alpha = np.array(list(itertools.permutations(range(1, 6)))), pt.dscalar("alpha")
    q = ebm.reference.enumeration(orders, complete=True, support="permutations")
    log_z = [ebm.log_partition(mallows(d, orders[0]), alpha / 5, reference=q) for d in DISTANCES]
    slopes = [pytensor.grad(z, alpha) for z in log_z]
    function = pytensor.function([alpha], slopes, mode="FAST_COMPILE")
    for value in (0.7, 2.5):
        truth = []
        for distance in DISTANCES:
            d = compiled(distance, 5)(orders, orders[0])
            truth.append(d @ np.exp(-value / 5 * d) / np.exp(-value / 5 * d).sum())
        np.testing.assert_allclose(-5 * np.array(function(value)), truth, rtol=1e-10)
        i, r = np.arange(1, 6), value / 5
        closed = 5 / np.expm1(r) - (i / np.expm1(i * r)).sum()
        assert np.isclose(truth[0], closed, rtol=1e-12)


@pytest.mark.parametrize("distance", DISTANCES)
def test_one_item_has_one_ranking(distance):
    assert mallows(distance, [1])(np.array([[1]]), 2.0).eval() == [0.0]


def test_words():
    with pytest.raises(ValueError, match=r"'bubble' is unknown. Use one of 'kendall', 'footrule'"):
        mallows("bubble")
    with pytest.raises(ValueError, match=r"consensus is \[1, 1, 2\]. Give the rank of each"):
        mallows(consensus=[1, 1, 2])
    with pytest.raises(ValueError, match=r"numbers of items are \[2, 3\]"):
        mallows(consensus=[1, 2])(np.zeros((4, 3), int), 1.0)
