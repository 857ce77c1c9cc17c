"""Energies that are linear in statistics, whichever way they are spelt."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import get_mode
from scipy.special import logsumexp, softmax

import pymc_ebm as ebm
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.linearity import common_slopes, is_linear
from pymc_ebm.energy.split import VECTORISED

D, M = 5, 700


def powers(x):
    return pt.stack([x, x**2, pt.abs(x) ** 3], axis=-1)


def powers_in_numpy(x):
    return np.stack([x, x**2, np.abs(x) ** 3], axis=-1)


# Of scalar x and a vector of three coefficients.
VECTORS = {
    "sum of products": lambda x, w: (powers(x) * w).sum(-1),
    "matmul": lambda x, w: powers(x) @ w,
    "dot, twice negative": lambda x, w: -pt.dot(powers(x), -w),
    "tensordot": lambda x, w: pt.tensordot(powers(x), w, axes=[[1], [0]]),
    "einsum": lambda x, w: pt.einsum("bk,k->b", powers(x), w),
    "mean": lambda x, w: 3 * (powers(x) * w).mean(-1),
    "one by one": lambda x, w: w[0] * x + w[1] * x**2 + w[2] * pt.abs(x) ** 3,
    "matrix of one column": lambda x, w: (powers(x)[:, None, :] @ w[:, None])[:, 0, 0],
    "with a constant": lambda x, w: (w * powers(x) - w).sum(-1) + w.sum(),
}
# Of vectors x and a matrix: Σ_ij J_ij x_i x_j.
MATRICES = {
    "matmul, then product": lambda x, j: ((x @ j) * x).sum(-1),
    "product of both": lambda x, j: (j * x[..., :, None] * x[..., None, :]).sum((-1, -2)),
    "einsum": lambda x, j: pt.einsum("bi,ij,bj->b", x, j, x),
    "upper and lower": lambda x, j: (x * (x @ pt.triu(j) + x @ pt.tril(j, -1))).sum(-1),
    "mean": lambda x, j: D * (x * (x @ j)).mean(-1),
}


def estimated(energy, points, theta, mode=VECTORISED):
    reference = ebm.reference.from_draws(points, np.zeros(len(points)))
    signature = "(k)" if theta.ndim == 1 else "(k,k)"
    param = pt.tensor("theta", dtype="float64", shape=theta.shape)
    log_z = ebm.log_partition(energy, param, reference=reference, signature=signature)
    assert ebm.kernels.route(log_z).name == "linear"
    outputs = [log_z, pt.grad(log_z, param)]
    return pytensor.function([param], outputs, mode=mode)(theta)


@pytest.mark.parametrize("spelling", VECTORS)
def test_vectors_of_coefficients(spelling, rng):
    x, w = rng.normal(size=M), np.array([0.3, 0.7, -0.2])
    log_z, gradient = estimated(VECTORS[spelling], x, w)
    t = powers_in_numpy(x)
    np.testing.assert_allclose(log_z, logsumexp(-t @ w) - np.log(M), rtol=1e-11)
    np.testing.assert_allclose(gradient, -softmax(-t @ w) @ t, rtol=1e-10)


@pytest.mark.parametrize("spelling", MATRICES)
@pytest.mark.parametrize("integer", [False, True])
def test_matrices_of_coefficients(spelling, integer, rng):
    """Of spins too, whose statistics are whole numbers; by the kernel once."""
    x = rng.choice([-1, 1], size=(M, D)) if integer else rng.normal(size=(M, D))
    j = 0.2 * rng.normal(size=(D, D))
    swept = spelling == "einsum" and not integer
    mode = get_mode("NUMBA") if swept else VECTORISED
    log_z, gradient = estimated(MATRICES[spelling], x, j, mode)
    energies = np.einsum("bi,ij,bj->b", x, j, x)
    np.testing.assert_allclose(log_z, logsumexp(-energies) - np.log(M), rtol=1e-11)
    truth = -np.einsum("b,bi,bj->ij", softmax(-energies), x, x)
    np.testing.assert_allclose(gradient, truth, atol=1e-11)


def test_fields_and_couplings_for_many_rows(rng):
    """A row of parameters for each of four data, of both kinds of statistics."""
    x = rng.normal(size=(M, D))
    j, h = 0.2 * rng.normal(size=(4, D, D)), rng.normal(size=(4, D))
    q = ebm.reference.from_draws(x, np.zeros(M))
    energy = lambda x, j, h: -((x @ j) * x).sum(-1) - x @ h + h.sum()
    log_z = ebm.log_partition(energy, j, h, reference=q, signature="(k,k),(k)")
    energies = -np.einsum("bi,rij,bj->rb", x, j, x) - h @ x.T + h.sum(1)[:, None]
    truth = logsumexp(-energies, axis=1) - np.log(M)
    np.testing.assert_allclose(log_z.eval(), truth, rtol=1e-11)


@pytest.mark.parametrize(
    "energy",
    [
        lambda x, a: ((x - a[0]) ** 2).sum(-1),
        lambda x, a: ((x - a) * (x - 2 * a)).sum(-1),
        lambda x, a: pt.log1p((x * a) ** 2).sum(-1),
        lambda x, a: (x @ a) * x[:, 0] * x[:, 1],
        lambda x, a: pt.exp(x @ a),
    ],
)
def test_what_is_left_as_it_is_written(energy):
    """Squares of sums lose digits where they are expanded; the others are no polynomials."""
    a = pt.tensor("a", dtype="float64", shape=(D,))
    assert not is_linear(Energy(energy, "(k)").split((D,), "float64", [a]))


def test_common_slopes(rng):
    c = rng.normal(size=(2, 1, 4))
    values = np.repeat(c, 6, axis=1)
    np.testing.assert_array_equal(common_slopes(values), c[:, 0])
    values[1, 3, 2] += 1e-3
    assert common_slopes(values) is None
