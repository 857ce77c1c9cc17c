"""Posteriors of one large lattice against the exact ones."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import pymc_ebm as ebm
from pymc_ebm.energies import ising

SIDE, TRUTH = 32, 0.4


@pytest.mark.slow
def test_posterior_of_one_lattice_without_a_reference(kaufman, seed):
    """NUTS on 32 × 32 spins: the mean within 0.05 posterior sd, the sd within 5%.

    The reference that `EBM` makes itself has an error of 1.8% of the posterior sd, and 16,000 draws
    of NUTS one of 1.2%: 0.05 is over two of them together, and 5% over five for the sd.
    """
    rng = np.random.default_rng(seed)
    states = rng.choice([-1, 1], size=(100, SIDE, SIDE))
    space = ebm.reference.from_draws(states, np.full(100, -(SIDE**2) * np.log(2)))
    spins = ebm.sampling.gibbs(
        ising, TRUTH, reference=space, clusters=True, chains=1, draws=1, tune=2000,
        random_seed=rng, progressbar=False, return_inferencedata=False,
    )[0, 0]  # fmt: skip

    grid = np.linspace(0.3, 0.5, 2001)
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
        idata = pm.sample(
            4000, tune=1000, chains=4, nuts_sampler="nutpie", random_seed=seed % 2**31,
            progressbar=False,
        )  # fmt: skip
    draws = idata.posterior["beta"]
    assert abs(float(draws.mean()) - mean) < 0.05 * sd
    assert abs(float(draws.std()) / sd - 1) < 0.05

    # What the reference reports is seen at a tenth of the draws as well.
    some = idata.isel(draw=slice(None, None, 10))
    with model:
        ebm.compute_reference_stats(some, progressbar=False)
    assert max(ebm.report(some).added_error["beta"].values()) < 0.03
