"""A function that NumPy runs at first and compiled loops later."""

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.tensor.blockwise import Blockwise

from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.energy.tiered import tiered


def compiled(function) -> bool:
    return function._function.function.maker.mode is not VECTORISED


def test_compiled_once_many_numbers_have_been_given():
    x, a, unused = pt.dvector("x"), pt.dscalar("a"), pt.dscalar("unused")
    function = tiered([x, a, unused], [a * x**3, pt.exp(x)], numbers=25)
    values, told = np.linspace(-1, 1, 10), []
    for _ in range(5):
        cubes, powers = function(values, 2.0, 0.0)
        np.testing.assert_allclose(cubes, 2 * values**3, rtol=1e-14)
        np.testing.assert_allclose(powers, np.exp(values), rtol=1e-14)
        told.append(compiled(function))
    assert told == [False, False, False, True, True]


def test_what_python_does_by_row_is_compiled_at_once():
    x = pt.dtensor3("x")
    function = tiered([x], pt.linalg.det(x))
    assert any(
        isinstance(n.op, Blockwise) for n in function._function.function.maker.fgraph.apply_nodes
    )
    np.testing.assert_allclose(function(np.array([[[3.0, 1.0], [1.0, 2.0]]])), 5.0)
    assert compiled(function)


def test_what_numpy_alone_can_do_stays_with_it(monkeypatch):
    x = pt.dvector("x")
    function = tiered([x], 2 * x, numbers=1)

    def no_way(*args, **kwargs):
        raise NotImplementedError

    monkeypatch.setattr(pytensor, "function", no_way)
    for _ in range(3):
        np.testing.assert_array_equal(function(np.arange(3.0)), [0, 2, 4])
    assert not compiled(function)
