"""Births, deaths and moves by local changes, against closed forms."""

import numpy as np
import pytest

import pymc_ebm as ebm
from pymc_ebm.energies.local_change import with_local_change

LENGTH, RADIUS = 3.0, 0.8


@pytest.mark.slow
def test_two_points_on_a_line(rng):
    """Strauss of at most two points: Z e^L = 1 + βL + β² (far + γ near) / 2."""
    data = ebm.space.pack([rng.uniform(0, LENGTH, size=(n, 1)) for n in (2, 1, 2, 0)], most=2)
    strauss = ebm.energies.strauss(RADIUS)
    q = ebm.reference.annealed(
        strauss, 0.5, -1.0, data=data, anchors=[(1.5, -2.5)], random_seed=1, particles=256, draws=4,
        support=ebm.space.points([(0, LENGTH)]), progressbar=False,
    )  # fmt: skip
    assert q.points[..., -1].sum(axis=1).max() == 2
    far = (LENGTH - RADIUS) ** 2
    for log_beta, log_gamma in ((0.5, -1.0), (1.5, -2.5), (1.0, -1.5)):
        beta, gamma = np.exp([log_beta, log_gamma])
        pairs = far + gamma * (LENGTH**2 - far)
        truth = np.log(1 + beta * LENGTH + beta**2 * pairs / 2) - LENGTH
        found = ebm.log_partition_at(strauss, log_beta, log_gamma, reference=q)
        assert abs(found.log_partition - truth) < 4 * found.mcse < 0.1


def test_a_wrong_change_is_refused(rng):
    data = ebm.space.pack([rng.uniform(0, LENGTH, size=(5, 1))])
    strauss = ebm.energies.strauss(RADIUS)
    wrong = with_local_change(ebm.energies.strauss(2 * RADIUS).local_change)(
        lambda x, b, g: strauss(x, b, g)
    )
    with pytest.raises(ValueError, match="where a point vanishes, and the energy changes by"):
        ebm.reference.annealed(
            wrong, 0.5, -1.0, data=data, support=ebm.space.points([(0, LENGTH)]), progressbar=False
        )
