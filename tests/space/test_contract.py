"""What every space must do: its membership, its base law, its moves, the looks of its data."""

import itertools
from dataclasses import dataclass

import cloudpickle
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import integrate, stats
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.space import circle, pack, permutations, points, simplex, sphere
from pymc_ebm.space.base import Space
from pymc_ebm.space.box import Support
from pymc_ebm.space.guess import space_of
from pymc_ebm.space.own_states import OwnStates
from pymc_ebm.space.sites import Sites
from pymc_ebm.space.states import States
from pymc_ebm.space.whole_numbers import WholeNumbers

ORDERS = np.array(list(itertools.permutations(range(3))))


@dataclass
class Case:
    """A space, how to draw data of it, its bounds or ends, and what lies outside."""

    space: Space
    draw: object
    at_the_end: list
    outside: list
    guessed: bool = True  # whether its data look like it
    energy: object = None  # in two and more real dimensions, one whose Z is 1


def directions(rng):
    x = rng.normal([1, 0, 0], 1, size=(200, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def patterns(rng):
    return pack([rng.uniform(0, [1, 2], size=(n, 2)) for n in rng.poisson(4, 200)], most=20)


CASES = {
    "line": Case(Support(event_shape=()), lambda rng: rng.normal(1, 2, 200), [0.0], [np.nan]),
    "half-line": Case(
        Support(0.0, np.inf, ()), lambda rng: rng.gamma(2, size=200), [0.0], [-1e-9], False
    ),
    "plane box": Case(
        Support(np.array([0.0, -1.0]), np.array([np.inf, 1.0]), (2,)),
        lambda rng: np.column_stack([rng.gamma(2, size=200), rng.uniform(-1, 1, 200)]),
        [[0.0, -1.0], [0.0, 1.0]],
        [[0.0, 1.1], [-0.1, 0.0]],
        False,
        lambda x: x[:, 0] + np.log(2),  # Exp(1) times U(−1, 1)
    ),
    "counts": Case(
        WholeNumbers(0, np.inf, ()), lambda rng: rng.poisson(3, 200), [0], [-1, 0.5, np.nan]
    ),
    "pairs of counts": Case(
        WholeNumbers(0, np.inf, (2,)),
        lambda rng: rng.poisson(3, (200, 2)),
        [[0, 0]],
        [[0, -1], [0.5, 1]],
    ),
    "spins": Case(
        Sites.of([-1, 1], (2, 2)),
        lambda rng: rng.choice([-1, 1], (200, 2, 2)),
        [[[-1, 1], [1, 1]]],
        [[[-1, 0], [1, 1]], [[3, 1], [1, 1]]],
    ),
    "colours": Case(
        Sites.of([0, 1, 2], (3,)),
        lambda rng: rng.integers(0, 3, (200, 3)),
        [[0, 2, 1]],
        [[0, 3, 1], [-1, 0, 0], [0.5, 0, 0]],
        False,
    ),
    "sites of their own": Case(
        Sites.of([[0, 1], [-1, 1, 4]], (2,)),
        lambda rng: np.column_stack([rng.integers(0, 2, 200), rng.choice([-1, 1, 4], 200)]),
        [[0, 4]],
        [[0, 0], [2, 4]],
        False,
    ),
    "given states": Case(
        States(ORDERS), lambda rng: ORDERS[rng.integers(6, size=200)], [[2, 1, 0]], [[0, 0, 2]],
        False,
    ),
    "directions": Case(
        sphere(3), directions, [[0.0, 0.0, 1.0], [0.0, 0.6, 0.8]],
        [[0.0, 0.0, 1.1], [0.0, 0.0, 0.0], [np.nan, 0.0, 1.0]], False,
        lambda x: np.log(4 * np.pi * np.sinh(1)) - x @ [1, 0, 0],  # von Mises and Fisher, κ = 1
    ),
    "angles": Case(
        circle().of_events(()), lambda rng: rng.vonmises(1, 2, 200), [np.pi, -np.pi],
        [3.2, np.nan], False,
    ),
    "two hours": Case(
        circle(0, 24).of_events((2,)), lambda rng: rng.uniform(0, 24, (200, 2)),
        [[0.0, 24.0]], [[-0.1, 3.0]], False,
        lambda x: np.log(24**2 * np.i0(1)) - np.cos(np.pi / 12 * x[:, 0]),
    ),
    "shares": Case(
        simplex(3), lambda rng: rng.dirichlet([2, 3, 4], 200), [[0.0, 0.0, 1.0]],
        [[0.2, 0.2, 0.2], [-0.1, 0.1, 1.0], [np.nan, 0.0, 1.0]], False,
        lambda x: -stats.dirichlet([1, 2, 3]).logpdf(x.T),
    ),
    "rankings": Case(
        permutations(4), lambda rng: rng.permuted(np.tile(np.arange(1, 5), (200, 1)), axis=1),
        [[1, 2, 3, 4]], [[0, 1, 2, 3], [1, 1, 2, 3], [1.5, 2, 3, 4]], False,
    ),
    "point patterns": Case(
        points([(0, 1), (0, 2)], most=20), patterns, pack([[[0, 0], [1, 2]], []], most=20).tolist(),
        [*pack([[[0, 0], [1, 2.1]]], most=20), np.full((20, 3), 0.5), np.full((20, 3), np.nan)],
        False, lambda x: 2 * (2 - 1) - np.log(2) * x[..., -1].sum(axis=1),  # a rate of 2
    ),
}  # fmt: skip


@pytest.fixture(params=list(CASES))
def case(request) -> Case:
    return CASES[request.param]


def test_every_space_is_here():
    """All but the states of rows, whose events have the rows before them (`test_own_states`)."""
    ours = {kind for kind in Space.__subclasses__() if kind.__module__.startswith("pymc_ebm.")}
    assert ours - {OwnStates} <= {type(c.space) for c in CASES.values()}


def test_array_and_graph_agree(case, rng):
    space, data = case.space, case.draw(rng)[:20]
    assert space.contains(data).all() and space.contains(np.array(case.at_the_end)).all()
    assert not space.contains(np.array(case.outside)).any()
    events = np.concatenate(
        [np.array(p, dtype=float) for p in (data, case.at_the_end, case.outside)]
    )
    if events.dtype.kind == "f" and np.isnan(events).any() and not getattr(space, "bounded", True):
        events = events[np.isfinite(events)]  # the line asks nothing
    x = pt.tensor("x", dtype="float64", shape=(None, *space.event_shape))
    found = pytensor.function([x], space.inside(x), mode="FAST_COMPILE", on_unused_input="ignore")
    wanted = space.contains(events)
    np.testing.assert_array_equal(np.broadcast_to(found(events), wanted.shape), wanted)
    batched = np.array(case.at_the_end)[None, None]
    assert space.contains(batched).shape == (1, 1, len(case.at_the_end))


@pytest.mark.usefixtures("interpreted")
@pytest.mark.filterwarnings("ignore:.* draws are distinct, and equal ones are one point")
def test_nothing_outside_has_any_probability(case, rng):
    """log p of an EBM is a number where the space ends, and −inf beyond."""
    space, data = case.space, case.draw(rng)
    number = lambda x: x.astype("int64") if space.discrete else x.astype(float)
    q = ebm.reference.from_draws(number(data), np.zeros(len(data)), support=space)
    axes = tuple(range(-len(space.event_shape), 0))
    energy = lambda x, b: b * (x.sum(axes) if axes else x)
    events = np.array([*case.at_the_end, *case.outside], dtype=float)
    rows = events.reshape(len(events), -1)
    usable = np.isfinite(rows).all(axis=1)
    if space.discrete:
        usable &= (rows == np.round(rows)).all(axis=1)
    events = events[usable]
    x = ebm.EBM.dist(0.1, energy=energy, reference=q, shape=(len(events), *space.event_shape))
    found = pm.logp(x, number(events)).eval()
    np.testing.assert_array_equal(np.isfinite(found), space.contains(events))
    assert not np.isposinf(found).any() and not np.isnan(found).any()


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.space.discrete])
def test_integers_in_a_graph(name):
    """A variable of a discrete space is of integers, and only they meet this graph."""
    case = CASES[name]
    events = np.array([*case.at_the_end, *case.outside])
    events = events[np.isfinite(events).reshape(len(events), -1).all(axis=1)].astype(np.int64)
    x = pt.tensor("x", dtype="int64", shape=(None, *case.space.event_shape))
    found = pytensor.function([x], case.space.inside(x), mode="FAST_COMPILE")(events)
    np.testing.assert_array_equal(found, case.space.contains(events))


