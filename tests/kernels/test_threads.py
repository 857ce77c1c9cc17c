"""One thread for each chain (reliability.md 27)."""

import time

import numpy as np
import pymc as pm
import pytest

import pymc_ebm as ebm

DRAWS = 50_000


@pytest.fixture(scope="module")
def model():
    data = np.random.default_rng(27).normal(0, 2, 100)
    q = ebm.reference.independent(pm.Normal.dist(0, 4), DRAWS, random_seed=1)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5)
        ebm.EBM("x", sigma, energy=lambda x, s: x**2 / (2 * s**2), reference=q, observed=data)
    return model


def threads_busy(work):
    """Processor time of all threads of this process for each second that passes."""
    begin, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.process_time() - cpu) / (time.perf_counter() - begin)


def test_evaluations_use_one_thread(model):
    """Chains bring the threads: a kernel with its own would make cores times as many.

    Others on the machine can only make the number smaller; 10% are for the clocks.
    """
    value_and_gradient = model.logp_dlogp_function(ravel_inputs=True)
    value_and_gradient.set_extra_values({})
    at = np.array([0.7])
    value_and_gradient(at)
    assert threads_busy(lambda: [value_and_gradient(at) for _ in range(1000)]) < 1.1


def test_one_core_is_one_thread(model):
    """Sampling with cores=1, where the sampler could start threads as well."""
    sample = lambda draws: pm.sample(
        draws, tune=100, chains=2, cores=1, nuts_sampler="nutpie", random_seed=1, model=model,
        progressbar=False, compute_convergence_checks=False,
    )  # fmt: skip
    assert threads_busy(lambda: sample(300)) < 1.1
