"""Equal graphs share a function, and no other two do."""

from concurrent.futures import ThreadPoolExecutor

import cloudpickle
import numpy as np
import pytensor
import pytensor.tensor as pt

from pymc_ebm.energy.compiled import compiled


def _made(make, x_type=pt.dvector, mode=None):
    x = x_type("x")
    return compiled([x], make(x), mode)


def test_graphs_that_differ_have_functions_of_their_own(different):
    values = np.array([0.5, 2.0])
    for make in (*different, *different):
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
    assert _made(pt.exp) is not _made(lambda x: [pt.exp(x)])


def test_large_constants_are_not_kept():
    x = pt.dvector("x")
    graph = x[0] + pt.constant(np.zeros(10_000))
    assert compiled([x], graph) is not compiled([x], graph)


def test_inputs_may_be_unused_and_outputs_inputs():
    x, y = pt.dvectors("x", "y")
    np.testing.assert_array_equal(compiled([x, y], x)(np.ones(2), np.zeros(2)), np.ones(2))
    np.testing.assert_array_equal(compiled([y, x], x)(np.ones(2), np.zeros(2)), np.zeros(2))


def test_shared_variables_of_one_value_are_two():
    x, values = pt.dscalar("x"), [pytensor.shared(2.0), pytensor.shared(2.0)]
    one, other = (compiled([x], x * value) for value in values)
    values[1].set_value(3.0)
    assert (one(1.0), other(1.0)) == (2.0, 3.0)


def test_an_array_that_changes_in_place_is_another():
    """Of the same sum: a path of four sites rewired."""
    neighbours = np.array([1.0, 2.0, 3.0])
    x = pt.dvector("x")
    first = compiled([x], (x * pt.constant(neighbours)).sum())
    neighbours[:] = [3.0, 2.0, 1.0]
    second = compiled([x], (x * pt.constant(neighbours)).sum())
    values = np.array([1.0, 0.0, 0.0])
    assert second(values) == 3.0 and first is not second


def test_a_copy_by_pickle_has_a_lock_of_its_own():
    x = pt.dvector("x")
    function = compiled([x], x.sum(), "FAST_COMPILE")
    assert cloudpickle.loads(cloudpickle.dumps(function))(np.ones(3)) == 3.0


def test_threads_take_turns():
    """Without, one finds the storage that another has emptied."""
    x = pt.dvector("x")
    function = compiled([x], pt.exp(pt.log(x) * 2.0).sum(), "FAST_COMPILE")
    values = [np.full(50_000, i + 1.0) for i in range(40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(function, values))
    np.testing.assert_allclose(found, [50_000 * v[0] ** 2 for v in values])