def test_base_law(case, rng):
    """Its draws lie inside, wider than the data, and its density sums or integrates to one."""
    space, data = case.space, case.draw(rng)
    law = space.base_law(data, rng)
    x, usable = law.points(rng.random((4000, law.n_uniforms)))
    x = x[usable].reshape(-1, *space.event_shape)
    assert len(x) > 3990 and space.contains(x).all()
    assert (
        x.reshape(len(x), -1).std(axis=0).min()
        > 0.7 * data.reshape(len(data), -1).std(axis=0).min()
    )
    n_dim = int(np.prod(space.event_shape))
    if np.isfinite(space.n_states):
        states = space.all_states()
        assert len(np.unique(states.reshape(len(states), -1), axis=0)) == space.n_states
        assert space.contains(states).all()
        total = logsumexp(law.log_density(states.reshape(len(states), -1)))
        assert abs(total) < 1e-10
    elif space.discrete:
        # Beyond 400 there are tails like t⁻⁵ on the scale of log counts.
        axis = np.arange(400)
        grid = np.stack(np.meshgrid(*[axis] * n_dim, indexing="ij"), axis=-1).reshape(-1, n_dim)
        assert abs(logsumexp(law.log_density(grid))) < 0.02
    elif n_dim == 1:
        density = lambda v: np.exp(law.log_density(np.array([[v]])))[0]
        low, high = (b[0] for b in space.bounds_of(1))
        middle = np.median(data)
        total = sum(
            integrate.quad(density, *ends, limit=400)[0] for ends in ((low, middle), (middle, high))
        )
        assert abs(total - 1) < 1e-6
    else:
        w = np.exp(-case.energy(x) - law.log_density(x))  # an energy whose Z is 1
        assert abs(w.mean() - 1) < 5 * w.std() / np.sqrt(len(w))


