"""Pairs of graphs that differ in one thing."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.builders import OpFromGraph
from pytensor.compile.ops import wrap_py


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


def _first(x):
    return x[:1]


def _rest(x):
    return x[1:]


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
}


@pytest.fixture(params=DIFFERENT)
def different(request):
    """Two functions of a vector of floats."""
    return DIFFERENT[request.param]
