"""Shards on a cluster of two worker processes against the same points on one machine."""

import os
import pickle
import signal
import threading
import time
from dataclasses import replace
from functools import partial

import cloudpickle
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from distributed import Client, LocalCluster
from distributed.protocol.serialize import Serialize, serialize
from scipy import integrate, special, stats

import pymc_ebm as ebm
from pymc_ebm.distributed.shard import Shard, add_up
from pymc_ebm.distributed.sharded_reference import shards_of

# Two processes start, and import all that there is.
pytestmark = pytest.mark.slow


def gaussian(x, sigma):
    return x**2 / (2 * sigma**2)


def shifted(x, m, s):
    return (x - m) ** 4 / s


@pytest.fixture(scope="module")
def client():
    """Workers are processes, as on several machines."""
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=50
        ) as cluster,
        Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def reference(client):
    return ebm.distributed.sharded(
        pm.Normal.dist(0, 4), draws=4000, shards=5, random_seed=1, client=client
    )


DATA = stats.norm(0, 2).rvs(100, random_state=2)


def model_with(reference):
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5)
        ebm.EBM("x", sigma, energy=gaussian, reference=reference, observed=DATA)
    return model


@pytest.fixture(scope="module")
def model(reference):
    return model_with(reference)


def value_and_gradient(energy, params, reference, **kwargs):
    inputs = [pt.as_tensor(p).type() for p in params]
    log_z = ebm.log_partition(energy, *inputs, reference=reference, **kwargs)
    outputs = [log_z, *pt.grad(log_z.sum(), inputs)]
    return pytensor.function(inputs, outputs)(*params)


def worker_pids(client):
    return client.run(os.getpid)


# The estimate


def test_shards_are_the_points_of_one_machine(reference):
    gathered = reference.gathered()
    assert gathered.n_points == 4000 and gathered.n_groups == 4000
    assert len(np.unique(gathered.points)) == 4000
    np.testing.assert_allclose(
        gathered.log_weights, -stats.norm(0, 4).logpdf(gathered.points) - np.log(4000)
    )


@pytest.mark.parametrize(
    "energy, params",
    [
        pytest.param(gaussian, [1.3], id="scalar"),
        pytest.param(shifted, [np.array([0.4, -1.0, 3.0]), np.array([2.0, 1.0, 5.0])], id="rows"),
    ],
)
def test_value_and_gradient_are_those_of_one_machine(energy, params, reference):
    found = value_and_gradient(energy, params, reference)
    expected = value_and_gradient(energy, params, reference.gathered())
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)


def test_vector_parameters_and_a_smaller_space(client):
    """Shards by a recipe, of points that a support leaves."""
    make = partial(
        ebm.reference.independent, pm.Normal.dist(0, 2, shape=2), method="sobol", scramblings=4
    )
    q = ebm.distributed.sharded(make, draws=2 * 256, shards=2, random_seed=3, client=client)
    q = q.restricted_to("positive")
    gathered = q.gathered()
    assert (gathered.points > 0).all() and gathered.n_groups + gathered.unused_draws == 8

    def energy(x, scale):
        return (x**2 * scale).sum(-1)

    scale = np.array([0.5, 2.0])
    value, gradient = value_and_gradient(energy, [scale], q, signature="(k)")
    squares = gathered.points**2
    log_weights = gathered.log_weights - squares @ scale
    weights = special.softmax(log_weights)
    np.testing.assert_allclose(value, special.logsumexp(log_weights), rtol=0, atol=1e-10)
    np.testing.assert_allclose(gradient, -weights @ squares, rtol=0, atol=1e-10)
    # The quarter of a plane, of two Gaussian integrals √(π/scale)/2.
    assert abs(value - np.log(np.pi / 4 / np.sqrt(scale.prod()))) < 0.1


def test_contract_of_references(client, reference):
    """As every other way answers in tests/reference/test_contract.py; these are of all shards."""
    assert reference.level == "absolute" and not reference.follows_parameters
    said = reference.describe()
    whole = reference.gathered()
    assert (said["n_points"], said["n_groups"]) == (whole.n_points, whole.n_groups)
    assert said["fingerprint"] == reference.fingerprint != whole.fingerprint
    copy = cloudpickle.loads(cloudpickle.dumps(reference))
    assert copy.fingerprint == reference.fingerprint and copy.seeds == reference.seeds
    other = replace(reference, seeds=tuple(s + 1 for s in reference.seeds))
    assert other.fingerprint != reference.fingerprint
    assert reference.support.contains(whole.points, len(whole.event_shape)).all()
    with pytest.raises(ValueError, match="only the points are known"):
        reference.again(1000)


