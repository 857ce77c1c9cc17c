"""The streaming kernels against the plain graph, which other tests hold against closed forms."""

import math

import numba
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import get_mode

import pymc_ebm as ebm
from pymc_ebm.kernels import exponential
from pymc_ebm.kernels.ops import BlockStream, LinearStream, Weigh
from pymc_ebm.log_partition import LogPartition

STREAMED = get_mode("NUMBA")
PLAIN = STREAMED.excluding("stream_log_partition")
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
    return ebm.reference.Reference(reference.points, log_weights, reference.groups)


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
    # The value alone is a sweep that makes no gradient.
    alone = pytensor.function(params, log_z, mode=STREAMED)
    assert len(streams(alone)[0].outputs) == 1
    np.testing.assert_allclose(alone(*values), plain(*values)[0], rtol=1e-12)
