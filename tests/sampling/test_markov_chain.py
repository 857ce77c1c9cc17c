"""Chains by PyMC's step methods: moments against closed forms, and references made of them."""

import gc
import weakref
from functools import partial

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import integrate
from scipy.special import gammaln, logsumexp

import pymc_ebm as ebm
from pymc_ebm.sampling import markov_chain
from pymc_ebm.weights.groups import group_variance

# The tails of a quartic make steps of NUTS diverge at its default target.
STEPS = {
    "NUTS": partial(pm.NUTS, target_accept=0.95),
    "Slice": pm.Slice,
    "Metropolis": pm.Metropolis,
}
every_step = pytest.mark.parametrize("step", STEPS.values(), ids=STEPS)


def gaussian(x, sigma):
    return x**2 / (2 * sigma**2)


def quartic(x, a):
    """a Σ x_i⁴; the sum over the event is Gamma(D/4, rate a)."""
    return (a * x**4).sum(-1)


def log_z_quartic(a, d):
    return d * (np.log(2) + gammaln(1.25) - np.log(a) / 4)


def normals(shape, scale):
    """A reference of 500 normal points."""
    return ebm.reference.independent(pm.Normal.dist(0.0, scale, shape=shape), 500, random_seed=1)


@pytest.fixture(scope="module")
def line():
    return normals((), 2.0)


def within(values, truth, errors=4.5):
    """A mean within 4.5 standard errors by ESS, which chance exceeds once in 150,000."""
    assert abs(values.mean() - truth) < errors * float(az.mcse(values, method="mean"))


def estimate(q, energies):
    """log Ẑ and its standard error for energies ``(T, M)``."""
    log_weights = q.log_weights - energies
    log_z = logsumexp(log_weights, axis=1)
    weights = np.exp(log_weights - log_z[:, None])
    return log_z, np.sqrt(group_variance(q.influence(weights), q.groups, q.unused_draws))


@pytest.mark.slow
@every_step
def test_double_well(step, line, seed):
    """Moments 1 to 4 of exp(−0.3x + 2x² − x⁴), in which the wells differ, against quadrature."""
    density = lambda x: np.exp(-0.3 * x + 2 * x**2 - x**4)
    moment = lambda k: integrate.quad(lambda x: x**k * density(x), -6, 6, epsabs=1e-12)[0]
    tree = markov_chain(
        ebm.energies.polynomial, 0.3, -2.0, 0.0, 1.0, reference=line, step=step, draws=2000,
        tune=500, random_seed=seed, progressbar=False,
    )  # fmt: skip
    x = tree["samples"]["x"].to_numpy()
    assert 100 < tree.attrs["ess"] < x.size
    for k in (1, 2, 3, 4):
        within(x**k, moment(k) / moment(0))


@pytest.mark.slow
@pytest.mark.parametrize("step", [STEPS["NUTS"], pm.Slice], ids=["NUTS", "Slice"])
def test_bounded_supports(step, seed):
    """E = x + x²/2 in each coordinate on its own bounds: mean and square against quadrature.

    A line, two half-lines and an interval, which cut a normal density at −1 ± 1 near its top or on
    its slopes.
    """
    lower, upper = [-np.inf, 0.2, -np.inf, -1.0], [np.inf, np.inf, 0.7, 0.5]
    points = np.random.default_rng(seed).normal(size=(100, 4))
    points = np.clip(points, np.add(lower, 0.1), np.subtract(upper, 0.1))
    space = ebm.reference.Reference(points, np.zeros(100), np.arange(100), (lower, upper))
    energy = lambda x, b: (b * x + x**2 / 2).sum(-1)
    tree = markov_chain(
        energy, 1.0, reference=space, step=step, draws=600, tune=500, random_seed=seed,
        progressbar=False,
    )  # fmt: skip
    x = tree["samples"]["x"].to_numpy()
    assert space.support.contains(x, 1).all()
    density = lambda v: np.exp(-v - v**2 / 2)
    for i, (a, b) in enumerate(zip(lower, upper, strict=True)):
        moments = [integrate.quad(lambda v, k=k: v**k * density(v), a, b)[0] for k in (0, 1, 2)]
        within(x[..., i], moments[1] / moments[0])
        within(x[..., i] ** 2, moments[2] / moments[0])


