"""Kronrod's rules against QUADPACK's tables and the integrals of monomials."""

import numpy as np
import pytest

from pymc_ebm.reference.composite.rule import gauss_kronrod

# QUADPACK, qk15: the nodes that Kronrod added, and the weights of all, from the outermost.
QK15_NODES = [0.99145537112081263, 0.86486442335976907,
              0.58608723546769113, 0.20778495500789846]  # fmt: skip
QK15_WEIGHTS = [0.02293532201052922, 0.06309209262997855,
                0.10479001032225018, 0.14065325971552591,
                0.16900472663926790, 0.19035057806478540,
                0.20443294007529889, 0.20948214108472782]  # fmt: skip


def test_fifteen_nodes_are_those_of_quadpack():
    rule = gauss_kronrod(7)
    added = rule.coarse == 0
    np.testing.assert_allclose(rule.nodes[added, 0][-4:][::-1], QK15_NODES, rtol=1e-14)
    np.testing.assert_allclose(2 * rule.weights[7:][::-1], QK15_WEIGHTS, rtol=1e-13)
    np.testing.assert_allclose(rule.nodes, -rule.nodes[::-1], atol=1e-15)


@pytest.mark.parametrize(("order", "n_dim"), [(3, 1), (7, 1), (3, 2)])
def test_degrees(order, n_dim):
    """Means over [−1, 1]^D of Π x^k: 1/(k + 1)^D, exact up to 3n + 2 (n odd) and 2n − 1."""
    rule = gauss_kronrod(order, n_dim)
    assert len(rule.weights) == (2 * order + 1) ** n_dim
    for k in range(0, 3 * order + 4, 2):
        powers = (rule.nodes**k).prod(axis=1)
        exact = 1 / (k + 1) ** n_dim
        assert (abs(rule.weights @ powers - exact) < 1e-14) == (k <= 3 * order + 2)
        assert (abs(rule.coarse @ powers - exact) < 1e-14) == (k <= 2 * order - 1)
