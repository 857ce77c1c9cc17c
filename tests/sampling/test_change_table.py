"""Tables of changes, and the pseudolikelihood that they give."""

from functools import partial

import numba
import numpy as np
import pytest
import scipy

from pymc_ebm.energies import edges, ergm, gwesp, triangles
from pymc_ebm.energy.energy import as_energy
from pymc_ebm.sampling.change_table import change_table, highest_pseudolikelihood
from pymc_ebm.sampling.local_change import local_change_of
from pymc_ebm.space.sites import Sites


def table_of(function, sites, theta, states, rng):
    energy = as_energy(function, "(k)")
    return change_table(local_change_of(energy, sites, [np.array(theta)]), states, rng)


def binary(n_sites):
    return Sites(np.tile([0, 1], (n_sites, 1)), np.full(n_sites, 2), (n_sites,))


def test_the_table_is_the_change_of_the_energy(rng):
    energy = ergm((edges, triangles, partial(gwesp, decay=0.5)))
    states = rng.integers(2, size=(3, 10))
    table = table_of(energy, binary(10), [0.3, -0.2, 0.1], states, rng)(states)
    theta = rng.normal(size=3)
    changed = np.repeat(states[:, None], 10, axis=1)
    changed[:, range(10), range(10)] = 1 - changed[:, range(10), range(10)]
    differences = energy(changed.reshape(-1, 10), theta).eval().reshape(3, 10)
    differences -= energy(states, theta).eval()[:, None]
    found = np.take_along_axis(table @ [*theta, 1.0], 1 - states[..., None], axis=2)[..., 0]
    np.testing.assert_allclose(found, differences, atol=1e-10)


def test_an_energy_that_bends_or_has_walls_has_no_table(rng):
    def bent(x, theta):
        return (theta**2).sum() * x.sum(-1)

    bent.local_change = numba.njit(
        lambda x, site, value, theta: (theta**2).sum() * (value - x[site])
    )
    assert table_of(bent, binary(4), [1.0], rng.integers(2, size=(2, 4)), rng) is None

    def walled(x, theta):
        return bent(x, theta)

    walled.local_change = numba.njit(
        lambda x, site, value, theta: np.inf if site == 0 else theta[0] * (value - x[site])
    )
    assert table_of(walled, binary(4), [1.0], rng.integers(2, size=(2, 4)), rng) is None


def test_independent_ties_have_the_logit_of_their_share(rng):
    states = (rng.random((5, 45)) < 0.3).astype(int)
    table = table_of(ergm((edges,)), binary(45), [0.0], states, rng)(states)
    (found,) = highest_pseudolikelihood(table, np.full(45, 2), np.zeros(1), np.inf)
    assert found == pytest.approx(scipy.special.logit(states.mean()), abs=1e-5)
    # Where all are tied the maximum is at infinity, and the prior keeps it near.
    everywhere = np.ones((1, 45), dtype=int)
    table = table_of(ergm((edges,)), binary(45), [0.0], everywhere, rng)(everywhere)
    (found,) = highest_pseudolikelihood(table, np.full(45, 2), np.zeros(1), 1.0)
    # There 45 of the slope 1 − p of log p are the θ of the prior's slope.
    assert 45 * scipy.special.expit(-found) == pytest.approx(found, abs=1e-4)
