"""Points of uniform laws, against closed forms of log Z near E = 0."""

import numpy as np
import pytest

import pymc_ebm as ebm
from pymc_ebm.reference import uniform


def test_weak_energies():
    """Dirichlet's law with parameters 1, 2, 3 by draws of that with 1, 1, 1: 2! / 5! · 1! 2!."""
    q = uniform(ebm.space.simplex(3), 2**12, random_seed=1)
    energy = lambda x, a: -a * (np.log(x[..., 1]) + 2 * np.log(x[..., 2]))
    found = ebm.log_partition_at(lambda x, a: -a * (x[..., 1].log() + 2 * x[..., 2].log()), 1.0,
                                 reference=q)  # fmt: skip
    assert abs(found.log_partition - np.log(2 / 120)) < 4 * found.mcse < 0.05
    direct = np.logaddexp.reduce(q.log_weights - energy(q.points, 1.0))
    assert np.isclose(found.log_partition, direct)
    again = q.again(10_000, 2)
    assert again.n_points >= 10_000 and again.space == q.space


def test_words():
    for where in ("real", "sphere", (0, 1)):
        with pytest.raises(ValueError, match="No uniform law is known for"):
            uniform(where)
