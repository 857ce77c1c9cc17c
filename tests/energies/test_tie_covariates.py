"""Covariates of nodes and pairs against sums over the ties of adjacency matrices."""

from functools import partial

import numpy as np
import pytensor.tensor as pt
import pytest

from pymc_ebm.energies import (
    edgecov,
    edges,
    nodecov,
    nodefactor,
    nodeicov,
    nodematch,
    nodeocov,
)
from pymc_ebm.energy.split import evaluate

GRADES = ["a", "b", "b", "c", "a", "b"]
AGES = [3.0, -1.0, 0.5, 2.0, 4.0, 1.5]


def both_kinds(n, ties):
    """Of ties (i, j) of each network, as ``ties`` lists them."""
    grade, age = GRADES[:n], AGES[:n]
    over = lambda f: lambda a: np.array([sum(f(i, j) for i, j in ties(one)) for one in a])
    return {
        "edges": (edges, over(lambda i, j: 1)),
        "nodecov": (partial(nodecov, attribute=age), over(lambda i, j: age[i] + age[j])),
        "nodematch": (partial(nodematch, attribute=grade), over(lambda i, j: grade[i] == grade[j])),
        "nodematch b": (
            partial(nodematch, attribute=np.array(grade), level="b"),
            over(lambda i, j: grade[i] == grade[j] == "b"),
        ),
        "nodefactor b": (
            partial(nodefactor, attribute=grade, level="b"),
            over(lambda i, j: (grade[i] == "b") + (grade[j] == "b")),
        ),
    }


def undirected(n):
    distance = np.abs(np.subtract.outer(AGES[:n], AGES[:n]))
    ties = lambda a: np.argwhere(np.triu(a))
    total = lambda a: np.array([sum(distance[i, j] for i, j in ties(one)) for one in a])
    return both_kinds(n, ties) | {"edgecov": (partial(edgecov, weights=distance), total)}


def directed(n):
    age, lead = AGES[:n], np.subtract.outer(AGES[:n], AGES[:n])
    over = lambda f: lambda a: np.array([sum(f(i, j) for i, j in np.argwhere(one)) for one in a])
    return both_kinds(n, np.argwhere) | {
        "edgecov": (partial(edgecov, weights=lead), over(lambda i, j: age[i] - age[j])),
        "nodeocov": (partial(nodeocov, attribute=age), over(lambda i, j: age[i])),
        "nodeicov": (partial(nodeicov, attribute=age), over(lambda i, j: age[j])),
    }


def test_contract_of_undirected_networks(keeps_contract):
    keeps_contract(undirected, directed=False)


def test_contract_of_directed_networks(keeps_contract):
    keeps_contract(directed, directed=True)


@pytest.mark.parametrize("n_dyads", [15, 30])
def test_dyads_of_unknown_number(n_dyads, rng, values_of):
    """Which of the two kinds a network is, is then found where the graph is evaluated."""
    x, data = pt.matrix(dtype="int64"), rng.integers(2, size=(3, n_dyads))
    statistic = partial(nodecov, attribute=AGES)
    found = evaluate([statistic(x)], {x: data})[0]
    np.testing.assert_allclose(found, values_of(statistic, data), rtol=1e-12)


def test_weights_one_way_of_an_unknown_number_of_dyads():
    """Directed: the sum over i of a_i; undirected it had counted the weights above the diagonal."""
    x = pt.matrix(dtype="int64")
    value = nodeocov(x, attribute=[1, 2, 3])
    assert evaluate([value], {x: np.ones((1, 6), dtype=int)})[0] == 12
    with pytest.raises(AssertionError, match="not symmetric"):
        evaluate([value], {x: np.ones((1, 3), dtype=int)})


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: nodecov([1, 0, 1], attribute=[1, 2]), "There are 3 dyads, and a covariate of 2"),
        (lambda: nodecov([1, 0, 1], attribute=[1, np.nan, 2]), "attribute of node 1 is nan"),
        (lambda: nodematch([1, 0, 1], attribute=[[1, 1, 2]]), r"attribute has shape \(1, 3\)"),
        (lambda: nodefactor([1, 0, 1], attribute=["a", "a", "b"], level="c"), "the level 'c'"),
        (lambda: nodeocov([1, 0, 1], attribute=[1, 2, 3]), "not symmetric"),
        (lambda: edgecov([1, 0, 1], weights=np.zeros((2, 3))), r"weights have shape \(2, 3\)"),
        (lambda: edgecov([1], weights=[[0, np.inf], [1, 0]]), "weight of nodes 0 and 1 is inf"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
