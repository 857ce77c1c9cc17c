"""Statistics kept for a reference are those of the energy that asks."""

import itertools

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.builders import OpFromGraph
from scipy.special import logsumexp

import pymc_ebm as ebm

WEIGHTS = np.array([0.0, 1.0, 3.0])


def _field(weights):
    def energy(s, h):
        return -0.8 * (s[..., 1:] * s[..., :-1]).sum((-2, -1)) - h * (s * weights).sum((-2, -1))

    return energy


def _inside(power):
    v = pt.dvector("v")
    op = OpFromGraph([v], [v**power])
    return lambda x, t: t * op(x)


def _looped(power):
    return lambda x, t: t * pytensor.scan(lambda a: a**power, sequences=[x], return_updates=False)


@pytest.mark.parametrize("shape", [(3, 1), (1, 3)])
def test_fields_along_rows_and_columns_are_told_apart(shape):
    """Their constants have the same bytes; log Z by enumeration."""
    spins = ebm.reference.enumeration([-1, 1], shape=(3, 3), complete=True)
    states = np.array(list(itertools.product([-1, 1], repeat=9))).reshape(-1, 3, 3)
    for weights in (WEIGHTS.reshape(3, 1), WEIGHTS.reshape(shape)):
        energy = _field(weights)
        found = ebm.log_partition(energy, 1.0, reference=spins).eval()
        np.testing.assert_allclose(found, logsumexp(-energy(states, 1.0)), rtol=1e-12)


@pytest.mark.parametrize("make", [_inside, _looped])
def test_powers_in_inner_graphs_are_told_apart(make):
    states = np.array([0.5, 1.0, 2.0])
    reference = ebm.reference.enumeration(states, complete=True)
    for power in (2, 3):
        found = ebm.log_partition(make(power), 1.5, reference=reference).eval()
        np.testing.assert_allclose(found, logsumexp(-1.5 * states**power), rtol=1e-12)
