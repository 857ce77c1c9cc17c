"""Sums over all states."""

import numpy as np
import pymc as pm
import pytest
from scipy.special import logsumexp

from pymc_ebm import EBM, log_partition_at
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


def test_equal_alternatives_are_numbered():
    """The remedy: log Z of three alternatives is log 3, of which two are equal."""
    offer = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(ValueError, match=r"1 of 3 states are given twice.*np.column_stack"):
        ref.enumeration(offer, complete=True)
    numbered = np.column_stack([offer, np.arange(len(offer))])
    sets = ref.rows([ref.enumeration(numbered, complete=True)] * 2)
    utility = lambda x, b: -(x[..., :-1] @ b)
    at = lambda b: log_partition_at(utility, np.array(b), reference=sets, signature="(k)")[0]
    np.testing.assert_allclose(at([0.0, 0.0]), np.log(3))
    np.testing.assert_allclose(at([0.5, -1.0]), np.log(2 * np.exp(0.5) + np.exp(-1.0)))
    beta = np.array([0.5, -1.0])
    chosen = EBM.dist(beta, energy=utility, signature="(k)", reference=sets)
    log_p = pm.logp(chosen, numbered[[1, 2]]).eval()
    truth = [0.5, -1.0] - np.log(2 * np.exp(0.5) + np.exp(-1.0))
    np.testing.assert_allclose(log_p, truth)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint32"])
def test_squares_of_small_integers_do_not_wrap(dtype):
    """Levels of grey, as ``np.unique(image)`` gives them, by a sum in NumPy."""
    levels = np.array([0, 30, 60, 90, 120], dtype=dtype)
    q = ref.enumeration(levels, shape=2, complete=True)
    energy = lambda x, b: b * (x[..., 0] - x[..., 1]) ** 2 + b * x[..., 0] ** 2
    x = np.array(list(np.ndindex(5, 5))) * 30
    truth = np.log(np.exp(-energy(x, 1e-4)).sum())
    np.testing.assert_allclose(log_partition_at(energy, 1e-4, reference=q).log_partition, truth)


def test_states_that_are_true_or_false():
    """Two bits with a field: log Z = 2 log(1 + e^h)."""
    states = np.array(list(np.ndindex(2, 2)))
    observed = states[1:]
    with pm.Model() as model:
        h = pm.Normal("h")
        EBM(
            "x", h, energy=lambda x, h: -h * x.sum(-1), observed=observed.astype(bool),
            reference=ref.enumeration(states.astype(bool), complete=True),
        )  # fmt: skip
    found = model.compile_logp(vars=[model["x"]])({"h": 0.7})
    truth = 0.7 * observed.sum() - 2 * len(observed) * np.log1p(np.exp(0.7))
    np.testing.assert_allclose(found, truth, rtol=1e-12)
