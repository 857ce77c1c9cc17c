"""A latent field of spins under noise, against the sum over its states."""

import arviz as az
import numpy as np
import pymc as pm
import pytest

import pymc_ebm as ebm
from pymc_ebm.distribution.state_metropolis import StateMetropolis


def lattice(s, b):
    down = (s[..., 1:, :] * s[..., :-1, :]).sum((-1, -2))
    return -b * (down + (s[..., 1:] * s[..., :-1]).sum((-1, -2)))


@pytest.fixture
def spins():
    return ebm.reference.enumeration([-1, 1], shape=(3, 3))


def test_latent_spins_under_noise(spins, seed):
    """Posterior means of nine sites within five Monte Carlo errors of the sum over 512 states."""
    rng = np.random.default_rng(seed)
    y = rng.normal(rng.choice([-1, 1], size=(3, 3)), 1.5)
    with pm.Model():
        s = ebm.EBM("s", 0.3, energy=lattice, reference=spins)
        pm.Normal("y", s, 1.5, observed=y)
        idata = pm.sample(
            1000, tune=100, chains=4, cores=1, random_seed=seed, progressbar=False,
            compute_convergence_checks=False,
        )  # fmt: skip
    drawn = idata["posterior"]["s"].to_numpy()
    assert np.isin(drawn, [-1, 1]).all()
    states = spins.points
    log_p = -lattice(states, 0.3) - ((y - states) ** 2).sum((1, 2)) / (2 * 1.5**2)
    p = np.exp(log_p - log_p.max())
    mean = np.tensordot(p / p.sum(), states, axes=1)
    error = az.mcse(idata)["s"].to_numpy()
    assert (np.abs(drawn.mean(axis=(0, 1)) - mean) < 5 * error).all()


def test_it_is_chosen_for_states_alone(spins):
    with pm.Model() as model:
        ebm.EBM("s", 0.3, energy=lattice, reference=spins)
        q = ebm.reference.independent(pm.Normal.dist(0, 3), 64, random_seed=1)
        ebm.EBM("x", 1.0, energy=lambda x, s: x**2 / (2 * s**2), reference=q)
        pm.Poisson("n", 3)
        step = pm.sampling.mcmc.assign_step_methods(model)[1]
    assert [v.name for v in step[StateMetropolis]] == ["s"]


def test_no_weight_outside_the_states(spins):
    """PyMC's own proposals leave the states; their log p is −inf, also of new data."""
    with pm.Model() as model:
        data = pm.Data("data", np.ones((2, 3, 3), dtype=int))
        b = pm.HalfNormal("b")
        ebm.EBM("s", b, energy=lattice, reference=spins, observed=data)
    logp = model.compile_logp()
    at = {"b_log__": np.array(-1.0)}
    assert np.isfinite(logp(at))
    with model:
        pm.set_data({"data": np.array([np.ones((3, 3)), np.zeros((3, 3))], dtype=int)})
    assert logp(at) == -np.inf
    of_one = pm.logp(ebm.EBM.dist(0.3, energy=lattice, reference=spins), np.full((3, 3), 3))
    assert of_one.eval() == -np.inf
