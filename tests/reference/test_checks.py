"""What a reference refuses, and in which words."""

import itertools

import numpy as np
import pymc as pm
import pytest

from pymc_ebm import reference as ref

Y = np.linspace(-1, 1, 30)


def make(points=Y, log_weights=None, **kwargs):
    points = np.asarray(points)
    a = np.zeros(len(points)) if log_weights is None else log_weights
    return ref.Reference(points, a, np.arange(len(points)), **kwargs)


def test_reference_refuses():
    with pytest.raises(ValueError, match="24 points"):
        make(Y[:24])
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="index 3"):
            make(log_weights=np.where(np.arange(30) == 3, bad, 0.0))
    with pytest.raises(ValueError, match=r"15 of 30.*index 0"):
        make(support="positive")
    with pytest.raises(ValueError, match="not finite"):
        make(np.append(Y, np.inf))
    with pytest.raises(ValueError, match="shape"):
        make(log_weights=np.zeros(3))


def test_states_that_are_said_to_be_all_are_all():
    listed = ref.enumeration(np.arange(7), complete=True)
    with pytest.raises(ValueError, match=r"lists 7 states.*has 8"):
        listed.restricted_to((0, 7))
    orders = np.array(list(itertools.permutations(range(4))))
    with pytest.raises(ValueError, match=r"lists 18 states.*has 24"):
        ref.enumeration(orders[orders[:, 0] > 0], complete=True, support="permutations")
    assert listed.restricted_to((0, 6)).n_points == 7
    assert listed.restricted_to((0, np.inf)).n_points == 7
    assert ref.enumeration(np.arange(7)).restricted_to((0, 7)).n_points == 7
    spins = ref.enumeration([-1, 1], shape=(2, 2), complete=True, support=(-1, 1))
    assert spins.n_points == 16


@pytest.mark.parametrize("support", ["odd", (1, 0), (0, np.nan), 3])
def test_support_refuses(support):
    with pytest.raises(ValueError, match=r"\. "):
        ref.normalise_support(support)


def test_independent_refuses():
    normal = pm.Normal.dist(0, 1)
    with pytest.raises(ValueError, match="draws=4096"):
        ref.independent(normal, 4100, "sobol")
    with pytest.warns(UserWarning, match="power of two.*draws=1024"):
        ref.independent(normal, 1120, "sobol", random_seed=1)
    with pytest.raises(ValueError, match="draws=102"):
        ref.independent(normal, 101, "antithetic")
    with pytest.raises(ValueError, match="unknown"):
        ref.independent(normal, 100, "halton")
    mixture = pm.NormalMixture.dist([0.5, 0.5], [0.0, 1.0], [1.0, 1.0])
    for dist in (mixture, pm.Dirichlet.dist(np.ones(3))):
        with pytest.raises(NotImplementedError, match="iid"):
            ref.independent(dist, 1024, "sobol")
    with pytest.raises(TypeError, match="discrete"):
        ref.independent(lambda rate: pm.Geometric.dist(rate))
    with pytest.raises(NotImplementedError, match="'shape'"):
        ref.independent(lambda shape: pm.Gamma.dist(shape, 1))
    with pytest.raises(IndexError, match=r"shapes \[\(\)\].*Write the shapes of vectors"):
        ref.independent(lambda a: pm.Normal.dist(a[0], pm.math.exp(a[1])))
    with pytest.raises(TypeError, match="not a PyMC distribution"):
        ref.independent(3.0)


def test_others_refuse():
    with pytest.raises(ValueError, match="total_draws is 29"):
        ref.from_draws(Y, Y, total_draws=29)
    with pytest.raises(ValueError, match="twice"):
        ref.enumeration([1, 1, 2])
    for states in (np.array([[0, 1], [1, 0], [0, 1]]), iter([(0, 1), (1, 0), (0, 1)])):
        with pytest.raises(ValueError, match="1 of 3 states are given twice"):
            ref.enumeration(states)
    with pytest.raises(MemoryError, match=r"GiB.*draws"):
        ref.enumeration([-1, 1], shape=(8, 8))
    with pytest.raises(MemoryError, match="order"):
        ref.quadrature([0] * 3, [1] * 3, 100_000)
    with pytest.raises(ValueError, match="1 to 3"):
        ref.quadrature([0] * 4, [1] * 4)
    with pytest.raises(ValueError, match="below"):
        ref.quadrature(1, 0)


def test_numbers_without_an_end_are_not_all_listed():
    """Of 0, 1, 2, … the last that is listed is an edge, unless somebody says that it is the end."""
    for kwargs, complete in (
        ({"support": "nonnegative"}, False),
        ({"support": "nonnegative", "complete": True}, True),
        ({"support": (0, 3)}, True),
        ({}, True),
    ):
        assert make(np.arange(4), exact=True, **kwargs).complete == complete
    assert ref.enumeration([0.5, 1.5], complete=True, support="positive").whole
