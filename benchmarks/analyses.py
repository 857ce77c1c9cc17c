"""One whole analysis in a process of its own; prints what it took, in JSON.

``python benchmarks/analyses.py "pymc_ebm, nutpie" 1000``: the paper's Gaussian, 100 data and 10⁵
points, by four chains on two cores. ``compile plain`` and ``compile pymc_ebm`` only compile the
model's log-probability and its gradient, and evaluate them once.
"""

import json
import sys
import time

import numpy as np

N_POINTS, N_DATA, CHAINS, CORES = 10**5, 100, 4, 2
DATA = np.random.default_rng(1).normal(0, 2, N_DATA)


def energy(x, sigma):
    return x**2 / (2 * sigma**2)


def reference():
    import pymc as pm

    import pymc_ebm as ebm

    return ebm.reference.independent(pm.Normal.dist(2, 4), draws=N_POINTS, random_seed=1)


def with_pymc_ebm(points):
    import pymc as pm

    import pymc_ebm as ebm

    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5)
        ebm.EBM("x", sigma, energy=energy, reference=points, observed=DATA)
    return model


def plain(points):
    """What a user of PyMC writes without this package."""
    import pymc as pm
    import pytensor.tensor as pt

    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5)
        log_z = pt.logsumexp(points.log_weights - energy(points.points, sigma))
        pm.Potential("likelihood", -energy(DATA, sigma).sum() - N_DATA * log_z)
    return model


def by_pymc(model, sampler, draws):
    import pymc as pm

    with model:
        return pm.sample(
            draws, tune=1000, chains=CHAINS, cores=CORES, nuts_sampler=sampler, random_seed=1,
            progressbar=False, compute_convergence_checks=False,
        )  # fmt: skip


def by_numpyro(points, draws):
    """What a user of NumPyro writes."""
    import jax
    import numpyro

    jax.config.update("jax_enable_x64", True)
    numpyro.set_host_device_count(CORES)
    import jax.numpy as jnp
    from jax.scipy.special import logsumexp
    from numpyro import distributions as dist
    from numpyro.infer import MCMC, NUTS

    y, a = jnp.asarray(points.points), jnp.asarray(points.log_weights)

    def model():
        sigma = numpyro.sample("sigma", dist.HalfNormal(5.0))
        log_z = logsumexp(a - energy(y, sigma))
        numpyro.factor("likelihood", -energy(DATA, sigma).sum() - N_DATA * log_z)

    # Two devices run two chains at a time.
    found = []
    for i in range(CHAINS // CORES):
        sampler = MCMC(
            NUTS(model), num_warmup=1000, num_samples=draws, num_chains=CORES, progress_bar=False
        )
        sampler.run(jax.random.PRNGKey(i))
        found.append(np.asarray(sampler.get_samples(group_by_chain=True)["sigma"]))
    return np.concatenate(found)


def analysis(name, draws):
    """Seconds from the points to the draws, compilation included, and what the draws are worth."""
    import arviz as az

    points = reference()
    start = time.perf_counter()
    kind, sampler = name.split(", ")
    if kind == "NumPyro by hand":
        sigma = by_numpyro(points, draws)
    else:
        model = (with_pymc_ebm if kind == "pymc_ebm" else plain)(points)
        idata = by_pymc(model, sampler, draws)
        sigma = idata["posterior"]["sigma"].to_numpy()
    found = {"seconds": time.perf_counter() - start, "mean": sigma.mean(), "sd": sigma.std()}
    found["ess"] = float(az.ess(sigma))
    if kind == "pymc_ebm":
        import pymc_ebm as ebm

        start = time.perf_counter()
        ebm.compute_reference_stats(idata, model=model, progressbar=False)
        found["stats"] = time.perf_counter() - start
    return found


def compilation(kind):
    """Seconds of the processor, which other programs disturb less."""
    points = reference()
    model = (with_pymc_ebm if kind == "pymc_ebm" else plain)(points)
    start = time.process_time()
    function = model.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values({})
    value, _ = function(np.array([0.7]))
    return {"seconds": time.process_time() - start, "value": float(value)}


if __name__ == "__main__":
    name, draws = sys.argv[1], int(sys.argv[2])
    if name.startswith("compile "):
        result = compilation(name.removeprefix("compile "))
    else:
        result = analysis(name, draws)
    print(json.dumps(result))
