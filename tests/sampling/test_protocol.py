"""Every public sampler through one protocol, on a discrete problem that all but one can do.

`markov_chain` moves continuous events, and its own tests ask the same of it.
"""

import gc
import inspect
import weakref

import arviz as az
import numpy as np
import pytensor.tensor as pt
import pytest
import xarray as xr

import pymc_ebm as ebm
from pymc_ebm.sampling import compiled_energies

DISCRETE = [name for name in ebm.sampling.__all__ if name != "markov_chain"]
SAMPLERS = [getattr(ebm.sampling, name) for name in DISCRETE]
every_sampler = pytest.mark.parametrize("sampler", SAMPLERS, ids=DISCRETE)


def ising(s, b):
    """Pairs of a periodic 3 × 3 lattice."""
    return -(b * s * (pt.roll(s, 1, -1) + pt.roll(s, 1, -2))).sum((-2, -1))


@pytest.fixture(scope="module")
def spins():
    return ebm.reference.enumeration([-1, 1], shape=(3, 3), complete=True)


@pytest.mark.parametrize("name", ebm.sampling.__all__)
def test_argument_names(name):
    parameters = inspect.signature(getattr(ebm.sampling, name)).parameters
    names = list(parameters)
    assert names[:8] == [
        "energy", "params", "reference", "draws", "chains", "random_seed", "signature",
        "progressbar",
    ]  # fmt: skip
    assert names[-1] == "return_inferencedata"
    defaults = {n: parameters[n].default for n in names[3:8]}
    assert defaults == {
        "draws": 1000, "chains": 4, "random_seed": None, "signature": None, "progressbar": True
    }  # fmt: skip
    keyword = [n for n in names if parameters[n].kind is inspect.Parameter.KEYWORD_ONLY]
    assert keyword == names[2:]
    shared = {"tune": 1000, "initvals": None}
    for name in shared.keys() & set(names):
        assert parameters[name].default == shared[name]


@every_sampler
def test_ising_by_enumeration(sampler, spins, seed, chisquare_of_states):
    """10,000 chains of one draw each are independent, so χ² holds: p > 1e-3 in 99.9% of seeds.

    The likeliest state has 73 times its uniform probability, which Metropolis forgets as
    (1 − 1/73)^t: 800 steps.
    """
    options = {} if sampler is ebm.sampling.importance_resampling else {"tune": 800}
    draws = sampler(
        ising, 0.3, reference=spins, draws=1, chains=10_000, random_seed=seed, progressbar=False,
        return_inferencedata=False, **options,
    )  # fmt: skip
    s = spins.points
    p = np.exp(0.3 * (s * np.roll(s, 1, 1) + s * np.roll(s, 1, 2)).sum((1, 2)))
    up = (draws.reshape(-1, 9) > 0) @ 2 ** np.arange(9)[::-1]
    assert chisquare_of_states(up, p / p.sum()) > 1e-3


@every_sampler
def test_layout(sampler, spins):
    tree = sampler(
        ising, 0.3, reference=spins, draws=60, chains=3, random_seed=np.int64(7), progressbar=False
    )
    assert isinstance(tree, xr.DataTree)
    x, energy = tree["samples"]["x"], tree["sample_stats"]["energy"]
    assert x.dims == ("chain", "draw", "x_dim_0", "x_dim_1") and x.shape == (3, 60, 3, 3)
    assert x.dtype == spins.points.dtype and energy.dims == ("chain", "draw")
    s = x.to_numpy()
    truth = -0.3 * (s * np.roll(s, 1, -1) + s * np.roll(s, 1, -2)).sum((-1, -2))
    np.testing.assert_allclose(energy, truth)
    for node in (tree, *tree.children.values()):
        assert node.attrs["sampler"] == sampler.__name__ and node.attrs["random_seed"] == 7
        assert node.attrs["ess"] > 0 and "pymc_ebm" in node.attrs["versions"]
        assert node.attrs["reference_fingerprint"] == spins.fingerprint
    if sampler is not ebm.sampling.importance_resampling:
        rate = tree["sample_stats"]["acceptance_rate"]
        assert rate.dims == ("chain",) and 0 < float(rate.min()) <= float(rate.max()) < 1
    assert az.ess(tree, group="samples")["x"].shape == (3, 3)


@every_sampler
def test_seeds(sampler, spins):
    draw = lambda seed, **kw: sampler(
        ising, 0.3, reference=spins, draws=30, random_seed=seed, progressbar=False, **kw
    )
    one, again, other = draw(1), draw(1), draw(2)
    assert one.identical(again) and not one["samples"].equals(other["samples"])
    by_generator = draw(np.random.default_rng(1))
    np.testing.assert_array_equal(by_generator["samples"]["x"], one["samples"]["x"])
    assert "random_seed" not in by_generator.attrs
    np.testing.assert_array_equal(draw(1, return_inferencedata=False), one["samples"]["x"])
    chains = one["samples"]["x"].to_numpy()
    assert all((chains[0] != chain).any() for chain in chains[1:])


