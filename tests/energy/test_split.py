"""An energy in its statistics: hoisting, values, fingerprints."""

from functools import partial

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.builders import SymbolicOp
from pytensor.graph.traversal import ancestors
from pytensor.scalar import Composite
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.split import VECTORISED, evaluate


def neighbours(s):
    return pt.roll(s, 1, -1) + pt.roll(s, 1, -2)


LATTICE = {
    "one sum": lambda s, b, h: (
        -(b * s * pt.roll(s, 1, -1) + b * s * pt.roll(s, 1, -2) + h * s).sum((-2, -1))
    ),
    "two sums": lambda s, b, h: -b * (s * neighbours(s)).sum((1, 2)) - h * s.sum((1, 2)),
    "local field": lambda s, b, h: -(s * (b * neighbours(s) + h)).sum(-1).sum(-1),
    "coupling inside roll": lambda s, b, h: (
        -pt.sum(pt.roll(b * s, 1, -1) * s + pt.roll(b * s, 1, -2) * s, axis=(1, 2))
        - 16 * (h * s).mean((1, 2))
    ),
    "divided": lambda s, b, h: -((s * neighbours(s)) / (1 / b) + h * s).sum((-1, -2)),
}


@pytest.mark.parametrize("spelling", LATTICE)
def test_lattice_energy_hoists_two_statistics(spelling, rng):
    energy = LATTICE[spelling]
    spins = rng.choice([-1, 1], size=(30, 4, 4))
    split = Energy(energy).split((4, 4), "int64", [pt.dscalar()] * 2)
    # Whatever is evaluated per θ is a function of the slots, none larger than (M,).
    assert [s.type.shape for s in split.slots] == [(None,), (None,)]
    at = dict(zip(split.params, [pt.constant(0.3), pt.constant(-0.2)], strict=True))
    [value] = evaluate([split.at(pt.constant(spins))], at)
    pairs = spins * (np.roll(spins, 1, -1) + np.roll(spins, 1, -2))
    truth = -0.3 * pairs.sum((1, 2)) + 0.2 * spins.sum((1, 2))
    np.testing.assert_allclose(value, truth, atol=1e-13)


@pytest.mark.parametrize(
    "energy",
    [
        lambda x, a, b: (x - a) ** 2 / (2 * b**2),
        lambda x, a, b: a * (x - b),
        lambda x, a, b: pt.softplus(a * x) + pt.abs(x) ** b,
        lambda x, a, b: -x * pt.log(a) + b * pt.gammaln(x + 1) + 3.0,
        lambda x, a, b: pt.switch(x > 1, np.inf, a * x) / b,
    ],
)
def test_split_equals_the_energy(energy, rng):
    x = np.abs(rng.normal(size=50))
    split = Energy(energy).split((), "float64", [pt.dscalar()] * 2)
    a, b = pt.constant(0.7), pt.constant(1.3)
    at = dict(zip(split.params, [a, b], strict=True))
    [value] = evaluate([split.at(pt.constant(x))], at)
    [truth] = evaluate([energy(pt.constant(x), a, b)])
    np.testing.assert_allclose(value, truth, rtol=1e-13)


def test_statistics_in_blocks_are_those_at_once(rng, monkeypatch):
    """Also of a statistic that all points share, and of a last block that is not full."""
    points = rng.normal(size=(30, 3))
    energy = lambda x, a, b: a * (x**2).sum(-1) + b * x[:, 0] + pt.exp(a * x).sum(-1)
    split = Energy(energy).split((3,), "float64", [pt.dscalar()] * 2)
    at_once = split.statistics_at(points)
    monkeypatch.setattr("pymc_ebm.energy.split._BLOCK", 21)
    for whole, parts in zip(at_once, split.statistics_at(points), strict=True):
        np.testing.assert_array_equal(whole, parts)
    assert len(at_once) >= 2


def test_square_of_a_difference_is_not_expanded(rng):
    """x² − 2xμ + μ² would lose every digit of (x − μ)² at x = 1e9."""
    x = 1e9 + rng.normal(size=(20, 3))
    split = Energy(lambda x, mu: ((x - mu) ** 2).sum(-1)).split((3,), "float64", [1.0])
    [value] = evaluate([split.at(pt.constant(x))], {split.params[0]: pt.constant(np.float64(1e9))})
    np.testing.assert_allclose(value, ((x - 1e9) ** 2).sum(-1), rtol=1e-12)


