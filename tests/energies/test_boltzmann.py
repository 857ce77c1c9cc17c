"""Hidden units by brute force."""

import itertools

import numpy as np
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.energies import restricted_boltzmann


def test_hidden_units_by_brute_force(rng, values_of):
    """E(v) and Z over all 2⁴ · 2³ joint states, and Z with the two kinds of units exchanged."""
    w, a, b = rng.normal(size=(4, 3)), rng.normal(size=4), rng.normal(size=3)
    v = np.array(list(itertools.product([0, 1], repeat=4)))
    h = np.array(list(itertools.product([0, 1], repeat=3)))
    joint = (v @ a)[:, None] + h @ b + v @ w @ h.T
    found = values_of(restricted_boltzmann, v, w, a, b)
    np.testing.assert_allclose(found, -logsumexp(joint, axis=1), rtol=1e-12)
    visible = ebm.reference.enumeration([0, 1], shape=4, complete=True)
    log_z = ebm.log_partition(
        restricted_boltzmann, w, a, b, reference=visible, signature="(d,h),(d),(h)"
    ).eval()
    np.testing.assert_allclose(log_z, logsumexp(joint), rtol=1e-12)
    exchanged = values_of(restricted_boltzmann, h, w.T, b, a)
    np.testing.assert_allclose(logsumexp(-exchanged), log_z, rtol=1e-12)
