"""Equal graphs share a function, and no other two do."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.ops import wrap_py

from pymc_ebm.energy.compiled import compiled


def _scaled(factor):
    @wrap_py(itypes=[pt.dvector], otypes=[pt.dvector])
    def scaled(x):
        return factor * x

    return scaled


def _inner(power):
    v = pt.dvector("v")
    return OpFromGraph([v], [v**power])


def _loop(step):
    return lambda x: pytensor.scan(step, sequences=[x], return_updates=False)


def _shared(value):
    held = pytensor.shared(value)
    return lambda x: x * held


def _first(x):
    return x[:1]


def _rest(x):
    return x[1:]


def _made(make, x_type=pt.dvector, mode=None):
    x = x_type("x")
    return compiled([x], make(x), mode)


DIFFERENT = {
    "operation": (pt.exp, pt.log),
    "constant": (lambda x: 2 * x, lambda x: 3 * x),
    "shape of a constant": (
        lambda x: x * np.ones((1, 2)),
        lambda x: x * np.ones((2, 1)),
    ),
    "type of a constant": (lambda x: x + np.int64(1), lambda x: x + np.float64(1)),
    "order of inputs": (lambda x: x - 1.0, lambda x: 1.0 - x),
    "part": (_first, _rest),
    "graph inside": (_inner(2), _inner(3)),
    "function of Python": (_scaled(2.0), _scaled(3.0)),
    "loop": (_loop(lambda a: a + 1), _loop(lambda a: a * 3)),
    "shared variable": (_shared(2.0), _shared(3.0)),
    "one output or a list": (pt.exp, lambda x: [pt.exp(x)]),
}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_graphs_that_differ_have_functions_of_their_own(kind):
    values = np.array([0.5, 2.0])
    for make in (*DIFFERENT[kind], *DIFFERENT[kind]):
        x = pt.dvector("x")
        own = pytensor.function([x], make(x), mode="FAST_COMPILE")
        np.testing.assert_array_equal(_made(make, mode="FAST_COMPILE")(values), own(values))


def test_an_equal_graph_has_the_function_of_the_first():
    def energy(x):
        return ((x - 1.0) ** 2).sum() + x[0]

    assert _made(energy) is _made(energy)


def test_types_of_inputs_and_modes_tell_functions_apart():
    assert _made(pt.exp) is not _made(pt.exp, pt.fvector)
    assert _made(pt.exp) is not _made(pt.exp, mode="FAST_COMPILE")


def test_large_constants_are_not_kept():
    x = pt.dvector("x")
    graph = x[0] + pt.constant(np.zeros(10_000))
    assert compiled([x], graph) is not compiled([x], graph)


def test_inputs_may_be_unused_and_outputs_inputs():
    x, y = pt.dvectors("x", "y")
    np.testing.assert_array_equal(compiled([x, y], x)(np.ones(2), np.zeros(2)), np.ones(2))
    np.testing.assert_array_equal(compiled([y, x], x)(np.ones(2), np.zeros(2)), np.zeros(2))
