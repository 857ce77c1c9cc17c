"""Lengths of axes: those of parameters and of reshaped events are not the number of events."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.energy.energy import Energy

POINTS = np.random.default_rng(2).normal(size=(50, 3))
W = np.array([0.5, -1.0, 2.0])
# An energy of PyTensor's and of NumPy's variables alike, of events (B, 3) and a vector.
ENERGIES = {
    "mean of parameters": lambda x, w: (x**2).sum(-1) / 2 - w.mean() * x.sum(-1),
    "number of parameters": lambda x, w: (x**2).sum(-1) / 2 * w.shape[0],
    "centred parameters": lambda x, w: (x**2).sum(-1) / 2 - (x * (w - w.mean())).sum(-1),
    "one for each": lambda x, w: (x**2).sum(-1) * (w**2).sum() / w.shape[0] + x[:, 0] * w[0],
    "length of all numbers": lambda x, w: (
        w[0] * (x**2).sum(-1) * x.reshape((-1,)).shape[0] / x.shape[0]
    ),
    "all numbers": lambda x, w: (w[0] + w[2] * x.reshape((-1,)) ** 2).reshape((-1, 3)).sum(-1),
    "rows of the transpose": lambda x, w: (w[:, None] * x.T**2).sum(0) / 2 * x.T.shape[0],
    "transpose alone": lambda x, w: ((x.T**2)[0] + x.T[1]) * w[2] + x[:, 2] ** 2,
}


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("name", ENERGIES)
def test_log_z_by_hand(name, static):
    """A parameter with `dims=` has a length that its type does not tell."""
    energy = ENERGIES[name]
    q = ebm.reference.from_draws(POINTS, np.zeros(50))
    w = pt.tensor("w", dtype="float64", shape=(3 if static else None,))
    log_z = ebm.log_partition(energy, w, reference=q, signature="(k)")
    truth = lambda v: logsumexp(-energy(POINTS, v)) - np.log(50)
    np.testing.assert_allclose(log_z.eval({w: W}), truth(W), rtol=1e-10)
    slope = [(truth(W + e) - truth(W - e)) / 2e-5 for e in 1e-5 * np.eye(3)]
    np.testing.assert_allclose(pt.grad(log_z, w).eval({w: W}), slope, atol=1e-7)


@pytest.mark.parametrize(
    "energy",
    [
        lambda x, a: (x - pt.full(x.shape, a)) ** 2 / 2,
        lambda x, a: (x - pt.broadcast_to(a, x.shape)) ** 2 / 2,
        lambda x, a: (x - pt.full((x.shape[0],), a)) ** 2 / 2,
    ],
)
def test_the_shape_of_numbers_written_out(energy, rng):
    """It has one element, as what is the same for all events has. log Z = log √2π."""
    data = rng.normal(size=13)
    with pm.Model() as model:
        a = pm.Normal("a")
        ebm.EBM("x", a, energy=energy, observed=data)
    found = model.compile_logp(vars=[model["x"]])({"a": 0.4})
    np.testing.assert_allclose(found, stats.norm(0.4).logpdf(data).sum(), rtol=1e-8)


def test_one_column_transposed(rng):
    points = rng.normal(size=(50, 1))
    q = ebm.reference.from_draws(points, np.zeros(50))
    energy = lambda x, w: ((x.T - w[:, None]) ** 2).sum(0) / 2
    split = Energy(energy, "(k)").of_points((1,), "float64", [np.array([0.3])])
    found = split(split.statistics(points), [np.array([0.3])])
    np.testing.assert_allclose(found, (points[:, 0] - 0.3) ** 2 / 2)
    log_z = ebm.log_partition_at(energy, [0.3], reference=q, signature="(k)").log_partition
    np.testing.assert_allclose(log_z, logsumexp(-found) - np.log(50))


def test_the_mean_of_a_parameter_with_dims(rng):
    data, values = rng.normal(size=100), []
    for kind in ({"dims": "k"}, {"shape": 4}):
        with pm.Model(coords={"k": range(4)}) as model:
            w = pm.Normal("w", 0, 1, **kind)
            ebm.EBM(
                "x", w, energy=lambda x, w: x**2 / 2 - w.mean() * x, signature="(k)", observed=data
            )
        values.append(model.compile_logp(vars=[model["x"]])({"w": np.full(4, 1.5)}))
    truth = -(((data - 1.5) ** 2) / 2).sum() - 50 * np.log(2 * np.pi)
    np.testing.assert_allclose(values, truth, rtol=1e-8)


def test_statistics_whose_events_are_not_first_in_blocks(rng):
    """More numbers than one block holds."""
    points, w = rng.normal(size=(2**19, 3)), rng.normal(size=(3, 3))
    q = ebm.reference.from_draws(points, np.zeros(len(points)), groups=np.arange(2**19))
    energy = lambda x, w: ((w @ x.T) ** 2).sum(0)
    found = ebm.log_partition_at(energy, w, reference=q, signature="(k,k)").log_partition
    np.testing.assert_allclose(found, logsumexp(-energy(points, w)) - np.log(2**19), rtol=1e-10)
