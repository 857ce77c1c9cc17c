"""Points with equal statistics as one."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.energies import ising
from pymc_ebm.kernels.distinct_points import distinct_points
from pymc_ebm.kernels.ops import BlockStream, LinearStream


def cubic(s, beta):
    """Neither linear in a number of the state nor a polynomial."""
    return -pt.log(pt.cosh(beta * s.sum((-1, -2))))


def with_field(s, beta, h):
    return ising(s, beta) - h * s.sum((-1, -2))


def aligned(s):
    return (s * (np.roll(s, 1, -1) + np.roll(s, 1, -2))).sum((1, 2))


@pytest.mark.parametrize(
    ("energy", "params", "stream", "distinct"),
    [
        (ising, (0.4,), LinearStream, 15),
        (with_field, (0.4, -0.1), LinearStream, 80),
        (cubic, (0.3,), BlockStream, 17),
    ],
    ids=["15 energies", "80 energies and fields", "blocks"],
)
def test_states_of_a_lattice_are_as_many_as_their_statistics(energy, params, stream, distinct):
    states = ebm.reference.enumeration([-1, 1], shape=(4, 4))
    theta = [pt.dscalar() for _ in params]
    log_z = ebm.log_partition(energy, *theta, reference=states)
    function = pytensor.function(theta, [log_z, *pt.grad(log_z, theta)], mode="NUMBA")
    [node] = [n for n in function.maker.fgraph.toposort() if isinstance(n.op, stream)]
    lengths = {i.type.shape[-1] for i in node.inputs if i.type.ndim == 1} - {1, None}
    assert lengths == {distinct}
    # By NumPy over all 65,536 states.
    s = states.points
    if energy is cubic:
        [beta], total = params, s.sum((1, 2))
        log_w, slopes = np.log(np.cosh(beta * total)), [total * np.tanh(beta * total)]
    else:
        slopes = [aligned(s), s.sum((1, 2))][: len(params)]
        log_w = np.tensordot(params, slopes, 1)
    weights = np.exp(log_w - logsumexp(log_w))
    found = function(*params)
    np.testing.assert_allclose(found[0], logsumexp(log_w), rtol=1e-12)
    np.testing.assert_allclose(found[1:], [weights @ t for t in slopes], rtol=1e-12, atol=1e-12)


def test_points_without_weight_stay_without():
    log_weights = np.array([-np.inf, -800.0, 0.0, -np.inf, -800.0, 0.0])
    merged, [t] = distinct_points(log_weights, [np.array([1.0, 2.0, 3.0, 1.0, 2.0, 3.0])])
    assert t.tolist() == [1, 2, 3]
    # Far below the heaviest: an energy may still raise them above it.
    np.testing.assert_allclose(merged, [-np.inf, -800 + np.log(2), np.log(2)], rtol=1e-15)


def test_points_that_all_differ_are_left_alone(rng):
    log_weights, statistics = rng.normal(size=500), [rng.normal(size=(500, 2)), np.arange(500)]
    merged, found = distinct_points(log_weights, statistics)
    assert merged is log_weights
    assert all(a is b for a, b in zip(found, statistics, strict=True))
