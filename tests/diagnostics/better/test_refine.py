"""Posteriors reweighted to better references, against posteriors with the exact normaliser.

The posteriors are distributions on a grid of parameters: that of the coarse reference, of which
independent draws are refined, and the exact one, from closed forms. No Markov chain adds noise.
"""

import json
import zlib
from functools import cache, partial
from unittest.mock import patch

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import stats as st
from scipy.special import gammaln, log_ndtr, logsumexp

import pymc_ebm as ebm
from pymc_ebm.diagnostics.better import _refine
from pymc_ebm.diagnostics.better._refine import smoothed_weights
from pymc_ebm.diagnostics.normalisers.own_scale import on_own_scale

pytestmark = pytest.mark.usefixtures("interpreted")
DRAWS = 200
# Normal quantiles with a root mean square of 1.754, which is all that the posterior depends on.
DATA = st.norm.ppf((np.arange(100) + 0.5) / 100)
DATA *= 1.754 / np.sqrt((DATA**2).mean())
GRID = np.linspace(1.1, 3, 601)
independent = ebm.reference.independent
normal = lambda mean, sd: pm.Normal.dist(mean, sd)


def energy(x, sigma):
    return x**2 / (2 * sigma**2)


def gaussian(n, make, width=6):
    """N data of root mean square 1.754, log Z = log(sigma √2π)."""
    data = np.resize(DATA, n)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5)
        ebm.EBM("x", sigma, energy=energy, reference=make(data), observed=data)
    half = 1.754 * width / np.sqrt(2 * n)
    grid = np.linspace(max(1.754 - half, 0.3), 1.754 + 1.5 * half, 151)
    exact = lambda s: -n * np.log(s) - (data**2).sum() / (2 * s**2) - s**2 / 50
    return model, {"sigma": [grid]}, exact


def quartic(seed):
    """Z = 2Γ(5/4) a^(−1/4)."""
    x = np.resize([-0.7, 0.7], 50)
    q = independent(pm.StudentT.dist(nu=4, mu=0, sigma=1), 150, random_seed=seed)
    with pm.Model() as model:
        a = pm.HalfNormal("a", 5)
        ebm.EBM("x", a, energy=lambda x, a: a * x**4, reference=q, observed=x)
    exact = lambda a: 12.5 * np.log(a) - a * (x**4).sum() - a**2 / 50
    return model, {"a": [np.linspace(0.3, 4, 151)]}, exact


def counts(seed):
    """Conway–Maxwell–Poisson with ν = 1.2: Z is a sum that has ended before 400."""
    x, k = np.resize([0, 1, 2, 3, 5], 60), np.arange(400)
    q = independent(pm.Poisson.dist(2), 100, random_seed=seed, support="nonnegative")
    conway = lambda x, rate: 1.2 * pt.gammaln(x + 1.0) - x * pt.log(rate)
    with pm.Model() as model:
        rate = pm.HalfNormal("rate", 5)
        ebm.EBM("x", rate, energy=conway, reference=q, observed=x)

    def exact(rate):
        log_z = logsumexp(k * np.log(rate[:, None]) - 1.2 * gammaln(k + 1.0), axis=1)
        return x.sum() * np.log(rate) - 60 * log_z - rate**2 / 50

    return model, {"rate": [np.linspace(1, 6, 151)]}, exact


def regression(seed):
    """40 rows with scales exp(a + b z)."""
    z = np.linspace(-1, 1, 40)
    x = np.resize([-1, 1], 40) * np.exp(0.3 + 0.5 * z)
    q = independent(normal(0, 4), 60, random_seed=seed)
    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 2), pm.Normal("b", 0, 2)
        ebm.EBM("x", pt.exp(a + b * z), energy=energy, reference=q, observed=x)

    def exact(a, b):
        log_scale = a[:, None] + b[:, None] * z
        return (-log_scale - x**2 / 2 * np.exp(-2 * log_scale)).sum(1) - (a**2 + b**2) / 8

    return model, {"a": [np.linspace(-0.2, 0.8, 21)], "b": [np.linspace(-0.4, 1.4, 21)]}, exact


