"""Hidden fields too large to sum, against a transfer matrix with what is observed as site terms."""

from functools import partial

import arviz as az
import numpy as np
import pymc as pm
import pytest
from scipy import stats
from scipy.special import logsumexp

import pymc_ebm as ebm

pytestmark = pytest.mark.usefixtures("interpreted")
OF_SPINS = np.outer([-1, 1], [-1, 1])  # what β multiplies, for each pair of states


def transfer(beta, site_terms, pairs=OF_SPINS):
    """log Σ exp(β Σ pairs(s_i, s_j) + Σ_i site_terms_i(s_i)), free boundary.

    `site_terms` is ``(rows, columns, K)``. Returns also the probability of each state at the sites
    of the last row, ``(columns, K)``.
    """
    columns, k = site_terms.shape[1:]
    codes = np.array(np.unravel_index(np.arange(k**columns), (k,) * columns)).T
    across = beta * pairs[codes[:, 1:], codes[:, :-1]].sum(axis=1)
    total = None
    for terms in site_terms:
        own = across + terms[np.arange(columns), codes].sum(axis=1)
        if total is not None:
            before = total.reshape((k,) * columns)
            for axis in range(columns):  # bonds downwards, one column at a time
                before = np.moveaxis(before, axis, -1)[..., None, :] + beta * pairs
                before = np.moveaxis(logsumexp(before, axis=-1), -1, axis)
            own = own + before.ravel()
        total = own
    weights = np.exp(total - logsumexp(total))
    return logsumexp(total), np.stack([weights @ (codes == s) for s in range(k)], axis=1)


