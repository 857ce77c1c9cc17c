"""Importance resampling: exact quantiles, the resampling schemes, and poor references."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

import pymc_ebm as ebm
from pymc_ebm.sampling import importance_resampling


def gaussian(x, sigma):
    return x**2 / (2 * sigma**2)


@pytest.mark.parametrize("method", ["multinomial", "systematic", "stratified"])
def test_quantiles(method, problem, seed):
    """Kolmogorov's distance of 2000 draws; p > 1e-3 by chance in 99.9% of seeds.

    65,536 Sobol points follow the density ten times closer than 2000 draws do.
    """
    q = ebm.reference.independent(pm.Normal.dist(0.0, 5.0), 65_536, "sobol", random_seed=seed)
    energy, theta, cdf = problem
    tree = importance_resampling(
        energy, theta, reference=q, draws=500, random_seed=seed, method=method
    )
    assert stats.kstest(tree["samples"]["x"].to_numpy().ravel(), cdf).pvalue > 1e-3


def test_reference_that_follows_theta(seed):
    q = ebm.reference.independent(
        lambda t: pm.Normal.dist(2, 2 + t), 65_536, "sobol", random_seed=seed
    )
    for theta in (0.5, 4.0):
        tree = importance_resampling(gaussian, theta, reference=q, draws=500, random_seed=seed)
        x = tree["samples"]["x"].to_numpy().ravel()
        assert stats.kstest(x, stats.norm(0, theta).cdf).pvalue > 1e-3


def test_weights_and_ess():
    """Eqs. 19 and 20 by hand."""
    y = np.random.default_rng(0).permutation(np.linspace(-3, 3, 90))
    log_q = stats.norm(0, 2).logpdf(y)
    q = ebm.reference.from_draws(y, log_q)
    tree = importance_resampling(gaussian, 1.5, reference=q, random_seed=1)
    w = np.exp(-(y**2) / (2 * 1.5**2) - log_q)
    np.testing.assert_allclose(tree["reference_weights"]["weights"], w / w.sum())
    np.testing.assert_allclose(tree["reference_weights"]["log_weights"], np.log(w / 90))
    np.testing.assert_allclose(tree.attrs["ess"], w.sum() ** 2 / (w**2).sum())
    point = tree["sample_stats"]["point"].to_numpy()
    np.testing.assert_array_equal(tree["samples"]["x"], y[point])


def test_schemes_repeat_points_as_their_weights_say(seed):
    """Counts of 2000 chains of 100 draws.

    Every scheme is unbiased: mean counts within 5 standard errors of 100 w̄. A systematic count is
    less than 1 from that, a stratified one less than 2, and their variances are below the
    multinomial's 100 w̄ (1 − w̄), which 2000 chains know within 3%.
    """
    y = np.linspace(-3, 3, 30)
    q = ebm.reference.from_draws(y, np.zeros(30))
    w = np.exp(-(y**2) / 2)
    w /= w.sum()
    spread = {}
    for method in ("multinomial", "systematic", "stratified"):
        with pytest.warns(UserWarning, match="effective"):
            tree = importance_resampling(
                gaussian, 1.0, reference=q, draws=100, chains=2000, random_seed=seed, method=method
            )
        point = tree["sample_stats"]["point"].to_numpy()
        counts = np.stack([np.bincount(row, minlength=30) for row in point])
        se = counts.std(axis=0) / np.sqrt(2000)
        assert (np.abs(counts.mean(axis=0) - 100 * w) < 5 * se + 1e-9).all()
        spread[method] = counts.var(axis=0).sum()
        off = np.abs(counts - 100 * w).max()
        assert off < {"multinomial": 40, "systematic": 1 + 1e-9, "stratified": 2 + 1e-9}[method]
        # In random order: the first draw of a chain has the weights' distribution.
        assert stats.chisquare(np.bincount(point[:, 0], minlength=30), 2000 * w).pvalue > 1e-3
    multinomial = (100 * w * (1 - w)).sum()
    assert abs(spread["multinomial"] / multinomial - 1) < 0.1
    assert spread["systematic"] < spread["stratified"] < 0.5 * spread["multinomial"]


def test_poor_references():
    q = ebm.reference.independent(pm.Normal.dist(0.0, 1.0), draws=500, random_seed=1)
    with pytest.warns(UserWarning, match=r"\[0\.001\].*effective reference points of 500"):
        importance_resampling(gaussian, 0.001, reference=q, random_seed=1)
    with pytest.raises(ValueError, match=r"\[1\.0\].*500 reference points are all zero"):
        importance_resampling(lambda x, s: s + pt.switch(x > 99, 0, np.inf), 1.0, reference=q)
    with pytest.raises(ValueError, match="'residual' is unknown"):
        importance_resampling(gaussian, 1.0, reference=q, method="residual")
