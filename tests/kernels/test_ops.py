"""The streaming kernels against the plain graph, which other tests hold against closed forms."""

import math

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import get_mode
from pytensor.graph.basic import Constant

import pymc_ebm as ebm
from pymc_ebm.kernels.ops import BlockStream, LinearStream, Weigh

STREAMED = get_mode("NUMBA")

# Interpreted: compiling takes longer than a few evaluations.
PLAIN = get_mode("FAST_COMPILE")

# Blocks have 512 to 2048 points: three blocks or more, the last of them short.
M = 5003


def gaussian(x, mu, s):
    return (x - mu) ** 2 / (2 * s**2)


def scalars(draws=M):
    return ebm.reference.independent(pm.Normal.dist(2, 4), draws=draws, random_seed=1)


def vectors(size, draws=M):
    return ebm.reference.independent(pm.Normal.dist(np.zeros(size), 2), draws=draws, random_seed=2)


def grids():
    return ebm.reference.independent(pm.Normal.dist(np.zeros((3, 4)), 2), draws=M, random_seed=3)


def single_precision():
    reference = scalars()
    return ebm.reference.from_draws(
        reference.points.astype("float32"), -reference.log_weights - math.log(M)
    )


def counts():
    points = np.random.default_rng(4).poisson(3, size=M)
    return ebm.reference.from_draws(points, np.asarray(pm.logp(pm.Poisson.dist(3), points).eval()))


def some_without_weight():
    reference = scalars()
    log_weights = np.where(reference.points > 1, -np.inf, reference.log_weights)
    # Whole blocks too.
    log_weights[600:3000] = -np.inf
    return ebm.reference.base.Reference(reference.points, log_weights, reference.groups)


REFERENCE = scalars()

A5, ROWS = np.linspace(-0.5, 0.5, 5), np.linspace(0.5, 3, 40)

CASES = {
    # energy, reference, parameters, signature, route
    "one statistic": (lambda x, s: x**2 / (2 * s**2), scalars, [1.7], None, "linear"),
    "two statistics": (lambda x, a, b: a * x**4 - b * x, scalars, [0.1, 0.3], None, "linear"),
    "constant": (lambda x, a, b: a * x**2 + b, scalars, [0.4, 0.3], None, "linear"),
    "no parameter in common": (lambda x, a: x**2 + a * pt.abs(x), scalars, [0.4], None, "linear"),
    "few columns": (
        lambda x, a, b: (b * x**4 - a * x).sum(-1),
        lambda: vectors(5),
        [A5, 0.1],
        "(k),()",
        "linear",
    ),
    "many columns": (
        lambda x, a, b: b * (x**2).sum(-1) + x @ a,
        lambda: vectors(20),
        [np.linspace(-0.5, 0.5, 20), 0.4],
        "(k),()",
        "linear",
    ),
    "rows": (lambda x, s: x**2 / (2 * s**2), scalars, [ROWS], None, "linear"),
    "rows of few columns": (
        lambda x, a, b: (b * x**4 - a * x).sum(-1),
        lambda: vectors(5),
        [A5 * ROWS[:, None], 0.1],
        "(k),()",
        "linear",
    ),
    "rows of many columns": (
        lambda x, a: (x**2).sum(-1) + x @ a,
        lambda: vectors(20),
        [np.linspace(-0.5, 0.5, 20) * ROWS[:, None]],
        "(k)",
        "linear",
    ),
    "two axes of rows": (
        lambda x, s: x**2 / (2 * s**2),
        scalars,
        [ROWS.reshape(8, 5)],
        None,
        "linear",
    ),
    "arrays": (
        lambda x, a: (a * x**2).sum((-1, -2)),
        grids,
        [np.linspace(0.1, 0.3, 12).reshape(3, 4)],
        "(k,l)",
        "linear",
    ),
    "shifted": (gaussian, scalars, [0.3, 1.7], None, "blocks"),
    "rows shifted": (gaussian, scalars, [ROWS, 1.7], None, "blocks"),
    "vectors shifted": (
        lambda x, a, b: (b * (x - a) ** 4).sum(-1),
        lambda: vectors(5),
        [A5, 0.1],
        "(k),()",
        "blocks",
    ),
    "rows of vectors shifted": (
        lambda x, a, b: (b * (x - a) ** 4).sum(-1),
        lambda: vectors(5),
        [A5 * ROWS[:, None], 0.1],
        "(k),()",
        "blocks",
    ),
    "arrays shifted": (
        lambda x, a: ((x - a) ** 2).sum((-1, -2)),
        grids,
        [np.linspace(0.1, 0.3, 12).reshape(3, 4)],
        "(k,l)",
        "blocks",
    ),
    "neural": (
        lambda x, w, v: (x**2).sum(-1) / 4 - pt.tanh(x @ w) @ v,
        lambda: vectors(5),
        [np.linspace(-1, 1, 15).reshape(5, 3), np.array([0.5, -1.0, 2.0])],
        "(k,l),(l)",
        "blocks",
    ),
    "heavy tails": (
        lambda x, nu, s: (nu + 1) / 2 * pt.log1p((x / s) ** 2 / nu),
        scalars,
        [3.5, 1.7],
        None,
        "blocks",
    ),
    "logarithms": (
        lambda x, a: pt.log(a + pt.abs(x)),
        scalars,
        [0.3],
        None,
        "blocks",
    ),
    "parts of an event": (
        lambda x, a, b: (x[:, 0] - a) ** 2 + b * (x[:, 1:] - x[:, :-1] * a).sum(-1) ** 2,
        lambda: vectors(5),
        [0.3, 0.2],
        None,
        "blocks",
    ),
    "+inf energies": (
        lambda x, a, s: pt.switch(x < a, np.inf, x / s),
        scalars,
        [0.3, 1.7],
        None,
        "blocks",
    ),
    "weights of zero": (gaussian, some_without_weight, [0.3, 1.7], None, "blocks"),
    "weights of zero, linear": (
        lambda x, s: x**2 / (2 * s**2),
        some_without_weight,
        [1.7],
        None,
        "linear",
    ),
    "float32 points": (gaussian, single_precision, [0.3, 1.7], None, "blocks"),
    "float32 points, linear": (
        lambda x, s: x**2 / (2 * s**2),
        single_precision,
        [1.7],
        None,
        "linear",
    ),
    "integers": (lambda x, a: a * x + pt.gammaln(x + 1), counts, [0.5], None, "linear"),
    "integers shifted": (lambda x, a: pt.gammaln(x + 1 + a), counts, [0.5], None, "blocks"),
    "huge energies": (lambda x, a: a * x**2 + 1e8 * (x - a) ** 2, scalars, [0.3], None, "blocks"),
}


