"""Maxima of likelihoods found by particles."""

import numpy as np
import pytest

from pymc_ebm.energy.energy import Energy
from pymc_ebm.reference.annealing.climb import NotArrived, climb
from pymc_ebm.space.box import Support


def test_a_gaussian_with_mean_and_scale_from_far_away(rng):
    """The maximum is the data's mean and standard deviation."""
    data = rng.normal(5, 0.3, size=(200, 3))
    energy = Energy(lambda x, m, s: ((x - m) ** 2).sum(-1) / (2 * s**2))
    found = climb(
        energy, lambda u: [u[0], np.exp(u[1])], np.zeros(2), data, Support(event_shape=(3,)), rng
    )
    # Within a tenth of what one datum tells, and the particles' own error.
    assert abs(found[0] - data.mean()) < 0.15 * 0.3 / np.sqrt(3)
    assert abs(found[1] - np.log(data.std())) < 0.15 / np.sqrt(6)


def test_a_likelihood_without_a_maximum(rng):
    """E = b (Σ x)² + Σ x² with data whose sum is 0: it rises for ever with b."""
    data = rng.normal(size=(50, 3))
    data -= data.mean(axis=1, keepdims=True)
    energy = Energy(lambda x, b: b * x.sum(-1) ** 2 + (x**2).sum(-1))
    with pytest.raises(NotArrived, match="still rises"):
        climb(
            energy, lambda u: [np.exp(u[0])], np.zeros(1), data, Support(event_shape=(3,)), rng, 10
        )