def test_shards_without_weight_add_nothing():
    """Two of three, then all: −inf with a finite gradient."""
    empty, full = [np.array(-np.inf), np.zeros(2)], [np.array(0.3), np.array([1.0, 2.0])]
    value, gradient = add_up([empty, full, empty])
    assert value == 0.3
    np.testing.assert_array_equal(gradient, [1.0, 2.0])
    value, gradient = add_up([empty, empty])
    assert value == -np.inf
    np.testing.assert_array_equal(gradient, [0.0, 0.0])


def test_route_names_the_shards(model):
    [(_, node)] = ebm.diagnostics.find_log_partitions(model)
    assert ebm.kernels.route(node).name == "shards"


# In a model


def exact_moments():
    """Mean and sd of sigma given the points' true integral, σ √(2π)."""
    log_density = lambda s: (
        -(DATA**2).sum() / (2 * s**2) - len(DATA) * np.log(s) - s**2 / (2 * 5**2)
    )
    top = log_density(2.0)
    moment = lambda k: integrate.quad(lambda s: s**k * np.exp(log_density(s) - top), 1, 4)[0]
    moments = [moment(k) for k in range(3)]
    mean = moments[1] / moments[0]
    return mean, np.sqrt(moments[2] / moments[0] - mean**2)


def test_find_map_is_that_of_one_machine(model, reference):
    found = pm.find_MAP(model=model, progressbar=False)
    expected = pm.find_MAP(model=model_with(reference.gathered()), progressbar=False)
    np.testing.assert_allclose(found["sigma"], expected["sigma"], rtol=1e-8)


@pytest.fixture(scope="module")
def idata(model):
    # Two processes: each connects to the cluster itself.
    return pm.sample(
        draws=75,
        tune=75,
        chains=2,
        cores=2,
        random_seed=4,
        model=model,
        progressbar=False,
        nuts_sampler="pymc",
        compute_convergence_checks=False,
    )


def test_sampling_finds_the_exact_posterior(idata, model):
    """Within 4 standard errors: 150 correlated draws, and the error that the points add."""
    mean, sd = exact_moments()
    sigma = idata["posterior"]["sigma"]
    stats_ = ebm.compute_reference_stats(
        idata.isel(draw=slice(0, None, 5)),
        model=model,
        checks=(),
        extend_inferencedata=False,
        progressbar=False,
    )
    added = float(stats_["reference_mcse"]["sigma"].sel(statistic="mean"))
    error = np.hypot(sd / np.sqrt(150 / 4), added)
    assert abs(float(sigma.mean()) - mean) < 4 * error
    assert abs(float(sigma.std()) / sd - 1) < 0.4


def test_reference_stats_are_those_of_one_machine(idata, model, reference):
    few = lambda: idata.isel(draw=slice(0, 3)).copy()
    found = ebm.compute_reference_stats(few(), model=model, progressbar=False)
    other = model_with(reference.gathered())
    expected = ebm.compute_reference_stats(few(), model=other, progressbar=False)
    for name, values in expected["reference_stats"].data_vars.items():
        np.testing.assert_allclose(
            found["reference_stats"][name], values, rtol=1e-9, atol=1e-12, err_msg=name
        )
    np.testing.assert_allclose(
        found["reference_mcse"]["sigma"], expected["reference_mcse"]["sigma"], rtol=1e-9
    )
    assert ebm.report(found).status == ebm.report(expected).status
    assert "the first of 5 shards alone" in " ".join(ebm.report(found).reasons)


def test_merged_groups_estimate_the_same_error(idata, model, reference, monkeypatch):
    """80 groups in place of 4000: the standard error is known to 1/√(2·80), 8%; 4 of them."""
    from pymc_ebm.diagnostics.sums import sharded_log_weights

    few = idata.isel(draw=slice(0, 1), chain=slice(0, 1))
    kwargs = {"extend_inferencedata": False, "progressbar": False, "checks": ()}
    exact = ebm.compute_reference_stats(few, model=model, **kwargs)["reference_stats"]
    monkeypatch.setattr(sharded_log_weights, "_MOST_GROUPS", 80)
    merged = ebm.compute_reference_stats(few, model=model, **kwargs)["reference_stats"]
    ratio = float(merged["log_partition_mcse"][0, 0, 0] / exact["log_partition_mcse"][0, 0, 0])
    assert ratio != 1 and abs(ratio - 1) < 4 * 0.08
    np.testing.assert_allclose(merged["ess"], exact["ess"])


