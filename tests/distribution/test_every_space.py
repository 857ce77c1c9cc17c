"""Every space under one model: log p by row, outside, of new data, dims, draws; by closed forms."""

from typing import NamedTuple

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy.special import gammaln, i0

import pymc_ebm as ebm
from pymc_ebm.energies import mallows
from pymc_ebm.energy.split import evaluate


class Case(NamedTuple):
    """An energy of one parameter, its log Z, and how data and what lies outside look."""

    energy: object
    log_z: object
    support: object
    data: object
    outside: object


def unit(rng, n):
    x = rng.normal(size=(n, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def order(rng, n):
    return rng.permuted(np.tile(np.arange(1, 5), (n, 1)), axis=1)


CASES = {
    "line": Case(
        lambda x, k: k * x**2 / 2,
        lambda k: np.log(2 * np.pi / k) / 2,
        None,
        lambda rng, n: rng.normal(size=n),
        None,
    ),
    "positive": Case(
        lambda x, k: k * x,
        lambda k: -np.log(k),
        "positive",
        lambda rng, n: rng.exponential(size=n),
        -0.1,
    ),
    "counts": Case(
        lambda x, k: pt.gammaln(x + 1.0) - x * pt.log(k),
        lambda k: k,
        None,
        lambda rng, n: rng.poisson(2, size=n),
        -1,
    ),
    "states": Case(
        lambda x, k: -k * x.sum(-1),
        lambda k: 3 * np.log1p(np.exp(k)),
        (0, 1),
        lambda rng, n: rng.integers(2, size=(n, 3)),
        [0, 2, 1],
    ),
    "circle": Case(
        lambda x, k: -k * pt.cos(x),
        lambda k: np.log(2 * np.pi * i0(k)),
        "circle",
        lambda rng, n: rng.vonmises(0, 1, size=n),
        None,
    ),
    "sphere": Case(
        lambda x, k: -k * x[..., 2],
        lambda k: np.log(4 * np.pi * np.sinh(k) / k),
        "sphere",
        unit,
        [0.0, 0.0, 1.3],
    ),
    "simplex": Case(
        lambda x, k: -(k - 1) * pt.log(x).sum(-1),
        lambda k: 3 * gammaln(k) - gammaln(3 * k),
        "simplex",
        lambda rng, n: rng.dirichlet([2.0] * 3, size=n),
        [0.5, 0.2, 0.2],
    ),
    "permutations": Case(
        mallows("kendall", [1, 2, 3, 4]),
        lambda k: np.log(np.expm1(-np.arange(1, 5) * k) / np.expm1(-k)).sum(),
        "permutations",
        order,
        [1, 1, 2, 3],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_rows_outside_new_data_dims_and_draws(name, rng):
    case, theta = CASES[name], np.float64(1.5)
    x, new = case.data(rng, 30), case.data(rng, 7)
    dims = ("row", "part")[: x.ndim]
    with pm.Model(coords={"row": np.arange(30), "part": np.arange(x.shape[-1])}) as model:
        k = pm.HalfNormal("k", 2)
        data = pm.Data("data", x, dims=dims)
        given = {} if case.support is None else {"support": case.support}
        rv = ebm.EBM(
            "x", k, energy=case.energy, observed=data, dims=dims, progressbar=False, **given
        )
    assert model.named_vars_to_dims["x"] == dims
    q = rv.owner.op.spec.reference
    found = ebm.log_partition_at(case.energy, theta, reference=q)
    assert abs(found.log_partition - case.log_z(theta)) < 4 * found.mcse + 1e-6

    def log_p(rows):
        return -evaluate([case.energy(pt.constant(rows), theta)])[0] - found.log_partition

    # One log p for each row, as LOO takes it, also of other data with another number of rows.
    [by_row] = model.replace_rvs_by_values(model.logp(vars=[rv], sum=False))
    value = model.rvs_to_values[k]
    for rows in (x, new):
        model.set_data("data", rows, coords={"row": np.arange(len(rows))})
        got = evaluate([by_row], {value: pt.constant(np.log(theta))})[0]
        np.testing.assert_allclose(got, log_p(rows), rtol=1e-8)
    if case.outside is not None:
        out = np.broadcast_to(case.outside, new.shape)
        assert np.isneginf(evaluate([pm.logp(rv, out)], {k: pt.constant(theta)})[0]).all()
    draws = pm.draw(pm.do(model, {"k": theta})["x"], draws=100, random_seed=rng)
    assert draws.shape == (100, *new.shape) and q.space.contains(draws).all()
    # The mean energy of draws is that of the law, ∂ log Z/∂θ up to the parts without θ.
    h = 1e-4
    slope = (case.log_z(theta + h) - case.log_z(theta - h)) / (2 * h)
    by_theta = lambda at: evaluate([case.energy(pt.constant(draws), at)])[0]
    sloped = -(by_theta(theta + h) - by_theta(theta - h)) / (2 * h)
    assert abs(sloped.mean() - slope) < 5 * sloped.std() / np.sqrt(sloped.size) + 1e-3
