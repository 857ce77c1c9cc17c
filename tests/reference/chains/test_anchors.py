"""Anchors that place themselves, for normal vectors whose likelihood is known."""

from functools import partial

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy import special, stats

import pymc_ebm as ebm
from pymc_ebm.weights.groups import group_variance
from pymc_ebm.weights.normalised import normalise


def shifted(x, theta):
    """N(θ, I) up to its normaliser: log Z(θ) − log Z(0) = |θ|²/2, and G(θ) = I."""
    return (x**2).sum(-1) / 2 - (x * theta).sum(-1)


def exact_draws(energy, theta, *, random_seed, signature, progressbar):
    """2 × 250 independent draws of N(θ, I)."""
    assert energy.function is shifted and signature == "(k)" and not progressbar
    return theta + random_seed.normal(size=(2, 250, len(theta)))


place = partial(
    ebm.reference.pooled, shifted, sampler=exact_draws, signature="(k)", progressbar=False
)


@pytest.mark.parametrize("n_dim", [1, 2])
def test_one_event_is_covered(n_dim, rng, seed):
    """θ is given to one sd by one event: anchors lie everywhere within the 99.9% region."""
    data = rng.normal(3, 1, size=(1, n_dim))
    q = place(observed=data, start=[np.full(n_dim, -8.0)], random_seed=seed)
    radius = np.sqrt(stats.chi2(n_dim).ppf(0.999))
    theta = data + rng.normal(size=(2000, n_dim))
    theta = theta[np.linalg.norm(theta - data, axis=1) < radius]
    apart = np.linalg.norm(theta[:, None] - q.pool.anchors, axis=-1)
    assert apart.min(axis=1).max() < 2
    # Not much beyond: neighbours are 2 apart, and one may lie just past the region.
    assert np.linalg.norm(q.pool.anchors - data, axis=1).max() < radius + 2
    assert len(q.pool.anchors) <= (5 if n_dim == 1 else 20)
    log_z, weights = normalise(
        q.log_weights - ((q.points**2).sum(-1) / 2 - theta[:20] @ q.points.T)
    )
    exact = ((theta[:20] ** 2).sum(-1) - (q.pool.anchors[0] ** 2).sum()) / 2
    error = np.sqrt(group_variance(q.influence(weights), q.groups, q.unused_draws))
    assert (np.abs(log_z - exact) < 5 * error + 1e-9).all()
    assert not q.absolute and "anchors" in q.description


def test_many_events_need_one_anchor(rng, seed):
    """400 events give θ to a twentieth of the width of one: a chain nearby covers the posterior."""
    data = rng.normal(3, 1, size=(400, 2))
    q = place(observed=data, start=[np.zeros(2)], random_seed=seed)
    assert len(q.pool.anchors) == 1
    assert np.linalg.norm(q.pool.anchors[0] - data.mean(axis=0)) < 0.6


def test_bounds(rng, seed):
    data = rng.normal(3, 1, size=(1, 2))
    bounds = [([-np.inf, 0.0], [1.0, np.inf])]
    q = place(observed=data, start=[np.array([-2.0, -2.0])], bounds=bounds, random_seed=seed)
    assert q.pool.anchors[:, 0].max() == 1 and q.pool.anchors[:, 1].min() >= 0
    with pytest.raises(ValueError, match="bounds of 2 parameters, and 1 parameters"):
        place(observed=data, start=[np.zeros(2)], bounds=bounds * 2)


@pytest.mark.slow
def test_too_many_parameters_for_one_event(rng, seed):
    with pytest.warns(UserWarning, match="64 anchors do not cover"):
        q = place(observed=np.zeros((1, 5)), start=[np.zeros(5)], random_seed=seed)
    assert len(q.pool.anchors) == 64
    # The most probable places come first.
    assert np.linalg.norm(q.pool.anchors, axis=1).max() < 5


def test_parameters_of_which_only_the_sum_matters(rng, seed):
    def tied(x, a, b):
        return (x**2 / 2 - (a + b) * x[..., :1]).sum(-1)

    def draws(energy, a, b, *, random_seed, **_):
        return a + b + random_seed.normal(size=(2, 250, 1))

    q = ebm.reference.pooled(
        tied, observed=np.array([[2.0]]), start=(0.0, 0.0), sampler=draws, random_seed=seed,
        progressbar=False,
    )  # fmt: skip
    total = q.pool.anchors.sum(axis=1)
    assert 3 <= len(total) <= 5 and abs(np.median(total) - 2) < 1


def test_a_likelihood_that_grows_for_ever(seed):
    """All data at the end of the space: anchors up to where nothing changes any more."""
    states = ebm.reference.enumeration([0, 1], shape=6, complete=True)
    q = ebm.reference.pooled(
        lambda x, theta: -(x * theta).sum(-1),
        observed=np.ones((1, 6)),
        start=[0.0],
        sampler=partial(ebm.sampling.gibbs, reference=states, draws=500, tune=50),
        random_seed=seed,
        progressbar=False,
    )
    anchors = q.pool.anchors.ravel()
    assert anchors.max() > np.log(1000 * 6)  # flips are rarer than one in 1000 draws
    exact = 6 * np.log1p(np.exp(anchors))
    # Errors of chains of a few distinct states: 5% of the 10 nats and more between the anchors.
    np.testing.assert_allclose(q.pool.log_partitions, exact - exact[0], rtol=0.05, atol=0.3)


@pytest.mark.filterwarnings("ignore:Anchor .* overlaps")
def test_slopes_that_vary_more_on_the_way(rng, seed):
    """No success in 30 trials, prior N(0, 5): the posterior's mean logit is right to 0.05 sd.

    At the first anchor successes are rare, so that a whole spacing from there leads beyond all that
    the data allow; with no anchor on the way log Z was 10 nats off, and the mean 0.05 to 0.26 sd.
    """
    trials = 30

    def draws(energy, logit, *, random_seed, **_):
        return random_seed.binomial(trials, special.expit(logit), size=(2, 1000))

    def energy(x, logit):
        choices = pt.gammaln(trials + 1.0) - pt.gammaln(x + 1.0) - pt.gammaln(trials - x + 1.0)
        return -choices - logit * x

    q = ebm.reference.pooled(
        energy, observed=[0], start=[-6.0], bounds=[(-12.0, 4.0)], sampler=draws,
        random_seed=seed, progressbar=False,
    )  # fmt: skip
    logits = np.linspace(-12, 4, 321)
    choices = -special.betaln(q.points + 1, trials - q.points + 1) - np.log(trials + 1)
    of_points = special.logsumexp(q.log_weights + choices + logits[:, None] * q.points, axis=1)
    weights = [
        normalise(-(logits**2) / 50 - log_z)[1]
        for log_z in (of_points, trials * np.log1p(np.exp(logits)))
    ]
    found, truth = (w @ logits for w in weights)
    sd = np.sqrt(weights[1] @ (logits - truth) ** 2)
    assert abs(found - truth) < 0.05 * sd, (found - truth) / sd


def test_what_is_refused(seed):
    with pytest.raises(ValueError, match="no anchors"):
        place(observed=np.zeros((1, 2)))
    frozen = lambda *_, **__: np.ones((2, 250, 1))
    with pytest.raises(ValueError, match="do not vary"):
        ebm.reference.pooled(
            shifted, observed=np.zeros((1, 1)), start=[np.zeros(1)], sampler=frozen,
            signature="(k)", progressbar=False,
        )  # fmt: skip
    with pytest.raises(ValueError, match=r"after 50 steps, and is at \[\[100"):
        place(observed=np.full((1, 1), 300.0), start=[np.zeros(1)], random_seed=seed)