def mixture(seed):
    """Two components of one reference; the parameter is a vector."""
    x = np.r_[st.norm(0, 1).ppf((np.arange(50) + 0.5) / 50) * [[1], [4]]].ravel()
    q = independent(normal(0, 5), 200, random_seed=seed)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5, shape=2)
        parts = [ebm.EBM.dist(sigma[i], energy=energy, reference=q) for i in (0, 1)]
        pm.Mixture("x", [0.5, 0.5], parts, observed=x)

    def exact(s0, s1):
        log_p = np.stack([st.norm.logpdf(x, 0, s[:, None]) for s in (s0, s1)])
        return logsumexp(log_p + np.log(0.5), axis=0).sum(1) - (s0**2 + s1**2) / 50

    return model, {"sigma": [np.linspace(0.4, 2, 25), np.linspace(2.2, 6.5, 25)]}, exact


def potential(seed):
    """A selected Gaussian, y ~ N(μ, 1) seen where positive: log Z = log Φ(μ) + log √2π."""
    x = np.linspace(0.1, 2.4, 60)
    q = independent(pm.HalfNormal.dist(3), 60, random_seed=seed, support="positive")
    with pm.Model() as model:
        mu = pm.Normal("mu", 0, 2)
        log_z = ebm.log_partition(lambda x, mu: (x - mu) ** 2 / 2, mu, reference=q)
        pm.Potential("p", -((x - mu) ** 2).sum() / 2 - 60 * log_z)
    exact = lambda mu: -((x - mu[:, None]) ** 2).sum(1) / 2 - 60 * log_ndtr(mu) - mu**2 / 8
    return model, {"mu": [np.linspace(-1.5, 2.2, 151)]}, exact


def short_chain(seed):
    def sampler(energy, sigma, *, draws=80, chains=4, random_seed=None, **_):
        return np.random.default_rng(random_seed).normal(0, sigma, size=(chains, draws))

    make = lambda data: ebm.reference.chain(
        energy, 1.9, sampler=sampler, random_seed=seed, progressbar=False
    )
    return gaussian(80, make)


def with_normal(n, mean, sd, draws):
    return lambda seed: gaussian(
        n, lambda _: independent(normal(mean, sd), draws, random_seed=seed)
    )


def fitted(seed):
    return gaussian(400, lambda data: ebm.reference.fitted(data, 128, random_seed=seed))


# Where σ² > 2 s², at the mean or in the upper half of these posteriors, weights have no variance.
NARROW = {
    "very narrow": with_normal(50, 0, 1.24, 300),
    "narrow, more points": with_normal(100, 0, 1.1, 1000),
    "narrow and shifted": with_normal(50, 2, 1.5, 300),
}
SETUPS = {
    "too few points": with_normal(100, 2, 4, 300),
    "many data": with_normal(1000, 0, 3, 1000),
    "few data": with_normal(20, 0, 4, 60),
    "narrow": with_normal(50, 0, 1.5, 300),
    "wide": with_normal(100, 0, 20, 1500),
    "fitted": fitted,
    "chain": short_chain,
    "quartic": quartic,
    "counts": counts,
    "regression": regression,
    "mixture": mixture,
    "potential": potential,
}
EVERY = SETUPS | NARROW


def unchecked():
    """Refine without the checks of the new reference, on which no draw depends."""
    return patch.object(_refine, "record_of", partial(_refine.record_of, checks=()))


def systematic(p, n, rng):
    return np.searchsorted(np.cumsum(p) / p.sum(), (rng.random() + np.arange(n)) / n)


def as_idata(values, n_chains=2):
    """A DataTree of draws by name, ``(S, ...)``."""
    posterior = xr.Dataset(
        {
            name: (("chain", "draw", *[f"{name}_dim"] * (v.ndim - 1)), reshaped)
            for name, v in values.items()
            for reshaped in [v.reshape(n_chains, -1, *v.shape[1:])]
        }
    )
    posterior = posterior.assign_coords(
        {d: np.arange(posterior.sizes[d]) for d in ("chain", "draw")}
    )
    return xr.DataTree.from_dict({"posterior": posterior})


def errors(values, p, cells, exact):
    """Of each coordinate: error of the mean in posterior sds, and Kolmogorov distance."""
    found = []
    for x, cell in zip(values, cells, strict=True):
        mean = exact @ cell
        sd = np.sqrt(exact @ (cell - mean) ** 2)
        levels = np.unique(cell)
        below = lambda at, weight, levels=levels: np.array(
            [weight[at <= level].sum() for level in levels]
        )
        distance = np.abs(below(x, p) - below(cell, exact)).max()
        found.append((abs(p @ x - mean) / sd, distance))
    return np.array(found)


