"""One normaliser for rows of the same constants, and never for rows that are equal by chance."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm.diagnostics import amplification, find_log_partitions
from pymc_ebm.energy.rows import ParameterRows, distinct_rows

GROUP = np.array([0, 2, 1, 2, 0, 2])
COVARIATES = np.array([[1.0, 0.5], [1.0, -1.0], [1.0, 0.5], [0.0, 2.0], [1.0, -1.0], [1.0, 0.5]])


def gaussian(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


MADE = {
    "group index": (lambda v: v[GROUP], 3),
    "covariates": (lambda v: v[0] + v[1] * COVARIATES[:, 1], 3),
    "dot": (lambda v: pt.exp(pt.dot(COVARIATES, v[:2])), 3),
    "matmul": (lambda v: pt.constant(COVARIATES) @ v[:2], 3),
    "stacked scalars": (lambda v: pt.stack([w := v[0], u := v[1], w, v[2], u, v[2]]), 4),
    "group and covariate": (lambda v: v[GROUP] + COVARIATES[:, 0], 4),
}


@pytest.mark.parametrize("case", MADE)
def test_values_and_gradients_are_those_of_every_row(case):
    make, n_kinds = MADE[case]
    v = pt.dvector("v")
    reference = ebm.reference.independent(pm.Normal.dist(0, 4), draws=300, random_seed=1)
    log_z = ebm.log_partition(gaussian, make(v), 1.5, reference=reference)
    node = log_z.owner.inputs[0].owner
    # Batch rows of the first parameter of the node.
    assert node.inputs[0].eval({v: np.array([0.3, -0.2, 0.7])}).shape == (n_kinds,)
    one, mean = pt.dvector(shape=(6,)), np.array([0.3, -0.2, 0.7])
    rows = ebm.log_partition(gaussian, one, 1.5, reference=reference)
    weight = np.arange(1.0, 7.0)
    both = []
    for graph in (log_z, pytensor.graph.graph_replace(rows, {one: make(v)})):
        total = (weight * graph).sum()
        both.append(pytensor.function([v], [total, pt.grad(total, v)])(mean))
    np.testing.assert_allclose(both[0][0], both[1][0], rtol=1e-12)
    np.testing.assert_allclose(both[0][1], both[1][1], rtol=1e-10)


@pytest.mark.parametrize(
    "rows",
    [
        pt.dvector("free"),
        pt.dvector("free") + np.zeros(6),
        pt.dvector("short")[np.arange(6)],
        pt.dmatrix("design") @ np.ones(2),
        pt.dvector("covariate") * pt.dscalar("slope"),
        pt.stack([pt.dscalar(), pt.dscalar()]),
    ],
)
def test_rows_that_may_differ_are_kept(rows):
    """Values that happen to be equal have different derivatives."""
    assert distinct_rows([rows]) is None


def test_data_that_can_be_replaced_are_kept():
    with pm.Model() as model:
        x = pm.Data("x", np.zeros(4))
        slope = pm.Normal("slope", initval=0.3)
        reference = ebm.reference.independent(pm.Normal.dist(0, 4), draws=300, random_seed=1)
        ebm.EBM("y", slope * x, 1.0, energy=gaussian, reference=reference, observed=np.ones(4))
    assert amplification(model)["y"].shape == (4,)


@pytest.mark.parametrize(
    ("stacked", "counts"),
    [(False, [2, 1, 3]), (True, [2, 3, 1])],  # PyTensor takes a stack apart, row by row
    ids=["vector", "stacked scalars"],
)
def test_amplification_of_a_shared_row_is_its_count(stacked, counts):
    with pm.Model() as model:
        mu = pm.Normal("mu", shape=3)
        mu = pt.stack([mu[0], mu[1], mu[2]]) if stacked else mu
        reference = ebm.reference.independent(pm.Normal.dist(0, 4), draws=300, random_seed=1)
        ebm.EBM("y", mu[GROUP], 1.0, energy=gaussian, reference=reference, observed=np.ones(6) / 3)
    assert len(find_log_partitions(model)) == 1
    np.testing.assert_allclose(amplification(model)["y"], counts)


def test_rows_of_vectors_are_one_where_their_group_is():
    with pm.Model() as model:
        b = pm.Normal("b", shape=(3, 2))
        energy = lambda x, b: (x - b[0]) ** 2 * pt.exp(b[1])
        reference = ebm.reference.independent(pm.Normal.dist(0, 4), draws=300, random_seed=1)
        data = np.ones(6) / 3
        ebm.EBM("y", b[GROUP], energy=energy, signature="(k)", reference=reference, observed=data)
    np.testing.assert_allclose(amplification(model)["y"], [2, 1, 3])


@pytest.mark.parametrize("batch", [(), (2, 3)])
def test_rows_of_values_and_back(batch, rng):
    """Two parameters, one of which varies along the last axis of the batch alone."""
    a, b = rng.choice([1.0, 2.0], size=batch[-1:]), rng.normal(size=4)
    rows = ParameterRows.of_values([a, b], (0, 1), batch)
    assert rows.batch == batch
    assert len(rows) == len(np.unique(a))
    assert [v.shape for v in rows.distinct] == [(len(rows),), (len(rows), 4)]
    np.testing.assert_array_equal(rows.back(rows.distinct[0]), np.broadcast_to(a, batch))
    for kind in range(len(rows)):
        one = rows.row(kind)
        assert np.shape(one[0]) == ()
        np.testing.assert_array_equal(one[1], b)


def test_rows_of_graphs_and_back(rng):
    mu = pt.dvector("mu")
    group = np.array([2, 0, 0, 2, 1])
    rows = ParameterRows.of_graphs([mu[group], pt.constant(1.0)], (0, 0))
    assert len(rows) == 3
    found = rows.back(rows.distinct[0]).eval({mu: [5.0, 6.0, 7.0]})
    np.testing.assert_array_equal(found, [7.0, 5.0, 5.0, 7.0, 6.0])