@every_step
def test_reference_of_one_chain(step, seed):
    """log Z(a) − log Z(2) of the quartic in five dimensions within 4 reported standard errors.

    E ~ Gamma(5/4, 1) has mean 5/4 and variance 5/4; coordinates have no correlation.
    """
    q = ebm.reference.chain(
        quartic,
        2.0,
        sampler=partial(markov_chain, reference=normals((5,), 1.0), step=step),
        random_seed=seed,
        progressbar=False,
    )
    at = np.array([1.4, 2.0, 2.8])
    log_z, error = estimate(q, quartic(q.points, at[:, None, None]))
    truth = log_z_quartic(at, 5) - log_z_quartic(2.0, 5)
    assert not q.absolute and error.max() < 0.1
    assert (abs(log_z - truth) < 4 * error + 1e-12).all()
    x = q.points.reshape(4, -1, 5)
    energy = 2 * (x**4).sum(-1)
    within(energy, 1.25)
    within((energy - 1.25) ** 2, 1.25)
    within(x[..., 0] * x[..., 4], 0.0)


def test_layout(line):
    tree = markov_chain(
        gaussian, 2.0, reference=line, draws=20, chains=3, tune=100,
        random_seed=np.int64(7), progressbar=False,
    )  # fmt: skip
    assert isinstance(tree, xr.DataTree)
    x, stats = tree["samples"]["x"], tree["sample_stats"]
    assert x.dims == ("chain", "draw") and x.shape == (3, 20) and x.dtype == line.points.dtype
    np.testing.assert_allclose(stats["energy"], gaussian(x, 2.0))
    assert stats["diverging"].dims == ("chain", "draw") and not stats["diverging"].any()
    for node in (tree, *tree.children.values()):
        assert node.attrs["sampler"] == "markov_chain" and node.attrs["random_seed"] == 7
        assert node.attrs["ess"] > 0 and "pymc_ebm" in node.attrs["versions"]
        assert node.attrs["reference_fingerprint"] == line.fingerprint


@every_step
def test_seeds(step, line):
    """One seed gives one result, whatever a step has tuned to at other parameters before."""
    draw = lambda seed, theta=1.0, **kw: markov_chain(
        gaussian, theta, reference=line, step=step, draws=30, tune=200, random_seed=seed,
        progressbar=False, **kw,
    )  # fmt: skip
    one = draw(1)
    other = draw(2, theta=0.01)
    assert draw(1).identical(one) and not one["samples"].equals(other["samples"])
    by_generator = draw(np.random.default_rng(1))
    np.testing.assert_array_equal(by_generator["samples"]["x"], one["samples"]["x"])
    assert "random_seed" not in by_generator.attrs
    np.testing.assert_array_equal(draw(1, return_inferencedata=False), one["samples"]["x"])
    chains = one["samples"]["x"].to_numpy()
    assert all((chains[0] != chain).any() for chain in chains[1:])
    # From the same states too, and at every call with one generator.
    rng, start = np.random.default_rng(1), np.zeros(4)
    first, second = (draw(rng, initvals=start)["samples"] for _ in range(2))
    assert not first.equals(second)


def test_repeated_calls_make_one_step_and_leave_nothing():
    energies, steps = [], []

    def energy(x, b):
        energies.append(1)
        return (b * x**2).sum(-1)

    def step():
        steps.append(1)
        return pm.Slice()

    space = normals((2,), 1.0)
    options = dict(reference=space, step=step, draws=5, progressbar=False, random_seed=1)
    markov_chain(energy, 0.1, **options)
    first = len(energies)
    with pm.Model():  # the caller's own, which stays as it is
        markov_chain(energy, 0.2, **options)
        assert not pm.modelcontext(None).basic_RVs
    # Called again, as it may do something else by now.
    assert len(energies) == first + 1 and len(steps) == 1
    markov_chain(energy, 0.2, **{**options, "step": pm.Slice})
    assert len(energies) == first + 2
    # Each goes when its last user does, whoever else stays.
    gone = [weakref.ref(v) for v in (step, energy, space)]
    del step, options["step"]
    gc.collect()
    assert gone[0]() is None
    del energy
    gc.collect()
    assert gone[1]() is None
    del space, options
    gc.collect()
    assert gone[2]() is None