def graphs(case):
    energy, reference, values, signature, _ = CASES[case]
    values = [np.asarray(v, dtype="float64") for v in values]
    params = [pt.tensor(f"p{i}", dtype="float64", shape=v.shape) for i, v in enumerate(values)]
    log_z = ebm.log_partition(energy, *params, reference=reference(), signature=signature)
    return params, log_z, values


def streams(function):
    kinds = (LinearStream, BlockStream)
    return [n for n in function.maker.fgraph.toposort() if isinstance(n.op, kinds)]


@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient_are_those_of_the_plain_graph(case):
    params, log_z, values = graphs(case)
    assert ebm.kernels.route(log_z).name == CASES[case][-1]
    # Rows are weighted, so that a mixing of rows would show.
    weights = 1.0 + np.arange(log_z.size.eval(dict(zip(params, values, strict=True))))
    total = (log_z * weights.reshape(values[0].shape[: log_z.ndim])).sum()
    outputs = [log_z, *pt.grad(total, params)]
    streamed, plain = (pytensor.function(params, outputs, mode=m) for m in (STREAMED, PLAIN))
    [node] = streams(streamed)
    assert isinstance(node.op, LinearStream) == (CASES[case][-1] == "linear")
    assert not streams(plain)
    for found, truth in zip(streamed(*values), plain(*values), strict=True):
        # Sums of thousands of terms: the size of the terms is that of the largest entry.
        np.testing.assert_allclose(found, truth, rtol=1e-12, atol=1e-12 * np.abs(truth).max())


@pytest.mark.parametrize("case", ["few columns", "vectors shifted"])
def test_statistics_are_read_where_they_are(case):
    """Statistics of several numbers are held once, each number of all points in one piece."""
    params, log_z, _ = graphs(case)
    constants = lambda node: [v.data for v in node.inputs if isinstance(v, Constant)]
    [held] = [a for a in constants(log_z.owner) if a.ndim == 2]
    assert held.T.flags.c_contiguous
    [node] = streams(pytensor.function(params, [log_z, *pt.grad(log_z, params)], mode=STREAMED))
    assert any(np.shares_memory(held, a) for a in constants(node))


@pytest.mark.parametrize("case", ["one statistic", "shifted"])
def test_the_value_alone_makes_no_gradient(case):
    params, log_z, values = graphs(case)
    streamed, plain = (pytensor.function(params, log_z, mode=m) for m in (STREAMED, PLAIN))
    [node] = streams(streamed)
    assert len(node.outputs) == 1
    np.testing.assert_allclose(streamed(*values), plain(*values), rtol=1e-12)


@pytest.mark.parametrize("case", ["one statistic", "shifted"])
def test_all_weights_zero(case):
    """log Ẑ = −inf with a gradient of zeros, when every energy is infinite."""
    energy, _, values, signature, _ = CASES[case]
    params = [pt.dscalar() for _ in values]
    nothing = ebm.reference.base.Reference(np.linspace(-1, 1, M), np.full(M, -np.inf), np.arange(M))
    log_z = ebm.log_partition(energy, *params, reference=nothing, signature=signature)
    outputs = [log_z, *pt.grad(log_z, params)]
    value, *gradient = pytensor.function(params, outputs, mode=STREAMED)(*values)
    assert np.isneginf(value)
    assert all(g == 0 for g in gradient)


