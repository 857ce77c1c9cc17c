"""Energies in JAX against the same in PyTensor, and against sums on dense grids."""

import os

import arviz as az
import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.link.jax.ops import wrap_jax
from scipy import stats

import pymc_ebm as ebm

SIGNATURE = "(d,h),(h),(h)"


def in_jax(x, weights, bias, out):
    return (x**2).sum(-1) / 4 + (jnp.tanh(x @ weights + bias) * out).sum(-1)


def in_pytensor(x, weights, bias, out):
    return (x**2).sum(-1) / 4 + (pt.tanh(pt.dot(x, weights) + bias) * out).sum(-1)


def in_numpy(x, weights, bias, out):
    return (x**2).sum(-1) / 4 + (np.tanh(x @ weights + bias) * out).sum(-1)


def network(rng, units=8):
    return rng.normal(size=(2, units)), rng.normal(size=units), rng.normal(size=units)


def dense_log_z(energy, *params, half=12.0, nodes=801):
    """By the trapezoidal rule, which is exact to many digits where the ends have no mass."""
    axis = np.linspace(-half, half, nodes)
    x = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    return np.log(np.exp(-energy(x, *params)).sum() * (axis[1] - axis[0]) ** 2)


def two_moons(rng, n):
    angle = rng.uniform(0, np.pi, n)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])
    x = np.where(rng.random((n, 1)) < 0.5, upper, [1.0, 0.5] - upper) + rng.normal(0, 0.1, (n, 2))
    return 2 * (x - [0.5, 0.25]) / [0.9, 0.5]


def test_value_and_derivatives(rng, interpreted):
    """Of log Z and of data: JAX's to 1e-10 those of PyTensor; both to 1e-6 those of the plane."""
    values = network(rng)
    plane = ebm.reference.quadrature([-12, -12], [12, 12], order=101, complete=True)
    found = []
    for energy in (in_pytensor, ebm.energies.from_jax(in_jax)):
        params = [pt.tensor(shape=v.shape, dtype="float64") for v in values]
        log_z = ebm.log_partition(energy, *params, reference=plane, signature=SIGNATURE)
        slope = pt.grad(log_z, params)
        bend = pt.grad((slope[0] * values[0]).sum(), params)  # a product with the Hessian
        place = pt.matrix(shape=(None, 2))
        of_data = energy(place, *params)
        found.append(
            pytensor.function([place, *params], [log_z, of_data, *slope, *bend,
                                                 pt.grad(of_data.sum(), place)])
        )  # fmt: skip
    x = rng.normal(size=(37, 2))
    ours, theirs = (f(x, *values) for f in found)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(theirs[0], dense_log_z(in_numpy, *values), atol=1e-6)
    np.testing.assert_allclose(theirs[1], in_numpy(x, *values), rtol=1e-12)


def test_rows_of_parameters(rng, interpreted):
    """A normaliser for each row, and its slope: one call of JAX for them all."""
    weights, bias, out = network(rng, 3)
    rows = np.stack([weights, 2 * weights, weights / 2])
    plane = ebm.reference.quadrature([-10, -10], [10, 10], order=60, complete=True)
    many = pt.tensor3(shape=(3, 2, 3))
    log_z = ebm.log_partition(
        ebm.energies.from_jax(in_jax), many, bias, out, reference=plane, signature=SIGNATURE
    )
    truth = ebm.log_partition(in_pytensor, many, bias, out, reference=plane, signature=SIGNATURE)
    found = pytensor.function([many], [log_z, truth, pt.grad(log_z[0] + log_z[2], many),
                                       pt.grad(truth[0] + truth[2], many)])(rows)  # fmt: skip
    np.testing.assert_allclose(found[0], found[1], rtol=1e-12)
    np.testing.assert_allclose(found[2], found[3], rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_default_reference_and_second_estimate_of_a_ring(rng, interpreted):
    """A ring of radius a: panels, log Z in closed form, and the report of the mode."""
    angle, radius = rng.uniform(0, 2 * np.pi, 100), rng.normal(2, 0.3, 100)
    ring = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])
    energy = ebm.energies.from_jax(lambda x, a: (jnp.sqrt((x**2).sum(-1)) - a) ** 2 / (2 * 0.3**2))
    with pm.Model() as model:
        a = pm.HalfNormal("a", 5)
        ebm.EBM("ring", a, energy=energy, observed=ring, progressbar=False)
    # 2π ∫ r exp(−(r − a)²/2s²) dr over r > 0.
    s, at = 0.3, 2.1
    truth = 2 * np.pi * (
        s**2 * np.exp(-(at**2) / (2 * s**2)) + at * s * np.sqrt(2 * np.pi) * stats.norm.cdf(at / s)
    )  # fmt: skip
    reference = model["ring"].owner.op.spec.reference
    assert "panels" in reference.description
    found = ebm.log_partition_at(energy, at, reference=reference).log_partition
    assert abs(found - np.log(truth)) < 1e-6
    # As numba runs it, without a warning.
    value = model.compile_fn(model.observedlogp, mode="NUMBA")({"a_log__": np.log(at)})
    of_data = -((radius - at) ** 2).sum() / (2 * s**2) - 100 * np.log(truth)
    assert abs(value - of_data) < 1e-4
    assert ebm.check(model).status == "ok"


