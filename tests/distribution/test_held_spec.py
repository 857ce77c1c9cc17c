"""Draws by numba do not carry the points of the reference along."""

import pickle

import numpy as np
import pymc as pm
import pytensor
import pytest

import pymc_ebm as ebm
from pymc_ebm.distribution.held_spec import HeldSpec, PythonDraws


@pytest.fixture(scope="module")
def draws():
    with pm.Model():
        s = pm.HalfNormal("s", 2)
        q = ebm.reference.independent(pm.Normal.dist(0, 3), draws=2**15, random_seed=1)
        x = ebm.EBM("x", s, energy=lambda x, s: x**2 / (2 * s**2), reference=q, shape=(500,))
    return pytensor.function([s], x, mode="NUMBA"), x


def spec_in(graph):
    (spec,) = (n.op.rv.spec for n in graph.apply_nodes if isinstance(n.op, PythonDraws))
    return spec


def test_what_numba_reads_is_small_and_draws_are_right(draws):
    function, x = draws
    sample = function(2.0)
    # 500 draws: the mean of squares has a standard error of 4 sqrt(2 / 500) = 0.25.
    assert abs((sample**2).mean() - 4) < 5 * 0.25
    held = spec_in(function.maker.fgraph)
    assert isinstance(held, HeldSpec)
    assert len(pickle.dumps(held)) < 1000
    assert pickle.loads(pickle.dumps(held)) is held
    # The model's own can go to another process.
    own = x.owner.op.spec
    assert not isinstance(own, HeldSpec)
    np.testing.assert_array_equal(held.reference.points, own.reference.points)
