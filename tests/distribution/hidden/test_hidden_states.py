"""Draws of hidden states against their exact distribution."""

from functools import partial

import arviz as az
import numpy as np
import pymc as pm
import pytest
from scipy import stats
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.distribution.hidden.gibbs_of_field import GibbsOfField

pytestmark = pytest.mark.usefixtures("interpreted")
free = partial(ebm.energies.potts, boundary="free")


def _shares(x, agree, beta, y):
    """Probability of label 1 at each pixel of a noisy image of labels, sd 1, by all fields."""
    log_p = beta * agree + stats.norm(x, 1).logpdf(y).sum((1, 2))
    return np.einsum("m,mij->ij", np.exp(log_p - logsumexp(log_p)), x)


def test_labels_of_three_colours(colours, log_terms):
    """Frequencies of labels, alone and of two pixels, within 4 standard errors."""
    model, y = colours
    x, _, of_fields = log_terms
    at = {"beta": 0.7, "mu": np.array([-1.0, 0.1, 1.2]), "sigma": 0.8}
    posterior = {n: np.broadcast_to(v, (1, 2000, *np.shape(v))) for n, v in at.items()}
    idata = ebm.hidden_states(az.from_dict({"posterior": posterior}), model=model, random_seed=1)
    drawn = idata["posterior_predictive"]["y_states"]
    assert drawn.dims == ("chain", "draw", "row", "column") and drawn.dtype == np.int8
    assert drawn.coords["row"].to_numpy().tolist() == ["a", "b"]
    weights = np.exp(of_fields(y, **at) - logsumexp(of_fields(y, **at)))
    for colour in range(3):
        share = np.einsum("m,mij->ij", weights, x == colour)
        se = np.sqrt(share * (1 - share) / 2000)
        assert (abs((drawn == colour).mean(("chain", "draw")) - share) < 4 * se + 1e-12).all()
    pairs = [(drawn.to_numpy()[0, :, 0, 1] == k) & (drawn.to_numpy()[0, :, 0, 0] == k)
             for k in range(3)]  # fmt: skip
    joint = [weights[(x[:, 0, 1] == k) & (x[:, 0, 0] == k)].sum() for k in range(3)]
    assert (abs(np.mean(pairs, axis=1) - joint) < 4 * np.sqrt(np.array(joint) / 2000)).all()


def test_a_posterior_that_lacks_a_parameter(colours):
    """It would be a draw of its prior each time."""
    model, _ = colours
    some = az.from_dict({"posterior": {"beta": np.full((1, 3), 0.5), "sigma": np.ones((1, 3))}})
    with pytest.raises(ValueError, match="lacks mu, on which the draws depend"):
        ebm.hidden_states(some, model=model)


def test_another_number_of_images(rng, fields, bonds):
    """Two images where the model was made, five by `set_data`."""
    x = fields([0, 1], (2, 2))
    with pm.Model() as model:
        beta = pm.HalfNormal("beta", 1)
        seen = pm.Data("seen", rng.normal(size=(2, 2, 2)))
        ebm.HiddenEBM(
            "y", beta, energy=free, states=[0, 1], emission=lambda x: pm.Normal.dist(x, 1),
            observed=seen,
        )  # fmt: skip
        y = rng.normal(size=(5, 2, 2))
        pm.set_data({"seen": y})
    idata = az.from_dict({"posterior": {"beta": np.full((1, 1000), 0.3)}})
    drawn = ebm.hidden_states(idata, model=model, random_seed=1)["posterior_predictive"]["y_states"]
    assert drawn.shape == (1, 1000, 5, 2, 2)
    truth = np.stack([_shares(x, bonds(x, np.equal), 0.3, one) for one in y])
    se = np.sqrt(truth * (1 - truth) / 1000)
    assert (abs(drawn.mean(("chain", "draw")) - truth) < 4.5 * se).all()


def test_each_image_has_a_chain_of_its_own(monkeypatch, fields):
    """Each goes on from the states that were drawn for its own image, not for the one before."""
    x = fields([0, 1], (2, 3))
    some = ebm.reference.from_draws(x[:-1], np.full(len(x) - 1, -np.log(len(x) - 1)))
    starts, gibbs = [], GibbsOfField.__call__

    def spied(self, theta, log_densities, codes, *args):
        starts.append(codes[0].reshape(2, 3))
        return gibbs(self, theta, log_densities, codes, *args)

    with pm.Model() as model:
        beta = pm.HalfNormal("beta", 1)
        ebm.HiddenEBM(
            "y", beta, energy=free, states=[0, 1], emission=lambda x: pm.Normal.dist(x, 1),
            observed=np.stack([np.full((2, 3), v) for v in (-2.0, 3.0)]), posterior_reference=some,
        )  # fmt: skip
    monkeypatch.setattr(GibbsOfField, "__call__", spied)
    idata = az.from_dict({"posterior": {"beta": np.full((1, 6), 1.0)}})
    drawn = ebm.hidden_states(idata, model=model, sweeps=1, random_seed=1)
    drawn = drawn["posterior_predictive"]["y_states"].to_numpy()[0]
    np.testing.assert_array_equal(np.reshape(starts, (6, 2, 2, 3))[1:], drawn[:-1])
    assert not (drawn[:, 0] == drawn[:, 1]).all()
