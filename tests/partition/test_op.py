"""Properties of the estimated normaliser, on points and parameters that hypothesis makes up."""

import gc
import itertools

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pytensor.compile.mode import get_mode
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.energy.split import SplitEnergy
from pymc_ebm.kernels.ops import BlockStream, LinearStream
from pymc_ebm.partition.estimator import with_reference

few = settings(derandomize=True, deadline=None, database=None, max_examples=25)
coefficients = st.floats(-2, 2)
positive = st.floats(0.2, 3)
STREAMED = get_mode("NUMBA")
# Interpreted: a few hundred small evaluations take less time than compiling.
PLAIN = get_mode("FAST_COMPILE")


class Estimator:
    """log Ẑ and its gradient as a function of points, log weights and parameters."""

    def __init__(self, energy, params, mode):
        q = ebm.reference.from_draws(np.arange(30.0), np.zeros(30))
        node = ebm.log_partition(energy, *params, reference=q).owner
        self.split = node.op.split
        n_params = len(params)
        given = [pt.tensor(dtype=i.dtype, shape=(None, *i.type.shape[1:])) for i in
                 node.inputs[n_params:]]  # fmt: skip
        log_z = node.op(*node.inputs[:n_params], *given, return_list=True)[0]
        outputs = [log_z, *pt.grad(log_z.sum(), params)]
        self.function = pytensor.function([*params, *given], outputs, mode=mode)

    def __call__(self, points, log_weights, *params):
        return self.function(*params, log_weights, *self.split.statistics_at(points))

    def streams(self, op):
        return any(isinstance(n.op, op) for n in self.function.maker.fgraph.toposort())


def quartic(x, a, b, c):
    return a * x**4 - b * x + c


@pytest.fixture(scope="module", params=[STREAMED, PLAIN], ids=["streamed", "plain"])
def quartic_log_z(request):
    return Estimator(quartic, pt.dscalars("a", "b", "c"), request.param)


points_and_weights = st.integers(1, 40).flatmap(
    lambda m: st.tuples(*[arrays(float, m, elements=st.floats(-3, 3))] * 2)
)


