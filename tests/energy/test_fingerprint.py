"""Fingerprints differ wherever an estimate or its error may."""

from dataclasses import replace
from functools import partial

import cloudpickle
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm.energy.fingerprint import function_identity, graph_digest
from pymc_ebm.reference.base import Reference

FACTOR = 2.0


def by_hand(transport=None, **fields):
    m = 30
    given = {"points": np.linspace(-1, 1, m), "log_weights": np.zeros(m), "groups": np.arange(m)}
    return Reference(**{**given, **fields}, transport=transport)


def shifted(base, v):
    return base + v[0] - v[1], 0.0 * base


def scaled(base, v):
    return base * pt.exp(v[0] - v[1]), 0.0 * base


def maps_of(number, table):
    """Maps that differ in one thing each: what they do, a number, one entry of a long table."""
    other = table.copy()
    other[len(other) // 2] += 1

    def with_table(t):
        return lambda base, v: (base + v[0] * t.sum(), 0.0 * base)

    def nested(base, v):
        return shifted(base, number * v)

    return [
        shifted,
        scaled,
        lambda base, v: (base + v[0], 0.0 * base),
        lambda base, v: (base + v[1], 0.0 * base),
        lambda base, v: (base + v.sum(), 0.0 * base),
        lambda base, v: (base + v.max(), 0.0 * base),
        lambda base, v: (base + number * v[0], 0.0 * base),
        lambda base, v: (base + (number + 1) * v[0], 0.0 * base),
        lambda base, v, scale=1.0: (base + scale * v[0], 0.0 * base),
        lambda base, v, scale=2.0: (base + scale * v[0], 0.0 * base),
        with_table(table),
        with_table(other),
        nested,
        partial(shifted),
        lambda base, v: (base + FACTOR * v[0], 0.0 * base),
    ]


def test_maps_of_vectors_are_told_apart():
    maps = maps_of(3.0, np.zeros(5000))
    assert len({by_hand(transport).fingerprint for transport in maps}) == len(maps)


def test_the_same_map_written_again_is_the_same():
    first, again = (maps_of(3.0, np.zeros(5000)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert by_hand(one).fingerprint == by_hand(other).fingerprint


@pytest.mark.parametrize("k", range(15))
def test_a_copy_has_the_same(k):
    q = by_hand(maps_of(3.0, np.zeros(5000))[k])
    copy = cloudpickle.loads(cloudpickle.dumps(q))
    assert copy.fingerprint == q.fingerprint
    assert replace(q).fingerprint == q.fingerprint


class Opaque:
    """A map that pickle cannot take: nothing tells what it does."""

    def __init__(self, factor):
        self.factor = lambda v: factor * v

    def __call__(self, base, v):
        return base + self.factor(v[0]), 0.0 * base


def test_what_nothing_tells_is_its_own():
    one, other = Opaque(1.0), Opaque(1.0)
    assert function_identity(one) == function_identity(one)
    assert function_identity(one) != function_identity(other)
    q = by_hand(one)
    assert q.fingerprint == replace(q).fingerprint != by_hand(other).fingerprint
    assert cloudpickle.loads(cloudpickle.dumps(q)).fingerprint == q.fingerprint


def test_restricted_maps():
    one, other = (by_hand(t).restricted_to("positive") for t in (shifted, scaled))
    assert len({one.fingerprint, other.fingerprint, by_hand(shifted).fingerprint}) == 3
    assert one.fingerprint == by_hand(shifted).restricted_to("positive").fingerprint


def test_constants_of_a_distribution():
    """PyTensor's text of a graph shortens arrays."""
    table = np.linspace(0, 1, 3000)
    other = table.copy()
    other[1500] += 1e-9
    make = lambda t: lambda s: pm.Normal.dist(t, s, shape=3000)
    prints = {
        ebm.reference.independent(make(t), 32, random_seed=1).fingerprint
        for t in (table, other, table)
    }
    assert len(prints) == 2


@pytest.mark.parametrize(
    "field",
    [
        {"absolute": False},
        {"complete": False},
        {"unused_draws": 3},
        {"edge": np.arange(30) == 29},
        {"coarse_log_weights": np.full(30, -1.0)},
        {"coarse_log_weights": np.full(30, -2.0)},
        {"support": (-1, 2)},
        {"groups": np.repeat(np.arange(15), 2)},
        {"exact": True},
    ],
    ids=str,
)
def test_every_field_that_decides(field):
    assert by_hand(**field).fingerprint != by_hand().fingerprint


def test_pools_of_other_anchors(rng):
    draws = rng.normal(size=(4, 500))
    energy = lambda x, s: x**2 / (2 * s**2)
    one, other = (
        ebm.reference.chain(energy, s, draws=draws, log_partition=0.0).fingerprint
        for s in (1.0, 1.1)
    )
    assert one != other


def test_replacing_a_map_by_another_one_of_a_vector():
    """Two models that differ in the map of a vector parameter: the second is not the first."""

    def energy(x, v):
        return (x - v[0]) ** 2 / 2 + 0.0 * v[1]

    base = np.random.default_rng(1).normal(size=200)

    def of(factor):
        def transport(points, v):
            y = factor * points + v[0]
            log_q = -(points**2) / 2 - np.log(factor * np.sqrt(2 * np.pi))
            return y, -log_q - np.log(200)

        return by_hand(transport, points=base, log_weights=np.zeros(200), groups=np.arange(200))

    with pm.Model() as model:
        v = pm.Normal("v", shape=2)
        log_z = ebm.log_partition(energy, v, reference=of(1.5), signature="(k)")
        pm.Potential("x", -10 * log_z)
    other = ebm.replace_reference(model, of(3.0))
    points = {"v": np.array([0.3, -0.2])}
    values = [m.compile_logp()(points) for m in (model, other)]
    assert values[0] != values[1]


def test_digests_tell_graphs_apart(different):
    x, y = pt.dvectors("x", "y")
    one, other = (make(x) for make in different)
    assert graph_digest([x], [one]) != graph_digest([x], [other])
    assert graph_digest([x], [one]) == graph_digest([y], [different[0](y)])
