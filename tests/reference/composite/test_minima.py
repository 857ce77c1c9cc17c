"""A scan for minima of an energy."""

import numpy as np

from pymc_ebm.reference.composite.minima import minima


def test_wells_and_spikes():
    energy = lambda t: np.minimum((t + 1) ** 2, 1e3 * np.abs(t - 0.123456) - 5)
    np.testing.assert_allclose(minima(energy, 64.0), [-1, 0.123456], atol=1e-8)


def test_the_lowest_of_many():
    found = minima(lambda t: np.cos(8 * np.pi * t) + 0.01 * t, 64.0)
    assert len(found) == 16 and found.max() < -3.5


def test_places_without_an_energy():
    falls = lambda t: np.where(t < 0.5, np.nan, -np.log(np.maximum(t, 0.5)))
    assert len(minima(falls, 64.0)) == 0
    spike = lambda t: np.where(np.abs(t - 0.2) < 1e-4, np.nan, 1e4 * np.abs(t - 0.21))
    assert len(minima(spike, 1.0)) == 1
