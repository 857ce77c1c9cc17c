"""Every energy keeps the contract, hoists its statistics, and takes Gibbs' fast path if it can."""

import itertools
from functools import partial

import numpy as np
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm.energies import (
    conway_maxwell_poisson,
    conway_maxwell_poisson_mean,
    edges,
    ergm,
    gwesp,
    ising,
    polynomial,
    potts,
    restricted_boltzmann,
    stars,
    triangles,
)
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.parameters import as_parameter
from pymc_ebm.energy.split import evaluate
from pymc_ebm.sampling.compiled_energies import energy_function
from pymc_ebm.sampling.local_energy import local_energy
from pymc_ebm.sampling.sites import sites_of

SPINS, COLOURS, BITS = [-1, 1], [0, 1, 2], [0, 1]
MASK = np.array([[True, True, False], [True, True, True], [False, True, True]])
MATRIX = np.linspace(-0.5, 0.8, 12).reshape(4, 3)
T = (None,)  # one number for each point
# energy, parameters, values of a site, shape of the event, signature, statistics, pairwise
CASES = {
    "Ising": (ising, (0.3,), SPINS, (3, 3), None, [T], True),
    "Ising, field": (ising, (0.3, 0.1), SPINS, (3, 3), None, [T, T], True),
    "Ising, free": (partial(ising, boundary="free"), (0.3, 0.1), SPINS, (2, 4), None, [T, T], True),
    "Ising, masked": (partial(ising, mask=MASK), (0.3, 0.1), SPINS, (3, 3), None, [T, T], True),
    "Ising, field of sites": (
        ising, (0.3, MATRIX[:3]), SPINS, (3, 3), "(),(r,c)", [(None, 10)], True,
    ),
    "Potts": (potts, (0.5,), COLOURS, (2, 3), None, [T], True),
    "Potts, field": (potts, (0.5, 0.2, -0.4), COLOURS, (2, 3), None, [T, T, T], True),
    "Potts, masked": (
        partial(potts, boundary="free", mask=MASK[:2]), (0.5, 0.2), COLOURS, (2, 3), None, [T, T],
        True,
    ),
    "counts": (conway_maxwell_poisson, (0.5, 1.3), np.arange(40), (), None, [T, T], True),
    "counts by their mean": (
        conway_maxwell_poisson_mean, (1.5, 1.3), np.arange(40), (), None, [T, T], True,
    ),
    "polynomial": (polynomial, (0.1, -0.3, 0.2), np.arange(-6, 7), (), None, [T, T, T], True),
    "ERGM": (
        ergm((edges, triangles, partial(gwesp, decay=0.5))), (np.array([-1, 0.3, 0.2]),), BITS,
        (6,), "(k)", [(None, 3)], False,
    ),
    "ERGM of pairs": (
        ergm((edges, stars)), (np.array([-1, 0.3]),), BITS, (6,), "(k)", [(None, 2)], True,
    ),
    "hidden units": (
        restricted_boltzmann, (MATRIX, MATRIX[:, 0], MATRIX[0]), BITS, (4,), "(d,h),(d),(h)", None,
        False,
    ),
}  # fmt: skip
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def space(values, shape):
    return ebm.reference.enumeration(values, shape=shape or None, complete=True)


@every_case
def test_batches(case, values_of):
    """One point, many, and a table of them: ``(*batch, *event) -> (*batch,)``."""
    energy, params, values, shape, *_ = case
    x = space(values, shape).points[:12]
    found = values_of(energy, x, *params)
    assert found.shape == (12,)
    table = values_of(energy, x.reshape(3, 4, *shape), *params)
    np.testing.assert_allclose(table, found.reshape(3, 4), rtol=1e-13)
    np.testing.assert_allclose(values_of(energy, x[5], *params), found[5], rtol=1e-13)


@every_case
def test_statistics_are_found(case, values_of):
    energy, params, values, shape, signature, statistics, _ = case
    points = space(values, shape).points
    variables = [pt.tensor(dtype="float64", shape=(None,) * np.ndim(p)) for p in params]
    split = Energy(energy, signature).split(shape, points.dtype, variables)
    if statistics is not None:
        assert [slot.type.shape for slot in split.slots] == statistics
    givens = dict(zip(split.params, map(as_parameter, params), strict=True))
    found = evaluate([split.at(pt.constant(points))], givens)[0]
    np.testing.assert_allclose(found, values_of(energy, points, *params), atol=1e-12)


@every_case
def test_paths_of_gibbs(case):
    energy, params, values, shape, signature, _, pairwise = case
    states = space(values, shape)
    energy = Energy(energy, signature)
    row = energy.row(params)
    energy_of, sites = energy_function(energy, states, row), sites_of(states)
    local = local_energy(energy, states, sites, row, energy_of, ())
    assert (local is not None) == pairwise
    if pairwise:
        e, found = energy_of(states.points), local(sites.codes(states.points))[:, 0]
        np.testing.assert_allclose(found - found[0], e - e[0], atol=1e-10)


@pytest.mark.parametrize("name", ["ERGM", "ERGM of pairs", "hidden units"])
def test_local_changes_are_differences_of_the_energy(name, values_of):
    energy, params, values, shape, *_ = CASES[name]
    points = space(values, shape).points[::3]
    e = values_of(energy, points, *params)
    for site, value in itertools.product(range(points.shape[1]), values):
        after = points.copy()
        after[:, site] = value
        found = [energy.local_change(x, site, value, *params) for x in points]
        np.testing.assert_allclose(found, values_of(energy, after, *params) - e, atol=1e-12)
