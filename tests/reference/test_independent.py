"""Draws of a law, iid, antithetic and Sobol, against closed forms."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats
from scipy.special import gamma, gammaln, logsumexp

from pymc_ebm import EBM, log_partition_at
from pymc_ebm import reference as ref


def log_z(q, energy, points=None, log_weights=None):
    """Estimate and standard error by groups."""
    points = q.points if points is None else points
    log_weights = q.log_weights if log_weights is None else log_weights
    terms = log_weights - energy(points)
    total = logsumexp(terms)
    phi = np.bincount(q.groups, np.exp(terms - total), minlength=q.n_groups)
    g = q.n_groups
    return total, np.sqrt(g / (g - 1) * ((phi - phi.mean()) ** 2).sum())


def assert_close(q, energy, truth, se_bound=0.01):
    value, se = log_z(q, energy)
    assert se <= se_bound
    assert abs(value - truth) <= 5 * se + 1e-12


@pytest.mark.parametrize("method", ["iid", "antithetic", "sobol"])
@pytest.mark.parametrize(
    "energy, truth",
    [
        (lambda x: x**4, np.log(2 * gamma(1.25))),
        (lambda x: x**2 / 2, np.log(2 * np.pi) / 2),
        (
            lambda x: np.where(x > 1, x**2 / 2 + np.log(2 * np.pi) / 2, np.inf),
            stats.norm.logsf(1),
        ),
    ],
    ids=["quartic", "gaussian", "selected"],
)
def test_independent(method, energy, truth, seed):
    q = ref.independent(pm.Normal.dist(0, 1.5), 65536, method, random_seed=seed)
    assert_close(q, energy, truth)


@pytest.mark.filterwarnings("ignore:Use the scale argument:FutureWarning")
@pytest.mark.parametrize("method", ["iid", "antithetic", "sobol"])
@pytest.mark.parametrize("heavy", [False, True])
def test_independent_whitened(method, heavy, seed):
    cov = np.array([[2.0, 0.7], [0.7, 1.0]])
    dist = pm.MvStudentT.dist(nu=5, mu=np.zeros(2), scale=cov) if heavy else None
    dist = pm.MvNormal.dist(np.zeros(2), cov=cov) if dist is None else dist
    q = ref.independent(dist, 32768, method, random_seed=seed)
    assert q.event_shape == (2,)
    assert_close(q, lambda x: (x**2).sum(-1), np.log(np.pi))


def test_independent_batched_mixture_and_positive(seed):
    q = ref.independent(pm.Normal.dist([0.0, 1.0], 2, size=(3, 2)), 8192, random_seed=seed)
    assert q.event_shape == (3, 2)
    assert_close(q, lambda x: (x**2 / 4).sum((-1, -2)), 3 * np.log(4 * np.pi), 0.05)
    mixture = pm.NormalMixture.dist([0.5, 0.5], [-2.0, 2.0], [1.5, 1.5])
    q = ref.independent(mixture, 16384, random_seed=seed)
    assert_close(q, lambda x: x**2 / 2, np.log(2 * np.pi) / 2)
    q = ref.independent(pm.Poisson.dist(3.0), 16384, random_seed=seed, support="nonnegative")
    assert q.discrete
    assert_close(q, lambda k: -k * np.log(2) + gammaln(k + 1), 2.0)


@pytest.mark.parametrize("method", ["iid", "antithetic", "sobol"])
def test_laws_whose_parameters_are_random_are_refused(method):
    """Points and log q were of different draws of mu: log Z was -13 for 0.8."""
    with pm.Model():
        mu, sigma, place = pm.Normal("mu", 0, 2), pm.HalfNormal("sigma"), pm.Data("place", 0.5)
        # Of these PyMC hides the generator and the draw of a known law.
        tail, short = pm.HalfCauchy("tail", 2), pm.Truncated("short", pm.Gamma.dist(2, 1), upper=3)
    mixture = lambda mean: pm.Mixture.dist([0.5, 0.5], pm.Normal.dist([0.0, mean], 1.0))
    wrong = {
        "mu": pm.Normal.dist(2 * mu, 3),
        "sigma": pm.Normal.dist(0, sigma),
        "tail": pm.Normal.dist(0, tail),
        "short": pm.Normal.dist(0, short),
        "place": pm.Normal.dist(place, 3),
        "normal_rv": pm.Normal.dist(pm.Normal.dist(), 1),
        "mu, place": pm.Normal.dist(mu, 3 + place),
    }
    if method == "iid":
        wrong["mu"] = mixture(mu)
        ref.independent(mixture(3.0), 64, method)  # its components are random, its density known
    for name, dist in wrong.items():
        with pytest.raises(ValueError, match=rf"log q depends on {name}.*lambda mu"):
            ref.independent(dist, 64, method)
    with pytest.raises(ValueError, match="log q depends on mu"):
        ref.independent(lambda s: pm.Normal.dist(mu, s), 64, method)


def test_a_law_that_follows_the_parameters(rng):
    """The remedy: N(mu, 1) by N(mu, 3) has log Z = log(2π)/2 at every mu."""
    q = ref.independent(lambda mu: pm.Normal.dist(mu, 3), 4096, random_seed=rng)
    for mu in (0.0, 40.0):
        found = log_partition_at(lambda x, mu: (x - mu) ** 2 / 2, mu, reference=q)
        assert abs(found.log_partition - np.log(2 * np.pi) / 2) < 5 * found.mcse


def test_draws_of_states_are_of_these_states(rng):
    """Bits and colours end where their law does; counts may go on beyond what is drawn."""
    bits = ref.independent(pm.Bernoulli.dist(0.5, shape=5), 1000, random_seed=rng)
    assert bits.space.contains(bits.points).all()
    assert not bits.space.contains([[2, 0, 0, 0, 0], [-1, 0, 0, 0, 0]]).any()
    colours = ref.independent(pm.Categorical.dist([0.2, 0.3, 0.5]), 1000, random_seed=rng)
    assert colours.space.contains([-1, 0, 2, 3]).tolist() == [False, True, True, False]
    counts = ref.independent(pm.Binomial.dist(9, 0.5), 1000, random_seed=rng)
    assert counts.space.contains([12]).all()
    with pm.Model() as model:
        EBM("s", 0.3, energy=lambda s, b: -b * s.sum(-1), reference=bits)
    logp = model.compile_logp()
    assert np.isneginf(logp({"s": np.array([2, 0, 0, 0, 0])}))
    truth, spread = -5 * np.log(1 + np.exp(0.3)), np.sqrt(5 * 0.3**2 / 4 / 1000)
    assert abs(logp({"s": np.zeros(5, int)}) - truth) < 5 * spread  # of the draws' mean weight