@few
@given(points_and_weights, positive, coefficients, st.floats(-1e3, 1e3), st.data())
def test_a_constant_in_the_energy(quartic_log_z, made, a, b, c, data):
    """log Z moves by −c, with a slope of −1, and the log-likelihood of data does not move."""
    x = data.draw(arrays(float, 7, elements=st.floats(-3, 3)))
    plain, moved = (quartic_log_z(*made, a, b, shift) for shift in (0.0, c))
    np.testing.assert_allclose(moved[0], plain[0] - c, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(moved[1:], [*plain[1:3], -1.0], rtol=1e-7, atol=1e-9)
    likelihood, again = (
        -quartic(x, a, b, shift).sum() - x.size * found[0]
        for shift, found in ((0.0, plain), (c, moved))
    )
    np.testing.assert_allclose(again, likelihood, rtol=1e-9, atol=1e-7)


@few
@given(points_and_weights, positive, coefficients, st.randoms())
def test_order_and_splitting_of_points(quartic_log_z, made, a, b, random):
    """Points in another order, or each twice with half its weight, are the same reference.

    The value itself is that of the sum.
    """
    points, log_weights = made
    whole = quartic_log_z(points, log_weights, a, b, 0.0)
    np.testing.assert_allclose(
        whole[0], logsumexp(log_weights - quartic(points, a, b, 0.0)), rtol=1e-12, atol=1e-12
    )
    order = random.sample(range(points.size), points.size)
    permuted = quartic_log_z(points[order], log_weights[order], a, b, 0.0)
    np.testing.assert_allclose(permuted, whole, rtol=1e-9, atol=1e-12)
    halves = quartic_log_z(np.tile(points, 2), np.tile(log_weights - np.log(2), 2), a, b, 0.0)
    np.testing.assert_allclose(halves, whole, rtol=1e-9, atol=1e-12)


@few
@given(points_and_weights, positive, coefficients, st.floats(0.1, 10))
def test_unit_of_the_data(quartic_log_z, made, a, b, s):
    """In a unit 1/s as large, points are s y and dy is s times as large: log Z grows by log s."""
    points, log_weights = made
    before = quartic_log_z(points, log_weights, a, b, 0.0)
    after = quartic_log_z(s * points, log_weights + np.log(s), a / s**4, b / s, 0.0)
    np.testing.assert_allclose(after[0], before[0] + np.log(s), rtol=1e-9, atol=1e-9)
    # The chain rule.
    np.testing.assert_allclose(after[1] / s**4, before[1], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(after[2] / s, before[2], rtol=1e-7, atol=1e-9)


@pytest.fixture(scope="module")
def pairwise():
    coupling, field = pt.dmatrix("coupling"), pt.dvector("field")
    space = ebm.reference.enumeration(np.array([-1, 0, 2]), shape=(3,), complete=True)
    energy = lambda s, j, h: -((s @ j) * s).sum(-1) - s @ h
    log_z = ebm.log_partition(energy, coupling, field, reference=space, signature="(k,k),(k)")
    return pytensor.function([coupling, field], log_z, mode=PLAIN)


@few
@given(arrays(float, (3, 3), elements=coefficients), arrays(float, 3, elements=coefficients))
def test_enumeration_is_the_sum_over_all_states(pairwise, coupling, field):
    states = np.array(list(itertools.product([-1, 0, 2], repeat=3)))
    terms = np.einsum("si,ij,sj->s", states, coupling, states) + states @ field
    np.testing.assert_allclose(pairwise(coupling, field), logsumexp(terms), rtol=1e-12)


@pytest.fixture(scope="module")
def polynomial():
    c = pt.dvector("c")
    energy = lambda x, c: x**6 + sum(c[k] * x ** (k + 1) for k in range(5))
    log_z = ebm.log_partition(
        energy, c, reference=ebm.reference.quadrature(-4, 4, 60), signature="(k)"
    )
    squared = log_z**2
    gradient = pt.grad(squared, c)
    second = pt.grad(gradient @ np.arange(5.0), c)
    return pytensor.function([c], [squared, gradient, second], mode=PLAIN)


@few
@given(arrays(float, 5, elements=coefficients))
def test_derivatives_against_finite_differences(polynomial, c):
    """Of (log Z)², whose Hessian needs the derivatives of both outputs of the Op.

    Central differences with a step of 1e-5 are off by 1e-9, rounding included.
    """
    _, gradient, second = polynomial(c)
    ends = [(polynomial(c + h), polynomial(c - h)) for h in 1e-5 * np.eye(5)]
    slopes, curvatures = (np.array([(u[i] - v[i]) / 2e-5 for u, v in ends]) for i in (0, 1))
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(second, curvatures @ np.arange(5.0), rtol=1e-6, atol=1e-6)


ROUTES = {
    "linear, rows": (lambda x, a, b: a * x**4 - b * x, LinearStream),
    "blocks, rows": (lambda x, a, b: a * (x - b) ** 2, BlockStream),
}  # fmt: skip


@pytest.fixture(scope="module", params=ROUTES)
def both_routes(request):
    energy, op = ROUTES[request.param]
    params = pt.dvectors("a", "b")
    streamed, plain = (Estimator(energy, params, mode) for mode in (STREAMED, PLAIN))
    assert streamed.streams(op) and not plain.streams(op)
    return streamed, plain


@few
@given(st.integers(1, 1500), st.integers(1, 70), st.booleans(), st.integers(0, 2**31))
def test_kernels_agree_with_the_plain_graph(both_routes, n_points, n_rows, empty, seed):
    """Numbers of points and rows on either side of blocks and tiles; some points without weight."""
    streamed, plain = both_routes
    rng = np.random.default_rng(seed)
    points, log_weights = rng.normal(size=n_points), rng.normal(0, 20, n_points)
    if empty:
        log_weights[rng.random(n_points) < 0.5] = -np.inf
    a = rng.uniform(0.1, 2, n_rows)
    b = rng.normal(size=n_rows)
    for found, expected in zip(
        streamed(points, log_weights, a, b), plain(points, log_weights, a, b), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-11)


def test_gradient_by_what_the_energy_captures():
    """log Z = ½ log(π s/d) for E = d x²/s, also where d is no parameter of the energy."""
    d, s = pytensor.shared(0.7, name="d"), pt.dscalar("s")
    grid = ebm.reference.quadrature(-20, 20, 300)
    log_z = ebm.log_partition(lambda x, s: d * x**2 / s, s, reference=grid)
    found = pytensor.function([s], [log_z, *pt.grad(log_z, [d, s])], mode=PLAIN)(2.0)
    expected = [0.5 * np.log(np.pi * 2 / 0.7), -0.5 / 0.7, 0.5 / 2.0]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("moves", [False, True])
def test_weights_whose_points_are_held(moves):
    """The same values; their gradient is that of eq. 18, −Σ w̄ ∂E/∂s, with the points at rest."""
    m, s = pt.dscalars("m", "s")
    law = lambda m, s: pm.Normal.dist(m, 2 * s)
    q = ebm.reference.independent(law if moves else law(0.2, 1.0), draws=50, random_seed=1)
    node = ebm.log_partition(lambda x, m, s: (x - m) ** 2 / (2 * s**2), m, s, reference=q).owner
    held = node.op.held_log_weights(*node.inputs)
    outputs = [node.op.log_weights(*node.inputs), held, pt.grad(pt.logsumexp(held), s)]
    log_weights, values, gradient = pytensor.function([m, s], outputs, mode=PLAIN)(0.4, 1.3)
    np.testing.assert_allclose(values, log_weights, rtol=1e-12)
    at = [pt.constant(0.4), pt.constant(1.3)]
    points = q.points
    if moves:
        points = q.transport(pt.constant(q.points), *at)[0].eval(mode=PLAIN)
    weights = np.exp(log_weights - logsumexp(log_weights))
    np.testing.assert_allclose(gradient, weights @ (points - 0.4) ** 2 / 1.3**3, rtol=1e-9)


def test_another_reference_gives_its_own_estimate():
    """That of a node made with it; an energy of 50 points takes no others."""
    normal = lambda draws: ebm.reference.independent(pm.Normal.dist(0, 2), draws=draws)
    one = pytensor.shared(1.0)
    for energy in (
        lambda x, s: x**2 / s,
        lambda x, s: one * x**2 / s,
        lambda x, s: x**2 / s + pt.as_tensor(np.zeros(50)),
    ):
        node = ebm.log_partition(energy, 1.5, reference=normal(50)).owner
        other = normal(50)
        found = with_reference(node, other).eval()
        expected = logsumexp(other.log_weights - other.points**2 / 1.5)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    with pytest.raises(ValueError, match="50 points only, and the new reference has 60"):
        with_reference(node, normal(60))


def test_batches_of_matrices():
    """log Z = ½ log(π/s Σ c) for E = s x² / Σ c, with c of 2 × 3; a matrix alone is one row."""
    c, s = pt.tensor3("c"), pt.dvector("s")
    grid = ebm.reference.quadrature(-30, 30, 400)
    energy = lambda x, c, s: s * x**2 / c.sum()
    estimate = lambda c, s: ebm.log_partition(energy, c, s, reference=grid, signature="(k,l),()")
    log_z = estimate(c, s)
    values = np.arange(1.0, 25.0).reshape(4, 2, 3) / 20, np.array([1.5, 0.8, 1.2, 2.0])
    sums = values[0].sum((1, 2))
    found = pytensor.function([c, s], [log_z, pt.grad(log_z.sum(), c)], mode=PLAIN)(*values)
    np.testing.assert_allclose(found[0], np.log(np.pi * sums / values[1]) / 2, rtol=1e-9)
    slopes = np.broadcast_to((0.5 / sums)[:, None, None], (4, 2, 3))
    np.testing.assert_allclose(found[1], slopes, rtol=1e-9)
    assert log_z.owner.op.batch_ndim == 1 and estimate(c[0], s[0]).owner.op.batch_ndim == 0


def test_outputs_are_the_value_and_the_derivatives_that_there_can_be():
    """By real parameters and what the energy captures; whole numbers and points have none."""
    s, n, d = pt.dscalar("s"), pt.lscalar("n"), pt.dscalar("d")
    grid = ebm.reference.quadrature(-20, 20, 300)
    node = ebm.log_partition(lambda x, s, n: (x - d) ** 2 / s + n, s, n, reference=grid).owner
    values = pytensor.function([s, n, d], node.outputs, mode=PLAIN)(2.0, 3, 0.5)
    np.testing.assert_allclose(values, [np.log(2 * np.pi) / 2 - 3, 0.25, 0], atol=1e-9)


def test_graphs_share_the_statistics_of_a_reference(monkeypatch):
    """Evaluated once as long as a graph has both of them, and again afterwards."""
    evaluated = []
    statistics_at = SplitEnergy.statistics_at
    spy = lambda split, points: evaluated.append(split) or statistics_at(split, points)
    monkeypatch.setattr(SplitEnergy, "statistics_at", spy)
    grid = ebm.reference.quadrature(-20, 20, 300)
    a, b = pt.dscalars("a", "b")
    make = lambda: ebm.log_partition(lambda x, a, b: a * x**4 + b * x**2, a, b, reference=grid)
    statistics = lambda log_z: [i.data for i in log_z.owner.inputs[-2:]]
    first = make()
    second = make()
    assert len(evaluated) == 1
    assert all(x is y for x, y in zip(statistics(first), statistics(second), strict=True))
    kept = statistics(first)[0]  # one of the two
    del first, second
    gc.collect()
    found = statistics(make())
    assert len(evaluated) == 2 and kept is not found[0]
    expected = [grid.points**2, grid.points**4]
    np.testing.assert_allclose(np.sort(found, axis=0), np.sort(expected, axis=0))


def test_statistics_that_are_matrices():
    """Σ j_kl |x_k − x_l|, whose statistic is a matrix for each point."""
    q = ebm.reference.independent(pm.Normal.dist(0, 1, shape=3), draws=40, random_seed=1)
    energy = lambda x, j: (j * abs(x[:, :, None] - x[:, None, :])).sum((-1, -2))
    j = np.array([[0, 1, 0.3], [0.2, 0, -0.5], [2, 0.1, 0]])
    node = ebm.log_partition(energy, j, reference=q, signature="(k,l)").owner
    statistic = node.inputs[-1].data
    distances = abs(q.points[:, :, None] - q.points[:, None, :])
    np.testing.assert_array_equal(statistic, distances)
    assert np.moveaxis(statistic, 0, -1).flags.c_contiguous  # as the kernels read it
    expected = logsumexp(q.log_weights - (j * distances).sum((1, 2)))
    np.testing.assert_allclose(node.outputs[0].eval(), expected, rtol=1e-12)


def test_batches_that_broadcast():
    """log Z = ½ log(2π/a) + b²/2a for E = a x²/2 − b x, with three a by four b."""
    a, b = pt.dcol("a"), pt.dvector("b")
    grid = ebm.reference.quadrature(-30, 30, 400)
    log_z = ebm.log_partition(lambda x, a, b: a * x**2 / 2 - b * x, a, b, reference=grid)
    function = pytensor.function([a, b], [log_z, *pt.grad(log_z.sum(), [a, b])], mode=PLAIN)
    precision, slope = np.array([[0.5], [1.0], [2.0]]), np.array([-1.0, 0.0, 0.5, 2.0])
    found = function(precision, slope)
    expected = [
        np.log(2 * np.pi / precision) / 2 + slope**2 / (2 * precision),
        (-1 / (2 * precision) - slope**2 / (2 * precision**2)).sum(1, keepdims=True),
        (slope / precision).sum(0),
    ]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-10)


def test_rows_of_vectors():
    """log Z = ½ log(π s/c₀) + c₁²/(4 c₀ s) for E = (c₀ x² + c₁ x)/s, with two of c and one s."""
    c, s = pt.dmatrix("c"), pt.dscalar("s")
    grid = ebm.reference.quadrature(-30, 30, 400)
    energy = lambda x, c, s: (c[0] * x**2 + c[1] * x) / s
    log_z = ebm.log_partition(energy, c, s, reference=grid, signature="(k),()")
    values = np.array([[0.5, 1.0], [2.0, -0.3]])
    expected = np.log(np.pi * 1.5 / values[:, 0]) / 2 + values[:, 1] ** 2 / (6 * values[:, 0])
    found = pytensor.function([c, s], log_z, mode=PLAIN)(values, 1.5)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