def test_moves_keep_a_known_law(case, rng):
    """Metropolis chains under every move keep the base law: the mean of its own draws stays.

    Means of 2000 independent chains after ten steps, within five standard errors of the first.
    """
    space = case.space
    law = space.base_law(case.draw(rng), rng)
    x, usable = law.points(rng.random((2000, law.n_uniforms)))
    x = x[usable].reshape(-1, *space.event_shape)
    log_p = lambda events: law.log_density(events.reshape(len(events), -1))
    bounded = lambda events: np.tanh(events.reshape(len(events), -1) / 3)
    before, start = bounded(x), x
    for move in space.moves * 10:
        proposed, log_ratio = move.propose(rng, x, 1.0)
        inside = space.contains(proposed)
        change = np.full(len(x), -np.inf)
        change[inside] = log_p(proposed[inside]) - log_p(x[inside]) + log_ratio[inside]
        accepted = np.log(rng.random(len(x))) < change
        x = np.where(accepted.reshape(-1, *[1] * (x.ndim - 1)), proposed, x)
    assert space.contains(x).all() and (x != start).any()
    after = bounded(x)
    error = np.sqrt((before.var(axis=0) + after.var(axis=0)) / len(x))
    assert (np.abs(after.mean(axis=0) - before.mean(axis=0)) <= 5 * error).all()


def test_data_look_like_it(case, rng):
    data = case.draw(rng)
    if case.guessed:
        assert space_of(data) == case.space
    else:
        assert space_of(data, case.space) == case.space


def test_pickle_and_equality(case):
    copy = cloudpickle.loads(cloudpickle.dumps(case.space))
    assert copy == case.space and hash(copy) == hash(case.space)
    assert all(other.space == case.space for other in CASES.values() if other is case)
    assert sum(other.space == case.space for other in CASES.values()) == 1 + (
        str(case.space) in ("whole numbers in [0, inf)",)
    )


def test_intersection_with_itself_and_the_line(case):
    assert case.space.intersection(case.space) == case.space
    assert case.space.intersection(Support()) == case.space
    assert Support().intersection(case.space) == case.space


def test_finite_spaces_count_their_states(case):
    wanted = {
        "spins": 16,
        "colours": 27,
        "sites of their own": 6,
        "given states": 6,
        "rankings": 24,
    }
    name = next(name for name, other in CASES.items() if other is case)
    assert case.space.n_states == wanted.get(name, np.inf)
    assert case.space.measure


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.space.coordinates is not None])
def test_coordinates(name, rng):
    """Integrals over them are those over the space; slopes are those of differences."""
    case = CASES[name]
    x = case.draw(rng).reshape(200, -1)
    to = case.space.coordinates
    z = to.forward(x)
    np.testing.assert_allclose(to.inverse(z), x, atol=1e-9)
    _, slope = to.log_volume(z)
    weights = rng.normal(size=x.shape[1])
    pulled = to.pull(z, np.broadcast_to(weights, x.shape))
    for k in range(z.shape[1]):
        step = 1e-5 * np.eye(z.shape[1])[k]
        high, low = z + step, z - step
        found = (to.log_volume(high)[0] - to.log_volume(low)[0]) / 2e-5
        np.testing.assert_allclose(np.broadcast_to(slope, z.shape)[:, k], found, atol=1e-4)
        found = (to.inverse(high) - to.inverse(low)) @ weights / 2e-5
        np.testing.assert_allclose(pulled[:, k], found, atol=1e-4)
    if case.energy is not None:
        t = stats.multivariate_t(z.mean(axis=0), np.atleast_2d(2 * np.cov(z.T)), df=5)
        z = t.rvs(4000, random_state=rng)
        w = np.exp(to.log_volume(z)[0] - case.energy(to.inverse(z)) - t.logpdf(z))
        assert abs(w.mean() - 1) < 5 * w.std() / np.sqrt(len(w))


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.space.rule(2) is not None])
def test_rule(name):
    """Nodes lie inside; weights sum to the measure, of both rules; smooth functions are exact."""
    space = CASES[name].space
    points, log_weights, coarse = space.rule(32)
    assert space.contains(points).all() and np.isneginf(coarse).any()
    for weights in (log_weights, coarse):
        law = space.base_law(points, np.random.default_rng(0))
        rows = points.reshape(len(points), -1)
        assert abs(logsumexp(weights + law.log_density(rows))) < 1e-12
    if CASES[name].energy is not None:
        assert abs(logsumexp(log_weights - CASES[name].energy(rows))) < 1e-12