@pytest.mark.parametrize("case", ["one statistic", "shifted"])
def test_nan_parameters_give_nan(case):
    params, log_z, values = graphs(case)
    outputs = [log_z, *pt.grad(log_z, params)]
    bad = [np.asarray(np.nan) for _ in values]
    assert np.isnan(pytensor.function(params, outputs, mode=STREAMED)(*bad)).all()


@pytest.mark.parametrize("shift", [1e300, -1e300])
@pytest.mark.parametrize(
    "energy", [lambda x, a: a * x**2, lambda x, a: (x - a) ** 2], ids=["linear", "blocks"]
)
def test_shifts_that_overflow_nothing(energy, shift):
    a = pt.dscalar("a")
    shifted = lambda x, a: energy(x, a) + np.float64(shift)
    log_z = ebm.log_partition(shifted, a, reference=scalars())
    value, gradient = pytensor.function([a], [log_z, pt.grad(log_z, a)], mode=STREAMED)(0.5)
    assert value == -shift
    assert np.isfinite(gradient)


def test_model_logp_and_its_gradient_share_one_sweep():
    """Two variables with one normaliser, logp and dlogp as the samplers get them: one sweep."""
    data = np.random.default_rng(5).normal(0, 2, size=20)
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        for name in ("x", "y"):
            ebm.EBM(name, 0.3, s, energy=gaussian, reference=REFERENCE, observed=data)
    streamed, plain = (
        model.logp_dlogp_function(ravel_inputs=True, mode=mode)._pytensor_function
        for mode in (STREAMED, PLAIN)
    )
    assert len(streams(streamed)) == 1
    for found, truth in zip(streamed(np.array([0.4])), plain(np.array([0.4])), strict=True):
        np.testing.assert_allclose(found, truth, rtol=1e-11)


def test_mixture_components_are_swept():
    with pm.Model() as model:
        weights = pm.Dirichlet("weights", np.ones(2))
        mu = pm.Normal("mu", 0, 3, shape=2)
        component = ebm.EBM.dist(mu, 1.2, energy=gaussian, reference=REFERENCE)
        pm.Mixture("x", weights, component, observed=np.array([-1.0, 0.5, 2.0]))
    values = [model.initial_point()[v.name] + 0.1 for v in model.value_vars]
    outputs = [model.logp(), model.dlogp()]
    streamed, plain = (
        pytensor.function(model.value_vars, outputs, mode=m) for m in (STREAMED, PLAIN)
    )
    assert streams(streamed)
    for found, truth in zip(streamed(*values), plain(*values), strict=True):
        np.testing.assert_allclose(found, truth, rtol=1e-11)


def test_an_energy_that_captures_data():
    """Its gradient in the captured value too, of one row and of several."""
    d, s = pt.dscalar("d"), pt.dscalar("s")
    rows = pt.dvector("rows")
    for params, values in (([s], [1.7]), ([rows], [np.array([1.7, 0.9])])):
        log_z = ebm.log_partition(lambda x, s: (x - d) ** 2 / s, *params, reference=REFERENCE)
        outputs = [log_z, *pt.grad(log_z.sum(), params)]
        streamed, plain = (
            pytensor.function([*params, d], outputs, mode=m) for m in (STREAMED, PLAIN)
        )
        assert streams(streamed)
        for found, truth in zip(streamed(*values, 0.4), plain(*values, 0.4), strict=True):
            np.testing.assert_allclose(found, truth, rtol=1e-12)


@pytest.mark.parametrize("mode", ["CVM", "JAX"])
def test_other_back_ends_see_the_plain_graph(mode):
    s = pt.dscalar("s")
    log_z = ebm.log_partition(lambda x, s: x**2 / s, s, reference=REFERENCE)
    assert not streams(pytensor.function([s], log_z, mode=mode))


@pytest.mark.parametrize("op", ["linear", "blocks"])
def test_the_graph_inside_is_what_the_kernel_computes(op):
    """Any other back end would run it."""
    params, log_z, _ = graphs({"linear": "few columns", "blocks": "vectors shifted"}[op])
    outputs = [log_z, *pt.grad(log_z, params)]
    function = pytensor.function(params, outputs, mode=STREAMED)
    [node] = streams(function)
    inputs = [v.type() for v in node.inputs]
    inside = pytensor.function(inputs, node.op(*inputs), mode="CVM", on_unused_input="ignore")
    kernel = pytensor.function(inputs, node.op(*inputs), mode=STREAMED, on_unused_input="ignore")
    rng = np.random.default_rng(6)
    given = [rng.normal(size=[n or 30 for n in v.type.shape]) for v in inputs]
    for found, truth in zip(kernel(*given), inside(*given), strict=True):
        np.testing.assert_allclose(found, truth, rtol=1e-10, atol=1e-12)


def test_weigh_in_python_is_weigh_in_numba():
    log_weights = np.array([-np.inf, 0.0, 3.0, 2.5])
    x = pt.dvector("x")
    for values in (log_weights, np.full(4, -np.inf)):
        results = [pytensor.function([x], Weigh()(x), mode=m)(values) for m in (STREAMED, "CVM")]
        for found, truth in zip(*results, strict=True):
            np.testing.assert_allclose(found, truth, rtol=1e-15)
