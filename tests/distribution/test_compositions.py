"""Shares of a whole through everything that an `EBM` does, against Dirichlet's law."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import special, stats

import pymc_ebm as ebm


def dirichlet(d):
    """Energy of Dirichlet's law with mean m and precision κ, and its log Z."""
    mean = np.arange(1, d + 1) / np.arange(1, d + 1).sum()
    energy = lambda x, kappa: -((kappa * mean - 1) * pt.log(x)).sum(-1)
    log_z = lambda kappa: special.gammaln(kappa * mean).sum() - special.gammaln(kappa)
    return mean, energy, log_z


def model_of(energy, x, **kwargs):
    with pm.Model(coords={"rock": np.arange(len(x)), "part": np.arange(x.shape[-1])}) as model:
        kappa = pm.HalfNormal("kappa", 50)
        ebm.EBM(
            "x", kappa, energy=energy, support="simplex", observed=x, progressbar=False, **kwargs
        )
    return model, model["x"].owner.op.spec.reference


@pytest.mark.parametrize("d, precision", [(2, 8.0), (3, 12.0), (8, 40.0)])
def test_dirichlet(d, precision, rng):
    """Log Z within four reported errors at parameters all over the posterior."""
    mean, energy, log_z = dirichlet(d)
    x = rng.dirichlet(precision * mean, 150)
    _, q = model_of(energy, x)
    assert q.space == ebm.space.simplex(d) and q.level == "absolute"
    for kappa in precision * np.array([0.8, 1.0, 1.2]):
        found = ebm.log_partition_at(energy, kappa, reference=q)
        assert abs(found.log_partition - log_z(kappa)) < 4 * found.mcse < 0.1


def test_shares_through_everything(rng):
    """Three parts: estimated twice, drawn from, and −inf off the simplex."""
    mean, energy, _ = dirichlet(3)
    x = rng.dirichlet(12 * mean, 150)
    model, _ = model_of(energy, x, dims=("rock", "part"))
    report = ebm.check(model)
    assert report.status == "ok" and "Two estimates" in report.headline
    off = np.concatenate([x[:2], x[:2] + np.array([0.01, 0, 0])])
    found = pm.logp(model["x"], off).eval({model["kappa"]: 12.0})
    truth = stats.dirichlet(12 * mean).logpdf(x[:2].T)
    np.testing.assert_allclose(found[:2], truth, atol=0.02)  # log Ẑ has an error
    assert np.isneginf(found[2:]).all()
    # The first share is Beta(κm, κ(1 − m)): χ² of ten bins of equal probability.
    draws = pm.draw(pm.do(model, {"kappa": 12.0})["x"], draws=10, random_seed=rng).reshape(-1, 3)
    np.testing.assert_allclose(draws.sum(axis=1), 1)
    u = stats.beta(12 * mean[0], 12 * (1 - mean[0])).cdf(draws[:, 0])
    assert stats.chisquare(np.histogram(u, np.linspace(0, 1, 11))[0]).pvalue > 1e-4


def test_words(rng):
    mean, energy, _ = dirichlet(3)
    x = rng.dirichlet(12 * mean, 20)
    with pm.Model(), pytest.raises(ValueError, match=r'shares of a whole.* Say support="simplex"'):
        ebm.EBM("x", pm.HalfNormal("k"), energy=energy, observed=x)
    with pytest.raises(ValueError, match=r"20 of 20 .*index 0: its sum is 2\. Divide each by its"):
        model_of(energy, 2 * x)
    with pytest.raises(ValueError, match=r"Give all shares.*for one share alone say"):
        model_of(lambda x, k: k * x, x[:, 0])
