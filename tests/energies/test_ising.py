"""The Ising model against enumeration, Kaufman's formula and published values of log Z."""

import itertools
from functools import partial

import numpy as np
import pymc as pm
import pytest
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.energies import ising

CRITICAL = np.log(1 + np.sqrt(2)) / 2
KAUFMAN = {
    8: (47.010147, 56.599389, 60.141781),
    16: (188.039888, 225.228847, 238.642257),
    32: (752.159552, 900.478308, 952.648080),
}


def states(*shape):
    return ebm.reference.enumeration([-1, 1], shape=shape, complete=True).points


def bonds(rows, columns, boundary):
    """Pairs of neighbours, one by one."""
    for i, j in itertools.product(range(rows), range(columns)):
        for k, m in ((i + 1, j), (i, j + 1)):
            if boundary == "periodic":
                yield (i, j), (k % rows, m % columns)
            elif k < rows and m < columns:
                yield (i, j), (k, m)


@pytest.mark.parametrize(
    "boundary, beta, log_z",
    [
        ("periodic", 0.2, 11.771470),
        ("periodic", CRITICAL, 15.521915),
        ("free", 0.2, 11.581577),
        ("free", 0.4, 13.186573),
    ],
)
def test_log_z_of_4_by_4(boundary, beta, log_z, values_of):
    energy = values_of(ising, states(4, 4), beta, boundary=boundary)
    assert abs(logsumexp(-energy) - log_z) < 1e-6


def test_one_periodic_row_is_a_ring(values_of):
    """By the transfer matrix: Z = (2 cosh β)^n + (2 sinh β)^n. No site is its own neighbour."""
    truth = np.log((2 * np.cosh(0.7)) ** 6 + (2 * np.sinh(0.7)) ** 6)
    for shape in ((1, 6), (6, 1)):
        energies = values_of(ising, states(*shape), 0.7)
        np.testing.assert_allclose(logsumexp(-energies), truth, rtol=1e-12)


@pytest.mark.parametrize("side", KAUFMAN)
def test_kaufman_against_the_table(side, kaufman):
    found = [kaufman(side, side, beta) for beta in (0.2, 0.4, CRITICAL)]
    np.testing.assert_allclose(found, KAUFMAN[side], atol=1e-6)


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3)])
@pytest.mark.parametrize("beta", [0.2, CRITICAL, 0.7])
def test_kaufman_against_enumeration(shape, beta, kaufman, values_of):
    energy = values_of(ising, states(*shape), beta)
    np.testing.assert_allclose(logsumexp(-energy), kaufman(*shape, beta), rtol=1e-12)


def test_field_without_coupling(values_of):
    """Independent spins: Z = Π 2 cosh h_i."""
    field = np.linspace(-1, 2, 9).reshape(3, 3)
    for h in (0.7, field):
        log_z = logsumexp(-values_of(ising, states(3, 3), 0.0, h))
        each = np.broadcast_to(np.log(2 * np.cosh(h)), (3, 3))
        np.testing.assert_allclose(log_z, each.sum(), rtol=1e-12)


@pytest.mark.parametrize("boundary", ["periodic", "free"])
def test_mask_removes_bonds_and_sites(boundary, rng, values_of):
    s = rng.choice([-1, 1], size=(20, 5, 6))
    mask = rng.random((5, 6)) < 0.7
    field = rng.normal(size=(5, 6))
    pairs = [(a, b) for a, b in bonds(5, 6, boundary) if mask[a] and mask[b]]
    truth = -0.6 * sum(s[:, *a] * s[:, *b] for a, b in pairs) - (field * s)[:, mask].sum(1)
    found = values_of(ising, s, 0.6, field, boundary=boundary, mask=mask)
    np.testing.assert_allclose(found, truth, atol=1e-12)
    everywhere = np.ones((5, 6), dtype=bool)
    np.testing.assert_allclose(
        values_of(ising, s, 0.6, boundary=boundary, mask=everywhere),
        -0.6 * sum(s[:, *a] * s[:, *b] for a, b in bonds(5, 6, boundary)),
        atol=1e-12,
    )


def test_masked_torus_is_a_free_lattice(values_of):
    """A row and a column taken out open it up: log Z of free 3 × 3, and log 2 for each spin out."""
    mask = np.zeros((4, 4), dtype=bool)
    mask[:3, 1:] = True
    masked = logsumexp(-values_of(ising, states(4, 4), 0.4, 0.1, mask=mask))
    free = logsumexp(-values_of(ising, states(3, 3), 0.4, 0.1, boundary="free"))
    np.testing.assert_allclose(masked, free + 7 * np.log(2), rtol=1e-12)


def test_small_integers_do_not_wrap(values_of):
    s = np.ones((1, 32, 32), dtype=np.int8)
    mask = np.ones((32, 32), dtype=bool)
    for options in ({}, {"mask": mask}):
        assert values_of(ising, s, 1.0, 1.0, **options).item() == -(2 * 1024 + 1024)


def test_in_a_model():
    """One lattice observed: logp = −E − log Z with both from enumeration."""
    spins = ebm.reference.enumeration([-1, 1], shape=(3, 3), complete=True)
    free = partial(ising, boundary="free")
    s = spins.points[[300]]
    with pm.Model() as model:
        beta, field = pm.Flat("beta"), pm.Flat("field")
        ebm.EBM("s", beta, field, energy=free, reference=spins, observed=s)
    logp = model.compile_logp()({"beta": 0.3, "field": -0.2})
    pairs = lambda s: sum(s[:, *a] * s[:, *b] for a, b in bonds(3, 3, "free"))
    score = lambda s: 0.3 * pairs(s) - 0.2 * s.sum((1, 2))
    np.testing.assert_allclose(logp, score(s)[0] - logsumexp(score(spins.points)), rtol=1e-12)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"boundary": "open"}, "'open', which is not known"),
        ({"mask": np.ones((3, 4))}, r"mask has shape \(3, 4\) and the lattice \(3, 3\)"),
        ({"mask": np.ones(3)}, r"mask has shape \(3,\)"),
    ],
)
def test_errors(options, message, values_of):
    with pytest.raises(ValueError, match=message):
        values_of(ising, states(3, 3), 0.4, **options)
    with pytest.raises(ValueError, match="a lattice has 2"):
        values_of(ising, np.array([1, -1]), 0.4)