@pytest.fixture(scope="module")
def image():
    """A noisy image of 8 × 8 spins, one pixel missing, its model and the function of the truth."""
    rng = np.random.default_rng(3)
    labels = np.where(np.add.outer(np.arange(8), np.arange(8)) % 9 < 5, 1, -1)
    labels[rng.random((8, 8)) < 0.15] *= -1
    y = rng.normal(np.where(labels > 0, 1.0, -0.5), 0.6)
    y[3, 4] = np.nan

    def emission(s, mu, sigma):
        return pm.Normal.dist(mu[(s + 1) // 2], sigma)

    with pm.Model() as model:
        beta = pm.HalfNormal("beta", 0.5)
        mu = pm.Normal("mu", [-1, 1], 1, shape=2)
        sigma = pm.HalfNormal("sigma", 1)
        ebm.HiddenEBM(
            "y", beta, energy=partial(ebm.energies.ising, boundary="free"), states=[-1, 1],
            emission=emission, emission_params=[mu, sigma], observed=y, progressbar=False,
        )  # fmt: skip

    def truth(beta, mu, sigma):
        densities = np.nan_to_num(stats.norm(mu, sigma).logpdf(y[..., None]))
        of_data, share = transfer(beta, densities)
        return of_data - transfer(beta, 0 * densities)[0], share[:, 1]

    return model, truth


@pytest.mark.slow
def test_likelihood_of_an_image_of_64_spins(image):
    """Log-likelihoods within 4 of their reported errors, all over what the data allow.

    Differences between parameters, on which a posterior rests, are known far better than the level:
    to 0.1 nats.
    """
    model, truth = image
    spec = model["y"].owner.op.spec
    references = [spec.reference, spec.given[0].reference]
    assert [len(spec.given[0].basis.pivots), *(q.level for q in references)] == [
        3, "absolute", "absolute",
    ]  # fmt: skip
    logp = model.compile_logp(vars=model.observed_RVs)
    middle = np.average(spec.given[0].reference.pool.anchors[:1, 0])
    places = [
        (middle, [-0.5, 1.0], 0.6),
        (middle - 0.1, [-0.4, 1.0], 0.6),
        (middle + 0.1, [-0.5, 1.1], 0.55),
        (middle, [-0.7, 0.9], 0.7),
    ]
    errors = []
    for beta, mu, sigma in places:
        point = {"beta_log__": np.log(beta), "mu": np.array(mu), "sigma_log__": np.log(sigma)}
        errors.append(logp(point) - truth(beta, mu, sigma)[0])
    level = np.hypot(*(q.level_mcse for q in references))
    assert abs(errors[0]) < 4 * level < 0.4
    assert np.ptp(errors) < 0.1


@pytest.mark.filterwarnings("ignore:Anchor . overlaps with no others:UserWarning")
@pytest.mark.parametrize(
    "side, colours",
    [(3, 3), *(pytest.param(8, k, marks=pytest.mark.slow) for k in (2, 3))],
)
def test_likelihood_of_an_image_of_colours(side, colours):
    """A Potts model with ordered means: summed on 3 × 3, within 4 reported errors on 8 × 8."""
    means = np.arange(colours) * 1.0
    labels = (np.add.outer(np.arange(side), np.arange(side)) // 3) % colours
    y = np.random.default_rng(3).normal(means[labels], 0.5)
    ordered = pm.distributions.transforms.ordered
    with pm.Model() as model:
        beta = pm.HalfNormal("beta", 1)
        mu = pm.Normal("mu", means, 1, shape=colours, initval=means, transform=ordered)
        sigma = pm.HalfNormal("sigma", 1)
        ebm.HiddenEBM(
            "y", beta, energy=partial(ebm.energies.potts, boundary="free"),
            emission=lambda x, mu, sigma: pm.Normal.dist(mu[x], sigma), states=range(colours),
            emission_params=[mu, sigma], observed=y, progressbar=False,
        )  # fmt: skip
    spec = model["y"].owner.op.spec
    references = [spec.reference, spec.given[0].reference]
    logp = model.compile_logp(vars=model.observed_RVs)
    errors = []
    for b, m, s in ((0.8, means, 0.5), (0.7, means + 0.1, 0.55), (0.6, means, 0.6)):
        densities = stats.norm(m, s).logpdf(y[..., None])
        of_data, of_all = (transfer(b, t, np.eye(colours))[0] for t in (densities, 0 * densities))
        point = {"beta_log__": np.log(b), "sigma_log__": np.log(s)}
        point["mu_ordered__"] = np.append(m[0], np.log(np.diff(m)))
        errors.append(logp(point) - (of_data - of_all))
    level = np.hypot(*(q.level_mcse for q in references))
    assert abs(errors[0]) < 4 * level + 1e-9 < 0.4
    assert np.ptp(errors) < (0.15 if level else 1e-9)


@pytest.mark.slow
def test_labels_of_an_image_of_64_spins(image):
    """Gibbs sampling: shares in the last row within 4 standard errors, by batches of draws."""
    model, truth = image
    at = {"beta": 0.4, "mu": np.array([-0.5, 1.0]), "sigma": 0.6}
    posterior = {n: np.broadcast_to(v, (2, 200, *np.shape(v))) for n, v in at.items()}
    idata = ebm.hidden_states(az.from_dict({"posterior": posterior}), model=model, random_seed=1)
    drawn = idata["posterior_predictive"]["y_states"].to_numpy()[:, :, -1] == 1
    share = truth(**at)[1]
    batches = drawn.reshape(2, 10, 20, 8).mean(axis=2).reshape(20, 8)
    # The floor is that of a share that no draw tells from 0 or 1.
    se = np.maximum(batches.std(axis=0, ddof=1) / np.sqrt(20), 1 / 400)
    assert (abs(drawn.mean((0, 1)) - share) < 4 * se).all()


@pytest.mark.slow
def test_sequences_of_a_hidden_markov_chain():
    """Two fields on a line with heavy tails, within 4 reported errors of the forward algorithm."""
    rng = np.random.default_rng(5)
    states = np.cumsum(rng.random((2, 28)) < 0.15, axis=1) % 2
    y = states + 0.5 * rng.standard_t(4, size=(2, 28))
    with pm.Model() as model:
        beta = pm.HalfNormal("beta", 1)
        mu = pm.Normal("mu", [0, 1], 0.5, shape=2)
        ebm.HiddenEBM(
            "y", beta, energy=lambda x, b: -b * pm.math.eq(x[..., 1:], x[..., :-1]).sum(-1),
            emission=lambda x, mu: pm.StudentT.dist(4, mu=mu[x], sigma=0.5), emission_params=[mu],
            states=[0, 1], observed=y, progressbar=False,
        )  # fmt: skip
    logp = model.compile_logp(vars=model.observed_RVs, sum=False)

    def forward(beta, log_densities):
        total = log_densities[0]
        for of_next in log_densities[1:]:
            total = of_next + logsumexp(total[:, None] + beta * np.eye(2), axis=0)
        return logsumexp(total)

    spec = model["y"].owner.op.spec
    assert [image.basis for image in spec.given] == [None, None]
    errors = np.array([np.hypot(spec.reference.level_mcse, i.reference.level_mcse)
                       for i in spec.given])  # fmt: skip
    for b, means in ((1.5, [0.0, 1.0]), (1.2, [0.1, 0.9]), (2.0, [-0.1, 1.1])):
        densities = stats.t(4, loc=means, scale=0.5).logpdf(y[..., None])
        truth = [forward(b, one) - forward(b, 0 * one) for one in densities]
        found = logp({"beta_log__": np.log(b), "mu": np.array(means)})[0]
        assert (abs(found - truth) < 4 * errors + 0.02).all()
        assert (errors < 0.1).all()


def test_what_takes_chains_is_refused_without_them():
    y = np.zeros((6, 6))
    with pm.Model():
        beta = pm.HalfNormal("beta")
        fit = partial(ebm.HiddenEBM, "y", states=[0, 1], emission=lambda x: pm.Normal.dist(x, 1))
        with pytest.raises(NotImplementedError, match="Give the array itself"):
            fit(beta, energy=ebm.energies.potts, observed=pm.Data("seen", y))
        triples = lambda x, b: -b * (x[..., 1:] * x[..., :-1]).sum((-1, -2)) ** 3
        with pytest.raises(NotImplementedError, match="no sum over sites and pairs"):
            fit(beta, energy=triples, observed=y, progressbar=False)
        coupled = pm.Bernoulli("coupled", 0.5)
        with pytest.raises(NotImplementedError, match="no continuous variables"):
            fit(beta * coupled, energy=ebm.energies.potts, observed=y, progressbar=False)
