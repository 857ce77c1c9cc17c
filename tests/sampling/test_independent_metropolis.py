"""Independent Metropolis–Hastings: the target whatever q, its transitions, and its limits."""

import importlib

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats

import pymc_ebm as ebm
from pymc_ebm.sampling import independent_metropolis


def gaussian(x, sigma):
    return x**2 / (2 * sigma**2)


def thinned(tree):
    """Draws far enough apart to count as independent: one for each two effective ones."""
    x = tree["samples"]["x"].to_numpy()
    step = int(np.ceil(2 * x.size / tree.attrs["ess"]))
    return x[:, ::step].ravel()


@pytest.mark.parametrize(
    "dist",
    [
        pm.Normal.dist(0.0, 5.0),
        pm.StudentT.dist(2.0, mu=10.0, sigma=30.0),
    ],
    ids=["wide", "far too wide"],
)
def test_quantiles(dist, problem, seed):
    """Kolmogorov's distance of thinned draws; p > 1e-3 by chance in 99.9% of seeds."""
    q = ebm.reference.independent(dist, 64, random_seed=1)
    energy, theta, cdf = problem
    tree = independent_metropolis(
        energy, theta, reference=q, draws=20_000, random_seed=seed, progressbar=False
    )
    x = thinned(tree)
    assert len(x) > 300 and stats.kstest(x, cdf).pvalue > 1e-3


