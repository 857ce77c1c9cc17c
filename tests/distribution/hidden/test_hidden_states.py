"""Draws of hidden states against their exact distribution."""

import arviz as az
import numpy as np
import pytest
from scipy.special import logsumexp

import pymc_ebm as ebm

pytestmark = pytest.mark.usefixtures("interpreted")


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
