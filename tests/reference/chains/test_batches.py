"""Batches are as long as the slowest quantity needs."""

import numpy as np

from pymc_ebm.reference.chains.batches import autocorrelation_time


def test_a_slow_quantity_beside_a_large_one(rng):
    """AR(1) of 0.99 has a time of 199; the unit of another quantity is no matter."""
    noise = rng.normal(size=(4, 4000, 2))
    slow = np.zeros((4, 4000))
    for i in range(1, 4000):
        slow[:, i] = 0.99 * slow[:, i - 1] + noise[:, i, 0] * np.sqrt(1 - 0.99**2)
    times = [
        autocorrelation_time(np.stack([slow, unit * noise[:, :, 1]], axis=-1))
        for unit in (1.0, 1e8, 1e-8)
    ]
    assert times[0] == times[1] == times[2] and 100 < times[0] < 400
    constant = np.stack([slow, np.full_like(slow, 1e8)], axis=-1)
    assert autocorrelation_time(constant) == times[0]