def test_captured_variables_are_found():
    outer = pt.dscalar("outer")
    split = Energy(lambda x, a: a * x + pt.exp(outer) * x**2).split((), "float64", [1.0])
    assert len(split.captured) == len(split.outer) == 1
    assert outer in ancestors(split.outer)
    assert outer not in ancestors([split.value])


def test_fingerprints_tell_energies_apart():
    prints = {
        Energy(e).split((), "float64", [1.0]).fingerprint
        for e in (lambda x, a: a * x, lambda x, a: a * x**2, lambda x, a: a * x + 1.0)
    }
    again = Energy(lambda y, b: b * y).split((), "float64", [1.0]).fingerprint
    assert len(prints) == 3
    assert again in prints


def test_fingerprints_and_products_do_not_depend_on_addresses():
    """One energy has one fingerprint in any session; other variables stand for sessions."""
    energy = lambda x, a, b, c: a * b * c * x + b * x**2 / c
    kept, prints = [], set()
    for i in range(30):
        kept.append([pt.dscalar() for _ in range(i % 7)])
        kept.append(Energy(energy).split((), "float64", [1.0] * 3))
        prints.add(kept[-1].fingerprint)
    assert len(prints) == 1


def test_powers_are_no_loops_in_python():
    """A composite operation without a compiler is: 20 µs an element, where NumPy takes 20 ns."""
    x, a = pt.dvector(), pt.dscalar()
    energy = a * x**4 + x**3 + pt.abs(x) ** 6
    slope = pytensor.grad(energy.sum(), x)
    function = pytensor.function([x, a], [energy, slope], mode=VECTORISED)
    operations = [node.op for node in function.maker.fgraph.toposort()]
    assert not any(isinstance(getattr(op, "scalar_op", None), Composite) for op in operations)
    value, at = function(np.array([2.0]), 0.5)
    assert value == 8 + 8 + 64 and at == 16 + 12 + 6 * 32


@pytest.mark.parametrize("spelt", [pt.logaddexp, lambda a, b: pt.logsumexp(pt.stack([a, b]), 0)])
def test_symbolic_operations_are_looked_into(spelt):
    """Of rows of parameters they would be loops in Python; the values are NumPy's everywhere."""
    near = lambda x: -(x**2).sum(-1) / 2
    energy = Energy(lambda x, h, centre: -spelt(h + near(x), near(x - centre)))
    points = np.array([[0.0, 0.0], [3.0, 30.0], [400.0, -400.0]])
    at = energy.of_points((2,), "float64", [0.0, 0.0])
    assert not any(
        isinstance(v.owner.op, SymbolicOp) for v in ancestors([at.split.value]) if v.owner
    )
    for h, centre in [(0.3, 2.0), (-np.inf, 1.0), (900.0, -500.0)]:
        far = -((points - centre) ** 2).sum(-1) / 2
        exact = -np.logaddexp(h - (points**2).sum(-1) / 2, far)
        np.testing.assert_allclose(at.at(points)([h, centre]), exact, rtol=1e-13)


@pytest.mark.parametrize(
    "energy",
    [
        lambda m, x, a: m([a * x + a * x**2, a * x], -1).sum(-1),
        lambda m, x, a: m([a * x**2 / 2 + a * x, a * x**2], -1).sum(-1),
        lambda m, x, a: m([a * x + x**2, a * x + 1.0 + a], -1).sum(-1),
    ],
)
def test_terms_of_one_coefficient_in_a_stack(energy):
    """Each part of it may have several."""
    points = np.linspace(-3, 3, 61)
    q = ebm.reference.from_draws(points, np.zeros(61))
    found = ebm.log_partition(partial(energy, pt.stack), 0.5, reference=q).eval()
    truth = logsumexp(-energy(np.stack, points, 0.5)) - np.log(61)
    np.testing.assert_allclose(found, truth, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["int64", "int8", "uint8", "bool"])
def test_products_of_statistics_without_negative_numbers(dtype):
    states = np.array([*np.ndindex(2, 2, 2)] * 4)
    coupling = np.array([[0.4, 0.3, -0.2], [0.3, 0.1, 0.4], [-0.2, 0.4, -0.6]])
    q = ebm.reference.from_draws(states.astype(dtype), np.zeros(32))
    energy = lambda x, J: (x[:, :, None] * x[:, None, :] * J).sum((-1, -2))
    found = ebm.log_partition(energy, coupling, reference=q, signature="(k,k)").eval()
    np.testing.assert_allclose(found, logsumexp(-energy(states, coupling)) - np.log(32), rtol=1e-12)
