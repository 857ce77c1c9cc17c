"""Tables of a network that are kept along while its ties change."""

from functools import partial

import cloudpickle
import numba
import numpy as np
import pytest

from pymc_ebm.energies import degree, ergm, gwdegree, gwdsp, gwesp, stars, triangles
from pymc_ebm.energies.local_change import kept_change

N_NODES = 7
N_DYADS = N_NODES * (N_NODES - 1) // 2
STATISTICS = {
    "triangles": triangles,
    "stars": partial(stars, k=3),
    "degree": partial(degree, d=2),
    "gwdegree": partial(gwdegree, decay=0.7),
    "gwesp": partial(gwesp, decay=0.5),
    "gwdsp": partial(gwdsp, decay=0.5),
}


def test_kept_tables_are_those_made_anew(rng):
    kept = triangles.local_change.kept_change
    x = rng.integers(2, size=N_DYADS)
    tables = kept.make(x)
    for site, value in zip(rng.integers(N_DYADS, size=60), rng.integers(2, size=60), strict=True):
        kept.update(tables, x, site, value)
        x[site] = value
        for found, expected in zip(tables, kept.make(x), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_tables_count_ties_and_partners(rng):
    x = rng.integers(2, size=N_DYADS)
    ties, partners, ends = triangles.local_change.kept_change.make(x)
    adjacency = np.zeros((N_NODES, N_NODES), dtype=int)
    adjacency[np.triu_indices(N_NODES, 1)] = x
    adjacency += adjacency.T
    np.testing.assert_array_equal(ties, adjacency)
    np.testing.assert_array_equal(partners, adjacency @ adjacency)
    np.testing.assert_array_equal(ends.T, np.triu_indices(N_NODES, 1))


@pytest.mark.parametrize("name", STATISTICS)
def test_a_change_along_a_chain_is_the_difference(name, rng):
    statistic = STATISTICS[name]
    states = np.cumsum(np.eye(N_DYADS, dtype=int)[rng.permutation(N_DYADS)], axis=0)
    values = statistic(states).eval()
    # An energy of one statistic, whose coefficient is −1.
    kept = kept_change(ergm((statistic,)).local_change)
    tables = kept.make(states[0])
    for before, after, difference in zip(states, states[1:], np.diff(values), strict=False):
        site = int(np.flatnonzero(after != before)[0])
        found = kept.change(before, site, 1, tables, np.array([-1.0]))
        assert found == pytest.approx(difference, abs=1e-10)
        kept.update(tables, before, site, 1)


def test_a_loaded_energy_keeps_its_tables(rng):
    """numba pickles the function alone, and compiles it anew where it is loaded."""
    change = ergm((triangles,)).local_change
    loaded = kept_change(numba.njit(cloudpickle.loads(cloudpickle.dumps(change.py_func))))
    x, theta = rng.integers(2, size=N_DYADS), np.array([-1.0])
    tables = loaded.make(x)
    np.testing.assert_array_equal(tables[1], triangles.local_change.kept_change.make(x)[1])
    assert loaded.change(x, 3, 1 - x[3], tables, theta) == change(x, 3, 1 - x[3], theta)


def test_a_change_of_ones_own_needs_no_tables():
    change = numba.njit(lambda x, site, value, b: b * (value - x[site]))
    kept = kept_change(change)
    x = np.array([0.0, 1.0])
    assert kept.change(x, 1, 0.5, kept.make(x), 4.0) == -2.0