def test_short_chains_are_independent_draws(seed):
    q = ebm.reference.independent(pm.Normal.dist(0.0, 5.0), 64, random_seed=1)
    x = independent_metropolis(
        gaussian, 2.0, reference=q, draws=1, chains=4000, tune=50, random_seed=seed,
        progressbar=False, return_inferencedata=False,
    )  # fmt: skip
    assert stats.kstest(x.ravel(), stats.norm(0, 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("scale, least, most", [(0.8, 0.02, 0.5), (60.0, 0.005, 0.05)])
def test_poor_proposals_are_right_and_say_so(scale, least, most, seed):
    """Var = 1 within 5 standard errors with a q too narrow (infinite weights) or too wide."""
    q = ebm.reference.independent(pm.Normal.dist(0.0, scale), 64, random_seed=1)
    tree = independent_metropolis(
        gaussian, 1.0, reference=q, draws=40_000, chains=8, random_seed=seed, progressbar=False
    )
    square = tree["samples"]["x"].to_numpy() ** 2
    se = float(az.mcse(square, method="mean"))
    assert abs(square.mean() - 1) < 5 * se
    assert least < tree.attrs["ess"] / square.size < most


def test_proposals_that_follow_theta(seed):
    q = ebm.reference.independent(lambda t: pm.Normal.dist(2, 2 + t), 64, random_seed=1)
    for theta in (0.5, 4.0):
        tree = independent_metropolis(
            gaussian, theta, reference=q, draws=5000, random_seed=seed, progressbar=False
        )
        assert stats.kstest(thinned(tree), stats.norm(0, theta).cdf).pvalue > 1e-3


def test_transitions(seed):
    """P(i → j) = q_j min(1, p_j q_i / (p_i q_j)), the paper's acceptance, by χ² of each row."""
    p, proposed = np.array([0.5, 0.3, 0.15, 0.05]), np.array([0.1, 0.2, 0.3, 0.4])
    q = ebm.reference.independent(pm.Categorical.dist(proposed), 64, random_seed=1)
    energy = lambda k, scale: _table(k, -np.log(p)) * scale
    x = independent_metropolis(
        energy, 1.0, reference=q, draws=20_000, random_seed=seed, progressbar=False,
        return_inferencedata=False,
    )  # fmt: skip
    move = proposed * np.minimum(1, (p / proposed) / (p / proposed)[:, None])
    np.fill_diagonal(move, 0)
    np.fill_diagonal(move, 1 - move.sum(axis=1))
    found = np.zeros((4, 4))
    np.add.at(found, (x[:, :-1].ravel(), x[:, 1:].ravel()), 1)
    for i in range(4):
        possible = move[i] > 0
        assert found[i, ~possible].sum() == 0
        expected = found[i].sum() * move[i, possible]
        assert stats.chisquare(found[i, possible], expected).pvalue > 1e-3


def _table(k, values):
    return sum(v * pt.eq(k, i) for i, v in enumerate(values))


@pytest.mark.parametrize("block", [1000, 50])
def test_against_a_loop_by_hand(block, monkeypatch, seed):
    """The same proposals and uniforms through the formula, one step at a time."""
    module = importlib.import_module("pymc_ebm.sampling._independent_metropolis")
    monkeypatch.setattr(module, "BLOCK", block)
    q = ebm.reference.independent(pm.Normal.dist(0.0, 3.0), 64, random_seed=1)
    tree = independent_metropolis(
        gaussian, 1.0, reference=q, draws=170, chains=1, tune=30, random_seed=seed,
        initvals=[0.5], progressbar=False,
    )  # fmt: skip
    rng, n = np.random.default_rng(seed), min(block, 200)
    pairs = [(q.proposal.draw(rng, n), rng.random((n, 1))[:, 0]) for _ in range(200 // n)]
    proposals, u = (np.concatenate(part) for part in zip(*pairs, strict=True))
    phi, density = lambda y: np.exp(-(y**2) / 2), stats.norm(0, 3).pdf
    y, path, accepted = 0.5, [], []
    for new, uniform in zip(proposals, u, strict=True):
        accept = 1 - uniform < min(1, phi(new) * density(y) / (phi(y) * density(new)))
        y = new if accept else y
        path.append(y)
        accepted.append(accept)
    path, accepted = path[30:], accepted[30:]
    np.testing.assert_allclose(tree["samples"]["x"][0], path)
    np.testing.assert_array_equal(tree["sample_stats"]["accepted"][0], accepted)
    np.testing.assert_allclose(tree["sample_stats"]["acceptance_rate"], [np.mean(accepted)])
    log_weight = -(np.array(path) ** 2) / 2 - stats.norm(0, 3).logpdf(path)
    # PyMC takes the log of a constant 3.0 in single precision.
    np.testing.assert_allclose(tree["sample_stats"]["log_weight"][0], log_weight, atol=1e-6)


def test_given_draws_are_used_once(rng, seed):
    y = rng.normal(0, 4, 30_000)
    q = ebm.reference.from_draws(y, stats.norm(0, 4).logpdf(y))
    options = dict(reference=q, chains=2, tune=10, random_seed=seed, progressbar=False)
    tree = independent_metropolis(gaussian, 2.0, draws=14_000, **options)
    assert stats.kstest(thinned(tree), stats.norm(0, 2).cdf).pvalue > 1e-3
    one, two = (np.unique(chain) for chain in tree["samples"]["x"].to_numpy())
    assert np.isin(one, y).all() and not np.isin(one, two).any()
    with pytest.raises(ValueError, match=r"30000 draws, .* propose 31020, each once"):
        independent_metropolis(gaussian, 2.0, draws=15_000, **options)
    with pytest.raises(ValueError, match="initvals were given"):
        independent_metropolis(gaussian, 2.0, draws=10, initvals=[0.0, 1.0], **options)
    options["reference"] = ebm.reference.from_draws(y, stats.norm(0, 4).logpdf)
    independent_metropolis(gaussian, 2.0, draws=10, initvals=[0.0, 1.0], **options)


def test_p_is_zero_outside_the_support(seed):
    """An exponential with normal proposals, of which some are negative."""
    normal = ebm.reference.independent(pm.Normal.dist(1.0, 2.0), 64, random_seed=1)
    q = ebm.reference.Reference(
        np.linspace(0.1, 5, 30), np.zeros(30), np.arange(30), "positive", proposal=normal.proposal
    )
    tree = independent_metropolis(
        lambda x, s: x / s, 0.5, reference=q, draws=10_000, random_seed=seed, progressbar=False
    )
    assert stats.kstest(thinned(tree), stats.expon(0, 0.5).cdf).pvalue > 1e-3


def test_refuses():
    grid = ebm.reference.quadrature(-5, 5, 100)
    with pytest.raises(ValueError, match=r"100 points are fixed.*importance_resampling"):
        independent_metropolis(gaussian, 1.0, reference=grid)
    y = np.linspace(-1, 1, 30)
    pairs = ebm.reference.from_draws(y, np.zeros(30), groups=np.arange(30) // 2)
    with pytest.raises(ValueError, match="no proposals"):
        independent_metropolis(gaussian, 1.0, reference=pairs)
    q = ebm.reference.independent(pm.Normal.dist(0.0, 4.0), 64, random_seed=1)
    with pytest.raises(ValueError, match=r"energy is -inf.*parameters \[0.0\]"):
        independent_metropolis(lambda x, s: -1 / (s * x**2), 0.0, reference=q)