def test_predictive_draws_use_the_first_shard(idata, model):
    found = pm.sample_posterior_predictive(
        idata.isel(draw=slice(0, 2)), model=model, progressbar=False
    )
    assert np.isfinite(found["posterior_predictive"]["x"]).all()


# The cluster


def test_points_are_never_shipped(client, reference):
    """Half a million points in each shard; what a task and its result take on the wire."""
    big = ebm.distributed.sharded(
        pm.Normal.dist(0, 4), draws=10**6, shards=2, random_seed=5, client=client
    )
    log_z = ebm.log_partition(gaussian, pt.dscalar(), reference=big)
    shards = shards_of(log_z.owner)
    assert len(pickle.dumps(shards)) < 50_000
    before = client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total)
    answer = shards.sums([np.array(1.0)])
    assert len(pickle.dumps(answer)) < 1000
    after = client.run(lambda dask_worker: dask_worker.transfer_outgoing_bytes_total)
    assert all(after[worker] - before[worker] < 10_000 for worker in after)
    here = Shard(shards.recipe, shards.key, shards.seeds[0])
    assert here.__sizeof__() > 8 * 500_000
    # The form in which Dask would move it, or write it to disk.
    _, frames = serialize(Serialize(here).data)
    assert sum(len(frame) for frame in frames) < 50_000
    again = pickle.loads(pickle.dumps(here))
    np.testing.assert_array_equal(again.reference.points, here.reference.points)


def test_pickles_of_a_function_connect_by_themselves(reference):
    sigma = pt.dscalar()
    log_z = ebm.log_partition(gaussian, sigma, reference=reference)
    function = pytensor.function([sigma], log_z)
    again = cloudpickle.loads(cloudpickle.dumps(function))
    assert abs(function(2.0) - again(2.0)) < 1e-12


# What it refuses


def test_refusals(client, reference):
    sigma = pt.dscalar("sigma")
    log_z = ebm.log_partition(gaussian, sigma, reference=reference)
    with pytest.raises(NotImplementedError, match=r"Second derivatives .* in 5 shards.*gathered"):
        pt.grad(pt.grad(log_z, sigma), sigma)
    with pytest.raises(NotImplementedError, match=r"JAX cannot .* 5 shards.*gathered"):
        pytensor.function([sigma], log_z, mode="JAX")
    with pytest.raises(NotImplementedError, match="uses sigma without getting it"):
        ebm.log_partition(lambda x, m: (x - m) ** 2 * sigma, 1.0, reference=reference)
    with pytest.raises(ValueError, match=r"1001 draws .* 2 shards. Use draws=1002"):
        ebm.distributed.sharded(pm.Normal.dist(), 1001, shards=2, client=client)
    exact = lambda draws, random_seed: ebm.reference.quadrature(-6, 6, draws)
    with pytest.raises(ValueError, match="is exact"):
        ebm.distributed.sharded(exact, 100, shards=2, client=client)
    moving = partial(ebm.reference.independent, lambda s: pm.Normal.dist(0, s))
    with pytest.raises(ValueError, match="moves with the parameters"):
        ebm.distributed.sharded(moving, 100, shards=2, client=client)


def test_find_mle_is_refused(model):
    with pytest.raises(NotImplementedError, match=r"find_MAP"):
        ebm.find_MLE(model=model, progressbar=False)


def test_errors_on_a_worker_arrive(client):
    def make(draws, random_seed):
        if random_seed != first:
            raise MemoryError("no room for this shard")
        return ebm.reference.independent(pm.Normal.dist(), draws, random_seed=random_seed)

    first = int(np.random.default_rng(6).integers(2**63, size=2)[0])
    q = ebm.distributed.sharded(make, 200, shards=2, random_seed=6, client=client)
    with pytest.raises(MemoryError, match="no room"):
        value_and_gradient(gaussian, [1.0], q)


# Last: the worker that comes in place of the dead one has nothing compiled.


def test_a_dead_worker_is_replaced(client, reference):
    """Killed while it computes; the values before and after are the same."""
    sigma = pt.dscalar()
    log_z = ebm.log_partition(gaussian, sigma, reference=reference)
    function = pytensor.function([sigma], [log_z, pt.grad(log_z, sigma)])
    before = [np.array(v) for v in function(1.3)]
    victim = next(iter(worker_pids(client).values()))
    killer = threading.Timer(0.2, os.kill, (victim, signal.SIGKILL))
    killer.start()
    end = time.monotonic() + 1.0
    found = [function(1.3)]
    while time.monotonic() < end or killer.is_alive():
        found.append(function(1.3))
    assert victim not in worker_pids(client).values()
    for values in found:
        np.testing.assert_allclose(values, before, rtol=0, atol=1e-10)
