"""Blocks of log weights against the formula, and how many numbers are held at a time."""

from dataclasses import replace

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.sums import log_weights
from pymc_ebm.diagnostics.sums.log_weights import LogWeights
from pymc_ebm.weights.groups import group_variance
from pymc_ebm.weights.running_totals import RunningTotals

M = 1000


def gaussian(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


def sweep(mu, s, reference=None):
    q = ebm.reference.independent(pm.Normal.dist(1, 2), draws=M, random_seed=1)
    reference = reference or q
    with pm.Model() as model:
        log_z = ebm.log_partition(gaussian, mu, s, reference=reference)
        pm.Potential("p", -log_z.sum())
    [normaliser] = Normalisers(model, transformed=True)
    return LogWeights(normaliser)


@pytest.mark.parametrize("rows", [1, 3])
def test_log_weights_in_blocks_of_a_given_size(rows, interpreted, monkeypatch):
    """a − (y − μ)²/2s², for 300 numbers at a time: as many fewer points as there are rows."""
    monkeypatch.setattr(log_weights, "_BLOCK", 300)
    mu = np.array([0.3, -1.0, 2.0])[:rows]
    values = [mu if rows > 1 else mu[0], np.array(1.7)]
    one = sweep(pt.dvector("mu") if rows > 1 else pt.dscalar("mu"), pt.dscalar("s"))
    values = [np.broadcast_to(v, mu.shape) if rows > 1 else v for v in values]
    q = one.reference
    expected = q.log_weights - (q.points - mu[:, None]) ** 2 / (2 * 1.7**2)
    np.testing.assert_allclose(one.all(values), expected)
    slices, blocks = zip(*one.blocks(values), strict=True)
    size = 300 // rows
    assert [s.start for s in slices] == list(range(0, M, size))
    assert [s.stop for s in slices] == [*range(size, M, size), M]
    np.testing.assert_allclose(np.concatenate(blocks, axis=1), expected)


@pytest.mark.parametrize(("rows", "block"), [(1, 125), (2, 250), (2, 10**9), (5, 3)])
def test_what_is_held_at_once(rows, block, interpreted, monkeypatch):
    """Eight blocks of numbers and no more, but for one point of every row at the least."""
    one = sweep(pt.dvector("mu"), pt.dscalar("s"))
    values = [np.zeros(rows), np.ones(rows)]
    monkeypatch.setattr(log_weights, "_BLOCK", block)
    assert one.fits(values) == (block != 3)
    monkeypatch.setattr(log_weights, "_BLOCK", block - 1 if block < 10**9 else block)
    assert one.fits(values) == (block == 10**9)
    if block == 3:
        assert [s.stop for s, _ in one.blocks(values)] == list(range(1, M + 1))


def test_what_cannot_be_taken_in_blocks_is_held_or_refused(interpreted, monkeypatch):
    """q(y|θ) goes the plain way; eight arrays of 8 bytes for each row and point need 320 kB."""
    q = ebm.reference.independent(lambda mu, s: pm.Normal.dist(mu, 2 * s), draws=M, random_seed=1)
    one = sweep(pt.dvector("mu"), pt.dscalar("s"), q)
    values = [np.zeros(5), np.ones(5)]
    monkeypatch.setattr(log_weights, "_BLOCK", 100)
    memory = "pymc_ebm.memory.physical_memory"
    monkeypatch.setattr(memory, lambda: 320_000)
    assert one.fits(values)
    monkeypatch.setattr(memory, lambda: 319_999)
    with pytest.raises(MemoryError, match="with 5 rows of parameters"):
        one.fits(values)


def test_rows_of_vectors(interpreted):
    """E = b · x: a row of parameters is a vector."""
    q = ebm.reference.independent(pm.MvNormal.dist(np.zeros(3), np.eye(3)), draws=M, random_seed=1)
    with pm.Model() as model:
        b = pm.Normal("b", shape=(2, 3))
        log_z = ebm.log_partition(lambda x, b: x @ b, b, reference=q, signature="(k)")
        pm.Potential("p", -log_z.sum())
    one = LogWeights(Normalisers(model, transformed=True)[0])
    rows = np.array([[0.1, -0.2, 0.3], [1.0, 0.0, -1.0]])
    assert one.n_rows([rows]) == 2
    [(points, found)] = one.parts([rows])
    assert points == slice(0, M)
    np.testing.assert_allclose(found, q.log_weights - rows @ q.points.T)


def test_a_component_of_a_mixture_has_its_own_row(interpreted):
    q = ebm.reference.independent(pm.Normal.dist(1, 2), draws=M, random_seed=1)
    with pm.Model() as model:
        mu = pm.Normal("mu", shape=2)
        parts = ebm.EBM.dist(mu, 1.7, energy=gaussian, reference=q, shape=(2,))
        pm.Mixture("x", [0.4, 0.6], parts, observed=np.array([0.0, 1.0, 3.0]))
    means = [0.3, -1.0]
    for mean, normaliser in zip(means, Normalisers(model, transformed=True), strict=True):
        one = LogWeights(normaliser)
        values = [
            np.broadcast_to(v, p.type.shape)
            for v, p in zip((means, 1.7), one.parameters, strict=True)
        ]
        expected = q.log_weights - (q.points - mean) ** 2 / (2 * 1.7**2)
        np.testing.assert_allclose(one.all(values), [expected])


def test_two_points_in_one_group_and_all_others_alone(rng):
    """One group fewer than points, by the formula for all at once."""
    q = ebm.reference.independent(pm.Normal.dist(1, 2), draws=M, random_seed=1)
    groups = np.append(0, np.arange(M - 1))
    grouped = replace(q, groups=groups)
    influence = rng.normal(size=M)
    spread = grouped.group_spread(influence.sum())
    for low in range(0, M, 300):
        points = slice(low, min(low + 300, M))
        spread.add(points, influence[points])
    np.testing.assert_allclose(spread.variance, group_variance(influence, groups), rtol=1e-12)


def test_data_that_the_energy_uses_besides_its_parameters(interpreted):
    """They are values of the sweep, after the parameters."""
    q = ebm.reference.independent(pm.Normal.dist(1, 2), draws=M, random_seed=1)
    with pm.Model() as model:
        d, s = pm.Data("d", 3.0), pm.HalfNormal("s")
        log_z = ebm.log_partition(lambda x, s: d * x**2 / s, s, reference=q)
        pm.Potential("p", -log_z)
    one = LogWeights(Normalisers(model, transformed=True)[0])
    assert len(one.parameters) == 2
    values = [np.array(0.5), np.array(4.0)]
    np.testing.assert_allclose(one.all(values)[0], q.log_weights - 4 * q.points**2 / 0.5)


def test_a_block_is_of_the_size_that_is_said():
    assert 8 * log_weights._BLOCK == 2**20  # 1 MiB an array


def test_a_nan_or_infinite_weight_stays_visible():
    for bad in (np.nan, np.inf):
        totals = RunningTotals(2)
        totals.add(np.array([[0.0, 1.0], [0.0, bad]]))
        totals.add(np.array([[2.0], [3.0]]))
        np.testing.assert_allclose(totals.log_z[0], np.log(np.exp([0, 1, 2]).sum()))
        assert np.isnan(totals.log_z[1])
