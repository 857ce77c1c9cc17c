"""States given one by one, of integers and fractions: membership in arrays and compiled graphs."""

import itertools

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm.space.states import States, state_keys

HALVES = np.array(list(itertools.product([-0.5, 0.5], repeat=3)))


@pytest.mark.parametrize("states", [HALVES, (2 * HALVES).astype(int), np.eye(6, dtype=int)])
def test_a_compiled_graph_finds_all_states_and_no_others(states):
    space = States(states)
    x = pt.tensor("x", dtype=states.dtype, shape=(None, states.shape[1]))
    inside = pytensor.function([x], space.inside(x))
    assert inside(states).all() and space.contains(states).all()
    others = np.concatenate([states + 5, states[:1] * 0, 3 * states[-1:]])
    assert not inside(others).any() and not space.contains(others).any()


def test_round_fractions_have_keys_of_their_own():
    """Whose last bits are all 0, and whose products with numbers of 62 bits overflow."""
    many = np.array(list(itertools.product([-0.5, 0.5, 0.25, 1.5], repeat=6)))
    assert len(np.unique(state_keys(many))) == len(many)
    with pytest.raises(ValueError, match="1 of 4097 states are given twice"):
        ebm.reference.enumeration(np.concatenate([many, many[99:100]]))


def test_an_enumeration_of_fractions_is_of_its_states():
    """Half spins: log p by the sum of eight, no probability elsewhere, and latent ones stay."""
    q = ebm.reference.enumeration([-0.5, 0.5], shape=3, complete=True)
    energy = lambda s, b: -b * (s[..., 1:] * s[..., :-1]).sum(-1)
    of_states = (HALVES[:, 1:] * HALVES[:, :-1]).sum(axis=1)
    events = np.append(HALVES, [[0.5, 0.5, 0.1]], axis=0)
    x = ebm.EBM.dist(1.0, energy=energy, reference=q)
    wanted = np.append(of_states - np.logaddexp.reduce(of_states), -np.inf)
    assert np.allclose(pm.logp(x, events).eval(), wanted)
    with pm.Model() as model:
        b = pm.Normal("b")
        with pytest.raises(ValueError, match=r"1 of 9 .* not among the 8 states .*0\.1\]"):
            ebm.EBM("x", b, energy=energy, reference=q, observed=events)
        s = ebm.EBM("s", 1.0, energy=energy, reference=q)
        step = ebm.distribution.state_metropolis.StateMetropolis([s], rng=1)
    point = model.initial_point()
    for _ in range(20):
        point, _ = step.step(point)
        assert np.isin(point["s"], [-0.5, 0.5]).all()
    assert ebm.reference.enumeration([0.0, 1.0]).points.dtype.kind == "i"


def test_hidden_states_of_whole_floats_and_of_fractions():
    """The likelihood is that of integers, and of spins twice as large."""
    y = np.array([[0.1, -0.3, 0.9], [0.2, 1.2, 0.7]])
    potts, ising = ebm.energies.potts, ebm.energies.ising
    found = []
    for states, energy, scale in (
        ([0, 1], potts, 1), ([0.0, 1.0], potts, 1),
        ([-1, 1], ising, 1), ([-0.5, 0.5], lambda x, b: ising(2 * x, b), 2),
    ):  # fmt: skip
        with pm.Model() as model:
            b = pm.HalfNormal("b", 1)
            ebm.HiddenEBM(
                "y", b, energy=energy, states=states, observed=y, progressbar=False,
                emission=lambda x, by=scale: pm.Normal.dist(by * x, 0.3),
            )  # fmt: skip
        found.append(model.compile_logp()({"b_log__": np.array(-1.0)}))
    assert np.allclose(found[::2], found[1::2])