@cache
def outcome(name):
    """Errors before and after, ``(K, 2)``, with their tolerance; None where refine refused."""
    seed = zlib.crc32(name.encode())
    rng = np.random.default_rng(seed)
    model, grids, exact = EVERY[name](seed)
    axes = [axis for grid in grids.values() for axis in grid]
    cells = np.stack([a.ravel() for a in np.meshgrid(*axes, indexing="ij")])
    ends = np.cumsum([len(grid) for grid in grids.values()])
    columns = dict(zip(grids, np.split(cells, ends[:-1]), strict=True))
    named = lambda at: {
        n: np.squeeze(columns[n][:, at].T, axis=-1) if len(g) == 1 else columns[n][:, at].T
        for n, g in grids.items()
    }
    own = on_own_scale(model)
    log_p = own.compile_fn(own.logp(), inputs=own.value_vars)
    every = named(slice(None))
    coarse = np.array([log_p({n: v[i] for n, v in every.items()}) for i in range(cells.shape[1])])
    coarse, truth = (np.exp(v - v.max()) for v in (coarse, exact(*cells)))
    coarse, truth = coarse / coarse.sum(), truth / truth.sum()
    drawn = rng.permutation(systematic(coarse, DRAWS, rng))
    # A Poisson q has no quantile function, and independent points are worse than Sobol's; those of
    # the regression count for each of its rows.
    draws = {"counts": 2**15, "regression": 2**11}.get(name, 2**13)
    try:
        with unchecked():
            refined = ebm.refine(
                as_idata(named(drawn)),
                draws=draws,
                model=model,
                random_seed=seed,
                progressbar=False,
            )
    except ValueError as error:
        if "k-hat" not in str(error):
            raise
        return None
    after = np.concatenate([refined["posterior"][n].to_numpy().reshape(DRAWS, -1).T for n in grids])
    # Reported errors of the new reference, and those of independent draws with weights.
    added = np.concatenate(
        [np.ravel(refined["reference_mcse"][n].sel(statistic="mean")) for n in grids]
    )
    added = added / np.sqrt(np.diag(np.atleast_2d(np.cov(cells, aweights=truth))))
    size = refined["refinement"].attrs["ess"]
    equal = np.full(DRAWS, 1 / DRAWS)
    return {
        "before": errors(cells, coarse, cells, truth),
        "after": errors(after, equal, cells, truth),
        # Three standard errors; Kolmogorov's 0.1% point, and a shift of δ sds is one of 0.4 δ.
        "allowed": np.column_stack(
            [3 * np.sqrt(added**2 + 1 / size), 1.95 / np.sqrt(size) + 0.4 * 3 * added]
        ),
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", SETUPS)
def test_refined_posteriors_are_exact_up_to_their_error(name):
    found = outcome(name)
    if found is not None:
        assert (found["after"] < found["allowed"]).all(), found


@pytest.mark.slow
def test_refined_posteriors_are_closer_to_the_exact_ones():
    """In every set-up where the error before could be told from that of so many draws."""
    found = {name: o for name in SETUPS if (o := outcome(name)) is not None}
    # A narrow reference may be refused, and by chance one more.
    assert len(found) >= 9
    for name, o in found.items():
        telling = o["before"] > o["allowed"]
        assert (o["after"] < o["before"])[telling].all(), (name, o)
    before, after = (np.concatenate([o[w] for o in found.values()]) for w in ("before", "after"))
    rms = lambda e: np.sqrt((e**2).mean(axis=0))
    # Typically 0.6 and 0.05 sds: far from the bound for any seed.
    assert (rms(after) < 0.3 * rms(before)).all(), (rms(before), rms(after))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The energies of the data are mostly above")
@pytest.mark.parametrize("name", NARROW)
def test_a_narrow_reference_is_replaced(name):
    """More points of the same q would leave up to 0.7 sd; those of a fitted one have no such error.

    Draws far out in the old posterior are few, and so is what they can tell: 0.25 sd are allowed
    beside the error of the refined draws, of what was 0.5 to 4.
    """
    found = outcome(name)
    assert (found["after"] < found["before"]).all(), found
    assert (found["after"] < found["allowed"] + [0.25, 0.1]).all(), found


@pytest.mark.filterwarnings("ignore:The energies of the data are mostly above")
def test_which_q_is_replaced(rng):
    """With σ² = 3.1 the weights have a finite variance where s² > 1.5."""
    idata = as_idata({"sigma": rng.normal(1.75, 0.1, 60)})
    for sd, kind in ((0.9, "fitted"), (4, "Normal, sobol")):
        model = model_with(independent(normal(0, sd), 1000, random_seed=1))
        made = ebm.better_reference(idata, draws=1024, model=model, random_seed=1)["y"]
        assert made.description.startswith(kind) and made.n_points == 1024


def test_a_better_reference_that_is_too_narrow_is_refused(idata, coarse):
    """Also one that was given: its own k-hat is what the posterior rests on."""
    narrow = independent(normal(0, 0.5), 4000, random_seed=3)
    with pytest.raises(ValueError, match=r"k-hat.*(is the most)"):
        refine(idata, reference=narrow, model=model_with(coarse), random_seed=1)


# The details, on one Gaussian


def model_with(reference, **kwargs):
    with pm.Model(**kwargs) as model:
        sigma = pm.HalfNormal("sigma", 5)
        x = pm.Data("x", DATA)
        log_z = ebm.log_partition(energy, sigma, reference=reference)
        pm.Deterministic("log_z", log_z)
        pm.Deterministic("variance", sigma**2)
        ebm.EBM("y", sigma, energy=energy, reference=reference, observed=x)
    return model


def log_z_by_hand(reference, sigma):
    return logsumexp(reference.log_weights - energy(reference.points, sigma[:, None]), axis=1)


def coarse_draws(reference, n_draws, rng, grid=GRID):
    log_p = -100 * log_z_by_hand(reference, grid) - (DATA**2).sum() / (2 * grid**2) - grid**2 / 50
    return rng.permutation(grid[systematic(np.exp(log_p - log_p.max()), n_draws, rng)])


@pytest.fixture
def coarse():
    return independent(normal(0, 4), 400, random_seed=1)


@pytest.fixture
def better():
    return independent(normal(0, 4), 4096, "sobol", random_seed=2)


@pytest.fixture
def idata(coarse, rng):
    sigma = coarse_draws(coarse, 200, rng)
    tree = as_idata({"sigma": sigma, "log_z": log_z_by_hand(coarse, sigma), "variance": sigma**2})
    like = tree["posterior"]["sigma"]
    tree["sample_stats"] = xr.DataTree(
        xr.Dataset({"diverging": like > 1.8, "lp": like, "energy": like})
    )
    tree["log_likelihood"] = xr.DataTree(xr.Dataset({"y": like}))
    tree["posterior_predictive"] = xr.DataTree(xr.Dataset({"y": like}))
    tree["observed_data"] = xr.DataTree(xr.Dataset({"y": ("y_dim_0", DATA)}))
    return tree


refine = partial(ebm.refine, progressbar=False)


@unchecked()
def test_the_log_ratio_is_exact(idata, coarse, better):
    """Smoothing leaves all but the largest fifth of the weights as they are."""
    refined = refine(idata, reference=better, model=model_with(coarse), random_seed=1)
    sigma = idata["posterior"]["sigma"].to_numpy().ravel()
    by_hand = -100 * (log_z_by_hand(better, sigma) - log_z_by_hand(coarse, sigma))
    found = refined["refinement"]["log_weight"].to_numpy().ravel()
    smallest = np.argsort(by_hand)[:150]
    np.testing.assert_allclose(np.ptp((found - by_hand)[smallest]), 0, atol=1e-9)
    weights = np.exp(found)
    np.testing.assert_allclose(weights.sum(), 1)
    attrs = refined["refinement"].attrs
    np.testing.assert_allclose(attrs["ess"], 1 / (weights**2).sum())
    assert attrs["pareto_k"] < attrs["pareto_k_limit"] == pytest.approx(1 - 1 / np.log10(200))
    # Systematic resampling gives S w copies, give or take one.
    copies = refined["refinement"]["copies"].to_numpy().ravel()
    assert copies.sum() == 200
    assert (np.abs(copies - 200 * weights) < 1).all()


def test_what_the_result_holds(idata, coarse, better, tmp_path):
    before = idata.copy(deep=True)
    model = model_with(coarse)
    refined = refine(idata, reference=better, model=model, random_seed=1)
    for name in before.children:
        xr.testing.assert_identical(before[name].to_dataset(), idata[name].to_dataset())
    assert set(refined.children) == {
        "posterior", "sample_stats", "observed_data", "reference_stats", "reference_mcse",
        "refinement",
    }  # fmt: skip
    posterior = refined["posterior"]
    assert posterior["sigma"].dims == ("chain", "draw")
    for dim in ("chain", "draw"):
        xr.testing.assert_identical(posterior[dim], before["posterior"][dim])
    sigma = posterior["sigma"].to_numpy().ravel()
    # Repeats follow each other, in the order of the old draws.
    copies = refined["refinement"]["copies"].to_numpy().ravel()
    old = before["posterior"]["sigma"].to_numpy().ravel()
    np.testing.assert_array_equal(sigma, np.repeat(old, copies))
    assert list(refined["sample_stats"].data_vars) == ["diverging"]
    np.testing.assert_array_equal(
        refined["sample_stats"]["diverging"].to_numpy().ravel(), sigma > 1.8
    )
    np.testing.assert_allclose(posterior["variance"].to_numpy().ravel(), sigma**2)
    log_z = log_z_by_hand(better, sigma)
    np.testing.assert_allclose(posterior["log_z"].to_numpy().ravel(), log_z)
    found = refined["reference_stats"]["log_partition"].sel(ebm="y").to_numpy().ravel()
    np.testing.assert_allclose(found, log_z)
    told = json.loads(refined["refinement"].attrs["references"])["y"]
    assert told["old"]["fingerprint"] == coarse.fingerprint
    assert told["new"]["fingerprint"] == better.fingerprint
    assert refined["refinement"].attrs["random_seed"] == "1"
    assert ebm.report(refined).table["y"]["points"] == 4096
    refined.to_zarr(tmp_path / "refined.zarr")
    with xr.open_datatree(tmp_path / "refined.zarr", engine="zarr") as back:
        assert back["refinement"].attrs == refined["refinement"].attrs
    # The statistics belong to the model with the new reference, and to no other.
    with pytest.raises(ValueError, match="another reference"):
        refine(refined, reference=coarse, model=model)
    new = ebm.replace_reference(model, better)
    again = ebm.compute_reference_stats(
        refined, model=new, checks=(), extend_inferencedata=False, progressbar=False
    )
    xr.testing.assert_allclose(again["reference_mcse"], refined["reference_mcse"])


@unchecked()
def test_a_seed_is_told_and_repeats_the_result(idata, coarse):
    model = model_with(coarse)
    first = refine(idata, draws=1024, model=model)
    seed = int(first["refinement"].attrs["random_seed"])
    second = refine(idata, draws=1024, model=model, random_seed=seed)
    told = json.loads(first["refinement"].attrs["references"])["y"]["new"]
    made = ebm.better_reference(idata, draws=1024, model=model, random_seed=seed)["y"]
    assert made.fingerprint == told["fingerprint"]
    xr.testing.assert_identical(first["posterior"].to_dataset(), second["posterior"].to_dataset())


def test_refuses_and_says_how_to_sample_again(coarse, rng):
    """30 points, narrower than the model: a posterior from 3 to 20, and the exact one at 1.75."""
    q = independent(normal(0, 1.1), 30, random_seed=3)
    with pm.Model() as few:
        sigma = pm.HalfNormal("sigma", 5)
        log_z = ebm.log_partition(energy, sigma, reference=q)
        pm.Potential("y", -energy(DATA, sigma).sum() - 100 * log_z)
    idata = as_idata({"sigma": coarse_draws(q, 400, rng, np.linspace(1, 30, 6000))})
    with pytest.raises(ValueError, match=r"k-hat.*0\.62.*400 draws.*Sample again") as refused:
        refine(idata, reference=coarse, model=few)
    assert "better_reference" not in str(refused.value)
    with pytest.raises(ValueError, match=r"k-hat.*draws=2048, random_seed=5") as refused:
        refine(idata, draws=2048, model=few, random_seed=5)
    call = str(refused.value).split("with ")[-1].removesuffix(": pm.sample().")
    again = eval(call, {"ebm": ebm, "idata": idata, "model": few})
    [reference] = {n.op.reference for _, n in ebm.diagnostics.find_log_partitions(again)}
    assert reference.n_points == 2048


def test_the_default_size_brings_the_error_below_5_percent(coarse, rng):
    model = model_with(coarse)
    idata = as_idata({"sigma": coarse_draws(coarse, 60, rng)})
    ebm.compute_reference_stats(idata, model=model, checks=(), progressbar=False)
    worst = max(ebm.report(idata).added_error["sigma"].values())
    made = ebm.better_reference(idata, model=model, random_seed=1)
    assert list(made) == ["y"]
    needed = 400 * (worst / 0.05) ** 2
    assert needed <= made["y"].n_points < 2 * needed
    # Beyond the cap, also where the error is not known.
    idata["reference_mcse"]["sigma"][:] = np.inf
    capped = ebm.better_reference(idata, model=model, random_seed=1)
    assert capped["y"].n_points == 2**17
    idata["reference_mcse"]["sigma"][:] = 0.0
    fewest = ebm.better_reference(idata, model=model, random_seed=1)
    assert fewest["y"].n_points == 2048  # 4 × 400


def test_a_fitted_reference_follows_the_posterior(rng):
    """Fitted to data of sd 1.75, the model's sd is 5: the new points have the model's spread."""
    coarse = ebm.reference.fitted(DATA, 4096, random_seed=1)
    model = model_with(coarse)
    idata = as_idata({"sigma": rng.normal(5, 0.1, size=50)})
    new = ebm.better_reference(idata, draws=5000, model=model, random_seed=1)["y"]
    assert new.n_points == 8192
    half = lambda q: np.subtract(*np.quantile(q.points, [0.75, 0.25]))
    assert half(coarse) < 4 < 7 < half(new)


@unchecked()
def test_a_moving_reference_is_remade(rng):
    """q(y|σ) = N(0, (2σ)²): its weights, and so the posterior, do not depend on σ."""
    coarse = independent(lambda s: pm.Normal.dist(0, 2 * s), 64, random_seed=1)
    refined = refine(
        as_idata({"sigma": np.linspace(1.5, 2.1, 100)}),
        draws=256,
        model=model_with(coarse),
        random_seed=1,
    )
    assert refined["refinement"].attrs["pareto_k"] == -np.inf
    assert (refined["refinement"]["copies"] == 1).all()


def test_weights_have_the_right_sign(rng):
    """Heavy above by k = 1.2; with the sign turned they would be light."""
    _, khat = smoothed_weights(1.2 * rng.exponential(size=4000))
    assert khat > 1
    x = rng.normal(size=4000)
    weights, khat = smoothed_weights(st.norm(0.5, 1).logpdf(x) - st.norm(0, 1).logpdf(x))
    # Standard error by the effective size: 4000 e^(−1/4) draws or so.
    np.testing.assert_allclose(weights @ x, 0.5, atol=4 / np.sqrt(3000))
    assert khat < 0.5
    weights, khat = smoothed_weights(np.zeros(100))
    np.testing.assert_allclose(weights, 0.01)
    assert khat == -np.inf


def test_what_cannot_be_refined_is_said(idata, coarse, better):
    model = model_with(coarse)
    with pytest.raises(ValueError, match=r"reference and draws=100"):
        refine(idata, reference=better, draws=100, model=model)
    with pytest.raises(ValueError, match="has 20 draws"):
        refine(as_idata({"sigma": np.linspace(1, 2, 20)}), reference=better, model=model)
    given = ebm.reference.from_draws(better.points, st.norm(0, 4).logpdf)
    with pytest.raises(ValueError, match=r"given draws.*only the points.*\{'y': \.\.\.\}"):
        refine(idata, draws=1024, model=model_with(given))
    with pytest.raises(ValueError, match="no random reference"):
        refine(idata, draws=1024, model=model_with(ebm.reference.quadrature(-np.inf, np.inf)))
    wrong = as_idata({"sigma": np.linspace(-1, 2, 40)})
    with pytest.raises(ValueError, match=r"log-probability is -inf with the given reference at 14"):
        refine(wrong, reference=better, model=model)
