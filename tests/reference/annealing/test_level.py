"""The level of log Z by annealing sites, against a closed form."""

from functools import partial

import numba
import numpy as np
import pytest
from scipy.special import logsumexp

from pymc_ebm.energies import edges, ergm, gwesp
from pymc_ebm.energy.energy import as_energy
from pymc_ebm.reference._enumeration import enumeration
from pymc_ebm.reference.annealing.level import level_of_sites
from pymc_ebm.space.sites import Sites

SPINS = Sites.of([-1, 1], (30,))


def ring(s, b):
    return -b * (s[..., 1:] * s[..., :-1]).sum(-1) - b * s[..., 0] * s[..., -1]


def test_a_ring_of_spins(rng):
    """Z = (2 cosh β)³⁰ + (2 sinh β)³⁰, within five standard errors of 16 runs."""
    theta, data = [np.array(0.5)], rng.choice([-1, 1], size=(1, 30))
    value, se = level_of_sites(as_energy(ring), theta, data, SPINS, rng, pilot=256)
    truth = np.logaddexp(30 * np.log(2 * np.cosh(0.5)), 30 * np.log(2 * np.sinh(0.5)))
    assert 0 < se < 0.2 and abs(value - truth) < 5 * se


def test_networks_by_what_a_tie_changes(rng):
    """Of 6 nodes, by all 2¹⁵ of them; of 16 nodes with gwesp at 0, where each tie is by itself."""
    energy = as_energy(ergm((edges, partial(gwesp, decay=0.5))), "(k)")
    for nodes, theta in ((6, [-1.0, 0.6]), (16, [-1.6, 0.0])):
        n = nodes * (nodes - 1) // 2
        data = (rng.random((1, n)) < 0.2).astype(int)
        row = [np.array(theta)]
        value, se = level_of_sites(energy, row, data, Sites.of([0, 1], (n,)), rng, pilot=128)
        truth = n * np.logaddexp(0, theta[0])
        if theta[1]:
            states = enumeration([0, 1], shape=n).points
            truth = logsumexp(-energy(states, np.array(theta)).eval())
        assert 0 < se < 0.2 and abs(value - truth) < 5 * se + 1e-6


def test_a_change_that_is_not_of_the_energy(rng):
    triples = lambda s, b: -b * (s[..., 2:] * s[..., 1:-1] * s[..., :-2]).sum(-1)
    triples.local_change = numba.njit(lambda x, site, value, b: b)
    data = rng.choice([-1, 1], size=(1, 30))
    with pytest.raises(ValueError, match=r"The local_change of the energy is 0.5 where site"):
        level_of_sites(as_energy(triples), [np.array(0.5)], data, SPINS, rng)


def test_terms_of_three_sites(rng):
    """Products of three neighbours are free signs: Z = 4 (2 cosh β)²⁸. Beyond 100 sites none."""
    triples = as_energy(lambda s, b: -b * (s[..., 2:] * s[..., 1:-1] * s[..., :-2]).sum(-1))
    theta, data = [np.array(0.5)], rng.choice([-1, 1], size=(1, 30))
    value, se = level_of_sites(triples, theta, data, SPINS, rng)
    truth = np.log(4) + 28 * np.log(2 * np.cosh(0.5))
    assert 0 < se < 0.2 and abs(value - truth) < 5 * se
    many = rng.choice([-1, 1], size=(1, 101))
    assert level_of_sites(triples, theta, many, Sites.of([-1, 1], (101,)), rng) is None
