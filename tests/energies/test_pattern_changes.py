"""What a birth, a death or a move changes is the difference of the energy, counted plainly."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm.energies.near_points import in_pytensor, near_points

LOG_BETA, LOG_GAMMA = 0.7, -0.4


def near(x, radius):
    """By place, of one packed pattern: how many others are nearer."""
    there = x[:, -1] == 1
    apart = np.linalg.norm(x[:, None, :-1] - x[None, :, :-1], axis=-1)
    counts = (apart < radius) & there & there[:, None] & ~np.eye(len(x), dtype=bool)
    return counts.sum(axis=1)


PLAIN = {
    "strauss": lambda n, t: -n * LOG_BETA - LOG_GAMMA * t.sum() / 2,
    "hard_core": lambda n, t: np.inf if t.any() else -n * LOG_BETA,
    "geyer": lambda n, t: -n * LOG_BETA - LOG_GAMMA * np.minimum(t, 2).sum(),
}
ENERGIES = {
    "strauss": (ebm.energies.strauss(0.3), 0.3, (LOG_BETA, LOG_GAMMA)),
    "hard_core": (ebm.energies.hard_core(0.001), 0.001, (LOG_BETA,)),
    "geyer": (ebm.energies.geyer(0.3, 2), 0.3, (LOG_BETA, LOG_GAMMA)),
}


@pytest.mark.parametrize("name", ENERGIES)
def test_change_is_the_difference(name, rng):
    energy, radius, params = ENERGIES[name]
    of = lambda x: PLAIN[name](x[:, -1].sum(), near(x, radius))
    x = ebm.space.pack([rng.uniform(size=(12, 2))], most=15)[0]
    x = x[rng.permutation(15)]  # the change does not ask where points stand
    for _ in range(40):
        i, row = int(rng.integers(15)), np.append(rng.uniform(size=2), 1.0)
        row = row if rng.random() < 0.6 else np.zeros(3)
        after = x.copy()
        after[i] = row
        assert abs(energy.local_change(x, i, row, *params) - (of(after) - of(x))) < 1e-12
    crowd = x.copy()
    crowd[0] = [0.5, 0.5, 1.0]
    if name == "hard_core":
        assert energy.local_change(crowd, 1, crowd[0], *params) == np.inf


def test_near_points(rng):
    """As counted plainly, by Python, by numba and by the graph that other back ends take."""
    x = ebm.space.pack([rng.uniform(size=(n, 2)) for n in (0, 1, 9)], most=9)[:, None]
    place = pt.tensor(dtype="float64", shape=x.shape)
    count = near_points(place, 0.4)
    truth = [near(one[0], 0.4) for one in x]
    graphs = (count, "FAST_COMPILE"), (count, "NUMBA"), (in_pytensor(place, 0.4), "FAST_COMPILE")
    for graph, mode in graphs:
        found = pytensor.function([place], graph, mode=mode)(x)
        np.testing.assert_array_equal(found[:, 0], truth)


def test_radii_are_told_apart(rng):
    """Statistics that are kept at the points of a reference are each energy's own."""
    space = ebm.space.points([(0, 1)], most=3)
    law = space.base_law(ebm.space.pack([[[0.5]]], most=3), rng)
    x = law.points(rng.random((200, law.n_uniforms)))[0]
    with pytest.warns(UserWarning, match="are distinct"):  # many patterns are empty
        q = ebm.reference.from_draws(x.reshape(200, 3, 2), law.log_density(x), support=space)
    log_z = [
        ebm.log_partition_at(ebm.energies.strauss(r), 1.0, -5.0, reference=q).log_partition
        for r in (0.1, 0.9)
    ]
    assert log_z[0] > log_z[1] + 0.1
