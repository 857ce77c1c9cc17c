"""The level of log Z by annealing sites, against a closed form."""

import numpy as np

from pymc_ebm.energy.energy import as_energy
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


def test_terms_of_three_sites_have_none(rng):
    triples = lambda s, b: -b * (s[..., 2:] * s[..., 1:-1] * s[..., :-2]).sum(-1)
    data = rng.choice([-1, 1], size=(1, 30))
    assert level_of_sites(as_energy(triples), [np.array(0.5)], data, SPINS, rng) is None
