"""Graphs at many values of some inputs: the numbers of each value alone, in one call or in many."""

import numpy as np
import pytensor.tensor as pt
import pytest

from pymc_ebm.energy.of_many import of_many
from pymc_ebm.energy.split import VECTORISED


@pytest.mark.parametrize("at_once", [True, False])
def test_each_value_as_alone(at_once, rng):
    x, a, b = pt.dvector("x"), pt.dscalar("a"), pt.dvector("b")
    by_array = b[0] * pt.exp(-((x - a) ** 4)) + b.sum()
    graphs = [by_array if at_once else by_array + pt.linalg.det(pt.outer(b, b) + pt.eye(2)), b[1]]
    function, found = of_many([a, b], graphs, VECTORISED, once=[x])
    assert found == at_once
    points, many = rng.normal(size=5), (rng.normal(size=3), rng.normal(size=(3, 2)))
    values, second = function([points], many)
    truth = np.array(
        [v[0] * np.exp(-((points - u) ** 4)) + v.sum() for u, v in zip(*many, strict=True)]
    )
    if not at_once:
        truth += 1 + (many[1] ** 2).sum(axis=1, keepdims=True)  # det(I + v vᵀ)
    np.testing.assert_allclose(values, truth, rtol=1e-12)
    np.testing.assert_array_equal(second, many[1][:, 1])
