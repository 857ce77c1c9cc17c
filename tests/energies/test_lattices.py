"""Posteriors of one large lattice against the exact ones."""

import arviz as az
import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymc_ebm as ebm
from pymc_ebm.energies import ising

SIDE, TRUTH = 12, 0.4


@pytest.mark.slow
def test_posterior_of_one_lattice_without_a_reference(kaufman, seed):
    """12 × 12 spins: mean and sd on a grid within 4 of the errors that the reference is to add.

    It is the reference that `EBM` makes itself, and adds less than 3% of the posterior sd. The
    level, by annealing from independent spins, within 5 of its own standard errors.
    """
    rng = np.random.default_rng(seed)
    states = rng.choice([-1, 1], size=(100, SIDE, SIDE))
    space = ebm.reference.from_draws(states, np.full(100, -(SIDE**2) * np.log(2)))
    spins = ebm.sampling.gibbs(
        ising, TRUTH, reference=space, clusters=True, chains=1, draws=1, tune=500,
        random_seed=rng, progressbar=False, return_inferencedata=False,
    )[0, 0]  # fmt: skip

    grid = np.linspace(0.2, 0.6, 2001)
    bonds = (spins * (np.roll(spins, 1, 0) + np.roll(spins, 1, 1))).sum()
    log_z = np.array([kaufman(SIDE, SIDE, b) for b in grid])
    log_p = grid * bonds - log_z + stats.halfnorm.logpdf(grid)
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = (p * grid).sum()
    sd = np.sqrt((p * (grid - mean) ** 2).sum())

    with pm.Model() as model:
        beta = pm.HalfNormal("beta", 1)
        ebm.EBM("lattice", beta, energy=ising, observed=spins)
    q = model["lattice"].owner.op.spec.reference
    assert len(q.pool.anchors) >= 3 and q.pool.anchors.min() >= 0  # the prior's bounds
    level = ebm.log_partition_at(ising, mean, reference=q).log_partition - kaufman(SIDE, SIDE, mean)
    assert q.absolute and 0 < q.level_mcse < 0.4
    assert abs(level) < 5 * q.level_mcse + 0.02

    logp = model.compile_logp(jacobian=False)
    coarse = grid[::20]
    log_p = np.array([float(logp({"beta_log__": np.log(b)})) for b in coarse])
    q = np.exp(log_p - log_p.max())
    q /= q.sum()
    shift = (q * coarse).sum() - mean
    stretch = np.sqrt((q * (coarse - mean - shift) ** 2).sum()) - sd

    # Quantiles of the exact posterior, in the order of chance.
    draws = np.interp((np.arange(200) + 0.5) / 200, np.cumsum(p), grid)
    idata = az.from_dict({"posterior": {"beta": rng.permutation(draws).reshape(2, 100)}})
    with model:
        ebm.compute_reference_stats(idata, checks=[], progressbar=False)
    added = idata["reference_mcse"]["beta"].to_numpy()
    assert (np.abs([shift, stretch]) < 4 * added).all()
    assert max(ebm.report(idata, checks=[]).added_error["beta"].values()) < 0.03