def test_first_states(line):
    """Where they are given, and otherwise by the weights of the reference's points at θ."""
    step = partial(pm.Metropolis, scaling=1e-9, tune=False)
    options = dict(reference=line, step=step, draws=1, tune=0, progressbar=False,
                   random_seed=1, return_inferencedata=False)  # fmt: skip
    start = np.array([0.5, -1.5])
    found = markov_chain(gaussian, 1.0, chains=2, initvals=start, **options)
    np.testing.assert_allclose(found[:, 0], start, atol=1e-6)
    narrow = markov_chain(gaussian, 0.1, chains=200, **options)
    # Of the points by their weights; 200 draws give a root mean square to 5%, and 20% are four.
    w = np.exp(line.log_weights - line.points**2 / (2 * 0.1**2))
    root = np.sqrt(w @ line.points**2 / w.sum())
    np.testing.assert_allclose(np.sqrt(np.mean(narrow**2)), root, rtol=0.2)


def test_predictive_draws(seed):
    """100 draws of an exponential have its mean within 5 standard errors."""
    space = ebm.reference.independent(pm.Exponential.dist(0.2), 500, random_seed=1)
    dist = ebm.EBM.dist(
        3.0,
        energy=lambda x, scale: x / scale,
        reference=space.restricted_to("positive"),
        sampler=partial(markov_chain, step=pm.Slice, tune=20),
        shape=100,
    )
    x = pm.draw(dist, random_seed=seed)
    assert abs(x.mean() - 3) < 5 * 3 / np.sqrt(100) and (x > 0).all()


def test_divergences_are_told(line, seed):
    """A wall that the reference's support does not state."""
    wall = lambda x, b: pt.switch(x > 0, b * x, np.inf)
    with pytest.warns(UserWarning, match=r"of 400 draws at parameters \[1.0\] diverged"):
        tree = markov_chain(
            wall, 1.0, reference=line, draws=200, chains=2, tune=300, random_seed=seed,
            progressbar=False,
        )  # fmt: skip
    assert tree["sample_stats"]["diverging"].any()


def test_an_interrupt_is_not_a_result(line):
    class Interrupted(pm.Metropolis):
        def astep(self, q0):
            self.n = getattr(self, "n", 0) + 1
            if self.n == 30:
                raise KeyboardInterrupt
            return super().astep(q0)

    with pytest.raises(KeyboardInterrupt):
        markov_chain(
            gaussian, 1.0, reference=line, step=Interrupted, chains=1, draws=50, tune=0,
            progressbar=False,
        )  # fmt: skip


def test_what_is_refused(line):
    run = partial(markov_chain, gaussian, reference=line, progressbar=False, chains=2)
    counts = ebm.reference.enumeration(np.arange(30), complete=True)
    with pytest.raises(TypeError, match=r"dtype int64.*Use gibbs"):
        run(1.0, reference=counts)
    with pm.Model():
        pm.Normal("z")
        made = pm.Slice()
    with pytest.raises(TypeError, match=r"step is Slice.*cannot be called"):
        run(1.0, step=made)
    with pytest.raises(ValueError, match=r"Parameter 0 has shape \(2,\).*Give one row"):
        run([1.0, 2.0])
    with pytest.raises(ValueError, match=r"initvals have shape \(3,\)"):
        run(1.0, initvals=[0.0, 1.0, 2.0])
    positive = line.restricted_to("positive")
    for wrong in ([-1.0, 1.0], [0.0, 1.0]):  # outside, and on the bound
        with pytest.raises(ValueError, match=r"1 of 2 initvals are not inside the support \[0"):
            run(1.0, reference=positive, initvals=wrong)
    wall = lambda x, b: pt.switch(x > 0, b * x, np.inf)
    with pytest.raises(ValueError, match="1 of 2 initvals are without a finite energy"):
        markov_chain(wall, 1.0, reference=line, chains=2, initvals=[-1.0, 1.0])
    for energy in (lambda x, b: pt.log(-(x**2) * b), lambda x, b: np.inf * pt.exp(b * x)):
        with pytest.raises(ValueError, match=r"no first states at parameters \[1.0\].*500"):
            markov_chain(energy, 1.0, reference=line, progressbar=False)
    pit = lambda x, b: pt.switch(abs(x) < 0.5, -np.inf, b * x**2)
    with pytest.raises(ValueError, match=r"not finite at .* of 200 draws"):
        markov_chain(
            pit, 1.0, reference=line, step=pm.Slice, chains=2, draws=100, tune=0,
            initvals=[1.0, -1.0], random_seed=1, progressbar=False,
        )  # fmt: skip