@every_sampler
def test_scalar_vector_and_one_value(sampler):
    """A scalar event, a vector parameter under its signature; user arrays stay as they were."""
    counts = ebm.reference.enumeration(np.arange(40), complete=True)
    weights = np.array([0.5, 1.0])
    before = weights.copy()
    energy = lambda k, w: w[0] * k + w[1] * pt.gammaln(k + 1)
    tree = sampler(
        energy, weights, reference=counts, signature="(k)", random_seed=1, progressbar=False
    )
    assert tree["samples"]["x"].dims == ("chain", "draw")
    summary = az.summary(tree, group="samples")
    assert list(summary.index) == ["x"] and float(summary["ess_bulk"].iloc[0]) > 50
    np.testing.assert_array_equal(weights, before)


@every_sampler
def test_several_rows_are_refused(sampler, spins):
    with pytest.raises(ValueError, match=r"Parameter 0 has shape \(2,\).*one row of parameters"):
        sampler(ising, [0.1, 0.2], reference=spins)
    with pytest.raises(ValueError, match="Parameter 0 is nan"):
        sampler(ising, np.nan, reference=spins)


@every_sampler
def test_impossible_and_undefined_energies(sampler, spins):
    impossible = lambda s, b: pt.switch(s.sum((-1, -2)) > -99, np.inf, 0.0) * b
    with pytest.raises(ValueError, match=r"\[1.0\].* reference|first states|points"):
        sampler(impossible, 1.0, reference=spins, progressbar=False)
    undefined = lambda s, b: pt.log(s.sum((-1, -2)) * b)
    with pytest.raises(ValueError, match=r"NaN|nan|not a number"):
        sampler(undefined, 1.0, reference=spins, progressbar=False, random_seed=1)


@every_sampler
def test_repeated_calls_make_nothing_new_and_leave_nothing(sampler, monkeypatch):
    """The function is called again, once, as it may do something else by now."""
    calls, made = [], []
    make = compiled_energies.compiled
    count = lambda *args: made.append(1) or make(*args)
    monkeypatch.setattr(compiled_energies, "compiled", count)

    def energy(s, b):
        calls.append(1)
        return -b * s.sum(-1)

    spins = ebm.reference.enumeration([-1, 1], shape=3, complete=True)
    options = dict(draws=5, progressbar=False, random_seed=1)
    sampler(energy, 0.1, reference=spins, **options)
    first, functions = len(calls), len(made)
    sampler(energy, 0.2, reference=spins, **options)
    assert len(calls) == first + 1 and len(made) == functions > 0
    gone = [weakref.ref(energy), weakref.ref(spins)]
    del energy, spins
    gc.collect()
    assert [g() for g in gone] == [None, None]


@pytest.mark.parametrize("sampler", SAMPLERS[::2], ids=DISCRETE[::2])
def test_first_states(sampler, spins):
    """Chains that do not move stay where they were put."""
    start = np.ones((2, 3, 3), dtype=int)
    start[1] = -1
    found = sampler(
        ising, 50.0, reference=spins, draws=3, chains=2, tune=0, random_seed=1, progressbar=False,
        initvals=start, return_inferencedata=False,
    )  # fmt: skip
    np.testing.assert_array_equal(found, np.repeat(start[:, None], 3, axis=1))
    with pytest.raises(ValueError, match=r"initvals have shape \(3, 3\)"):
        sampler(ising, 0.3, reference=spins, chains=2, initvals=start[0])


COUPLING = 1.0


def coupled(s, b):
    return COUPLING * ising(s, b)


class Settings:
    coupling = 1.0


def set_coupled(s, b):
    return Settings.coupling * ising(s, b)


@every_sampler
@pytest.mark.parametrize("coupled", [coupled, set_coupled])
def test_energies_that_use_a_global_follow_it(sampler, coupled, spins, monkeypatch):
    """The sign of the coupling is that of neighbours, 0.5 sites of 9 by chance: 20 sds."""
    for coupling in (1.0, -1.0):
        monkeypatch.setitem(globals(), "COUPLING", coupling)
        monkeypatch.setattr(Settings, "coupling", coupling)
        x = sampler(
            coupled, 0.3, reference=spins, draws=500, random_seed=1, progressbar=False,
            return_inferencedata=False,
        )  # fmt: skip
        assert np.sign((x * np.roll(x, 1, -1)).mean()) == coupling
