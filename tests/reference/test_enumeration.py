"""Sums over all states."""

import numpy as np
from scipy.special import logsumexp

from pymc_ebm import reference as ref


def test_ising_enumeration():
    spins = ref.enumeration([-1, 1], shape=(4, 4), complete=True)
    assert spins.points.dtype.kind == "i" and spins.n_points == 65536
    s = spins.points
    beta = 0.5 * np.log(1 + np.sqrt(2))
    energy = -beta * (s * np.roll(s, -1, 1) + s * np.roll(s, -1, 2)).sum((1, 2))
    assert abs(logsumexp(-energy) - 15.521915) < 1e-6


def test_enumeration_forms():
    product = ref.enumeration([[0, 1, 2], [5, 7]])
    assert product.points.tolist() == [[0, 5], [0, 7], [1, 5], [1, 7], [2, 5], [2, 7]]
    assert product.edge.all()  # 5 as well: counts begin at 0
    within = ref.enumeration([[0, 1, 2], [5, 7]], support=([0, 5], [np.inf, 9]))
    assert within.edge.tolist() == [False, True, False, True, True, True]
    assert not ref.enumeration(range(3, 6), support=(3, 5)).edge.any()
    assert ref.enumeration(np.array([[0, 1], [1, 0]])).event_shape == (2,)
    assert ref.enumeration(iter([(0, 1), (1, 0), (1, 1)])).n_points == 3
    assert ref.enumeration([-1, 0, 1]).edge.tolist() == [True, False, True]