def test_find_MLE_on_two_moons(rng):
    """Held-out data are likelier, by the dense grid, than under a Gaussian: 0.2 nats a datum.

    All of it runs in JAX, which needs the shape of what the flat parameters are parted into.
    """
    data, new = two_moons(rng, 300), two_moons(rng, 1000)
    plane = ebm.reference.quadrature([-7, -7], [7, 7], order=50, complete=True)
    start = network(rng, 6)
    with pm.Model():
        weights, bias, out = (
            pm.Normal(name, 0, 3, shape=v.shape, initval=v)
            for name, v in zip(("weights", "bias", "out"), start, strict=True)
        )
        ebm.EBM(
            "moons", weights, bias, out, energy=ebm.energies.from_jax(in_jax), reference=plane,
            signature=SIGNATURE, observed=data,
        )  # fmt: skip
        with pytensor.config.change_flags(mode="JAX"):
            fit = ebm.find_MLE(include_prior=True, progressbar=False).estimate
    net = [fit[name] for name in ("weights", "bias", "out")]
    of_net = -in_numpy(new, *net).mean() - dense_log_z(in_numpy, *net)
    gaussian = stats.multivariate_normal(data.mean(axis=0), np.cov(data.T)).logpdf(new).mean()
    assert of_net > gaussian + 0.2


@pytest.mark.slow
def test_NUTS_on_all_weights_of_a_small_net(rng):
    """Two hidden units on an ellipse: chains mix, and a random walk on a dense grid's log Z agrees.

    Mean log densities at four places within 0.4 posterior sds: 300 and 150 effective draws leave
    0.1 of them.
    """
    angle, radius = rng.uniform(0, 2 * np.pi, 200), rng.normal(1.5, 0.2, 200)
    data = np.column_stack([radius * np.cos(angle) + 0.5, 0.5 * radius * np.sin(angle)])
    parts = lambda w: (w[:4].reshape(2, 2), w[4:6], w[6:])
    plane = ebm.reference.quadrature([-9, -9], [9, 9], order=40, complete=True)
    with pm.Model():
        w = pm.Normal("w", 0, 1, shape=8, initval=rng.normal(size=8))
        energy = ebm.energies.from_jax(lambda x, w: in_jax(x, *parts(w)))
        ebm.EBM("x", w, energy=energy, signature="(k)", reference=plane, observed=data)
        best = ebm.find_MLE(include_prior=True, progressbar=False).estimate["w"]
        idata = pm.sample(
            400, tune=400, chains=2, nuts_sampler="numpyro", initvals={"w": best},
            nuts={"chain_method": "sequential"}, progressbar=False, random_seed=rng,
        )  # fmt: skip
    assert az.rhat(idata.posterior)["w"].max() < 1.05
    draws = idata.posterior["w"].to_numpy().reshape(-1, 8)
    places = np.array([[0.0, 0.0], [1.5, 0.0], [0.5, 0.7], [2.0, 0.5]])

    def log_densities(w):
        log_z = dense_log_z(in_numpy, *parts(w), half=9.0, nodes=61)
        return -in_numpy(places, *parts(w)) - log_z, -in_numpy(data, *parts(w)).sum() - 200 * log_z

    steps = np.linalg.cholesky(np.cov(draws.T)) * 2.38 / np.sqrt(8)
    walk, here = [], draws[-1]
    found, height = log_densities(here)
    height -= (here**2).sum() / 2
    for _ in range(8000):
        there = here + steps @ rng.normal(size=8)
        new, of_new = log_densities(there)
        of_new -= (there**2).sum() / 2
        if np.log(rng.random()) < of_new - height:
            here, found, height = there, new, of_new
        walk.append(found)
    walk = np.array(walk[500:])
    by_nuts = np.array([log_densities(w)[0] for w in draws[::4]])
    assert (np.abs(by_nuts.mean(axis=0) - walk.mean(axis=0)) < 0.4 * walk.std(axis=0)).all()


def test_functions_of_jax_are_told_apart(interpreted):
    """Statistics at the points of one reference are kept, and each energy gets its own."""
    plane = ebm.reference.quadrature([-8, -8], [8, 8], order=60, complete=True)

    def log_z(wrap, precision):
        feature = wrap(lambda x: precision * (x**2).sum(-1))
        energy = lambda x, a: a * feature(x)
        return ebm.log_partition(energy, 1.0, reference=plane).eval()

    for wrap in (ebm.energies.from_jax, wrap_jax):
        for precision in (0.5, 1.0):
            with jax.enable_x64(True):
                assert abs(log_z(wrap, precision) - np.log(np.pi / precision)) < 1e-5


def test_words(interpreted):
    wrong = ebm.energies.from_jax(lambda x, a: a * x**2)
    with pytest.raises(ValueError, match=r"has shape \(5, 2\), not \(5,\)\. Sum over the event"):
        wrong(np.zeros((5, 2)), 1.0).eval()
    with pytest.raises(ValueError, match="x has 0 dimensions and an event 1"):
        wrong(1.0, 1.0)


def test_of_copies_and_processes(interpreted):
    """A copy computes the same; a forked process refuses, as it would hang."""
    graph = ebm.energies.from_jax(in_jax)(np.ones((3, 2)), *map(np.ones, ((2, 4), 4, 4)))
    copy = cloudpickle.loads(cloudpickle.dumps(graph))
    np.testing.assert_array_equal(copy.eval(), graph.eval())
    op, inputs = graph.owner.op, [v.data for v in graph.owner.inputs]
    child = os.fork()
    if not child:
        try:
            op.perform(graph.owner, inputs, [[None]])
        except RuntimeError as error:
            os._exit(7 if "forkserver" in str(error) else 1)
        os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
