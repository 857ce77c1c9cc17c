"""Posteriors that reports have called ok though they are wrong, and the reverse.

Posterior draws are quantiles of the posterior that the model itself has on a grid of its one
parameter, so no chain has to be run; what a word should be follows from the exact posterior.
"""

import warnings

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import signal, stats
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.energies import edges, ergm, triangles
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.space.sites import Sites


def gaussian(x, s):
    return x**2 / (2 * s**2)


def posterior(model, grid, draws=400):
    """Quantiles of the model's own posterior of its one parameter, in random order."""
    normalisers = Normalisers(model)
    [name] = normalisers.parameters
    total = pt.add(*[f.sum() for f in normalisers.factors.values()], 0.0)
    logp = normalisers.compile([total], mode=VECTORISED)
    values = np.array([logp({name: value})[0] for value in grid])
    weight = np.exp(values - np.nanmax(values))
    share = np.nancumsum(weight) / np.nansum(weight)
    quantiles = np.interp((np.arange(draws) + 0.5) / draws, share, grid)
    shuffled = np.random.default_rng(0).permutation(quantiles)
    return az.from_dict({"posterior": {name: shuffled.reshape(4, -1)}})


def judged(model, grid):
    idata = posterior(model, grid)
    # A busy machine may take longer than 10 s.
    found = ebm.compute_reference_stats(
        idata, model=model, progressbar=False, second_estimate_seconds=60
    )
    return ebm.report(found)


def gaussian_model(reference, data):
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        ebm.EBM("x", s, energy=gaussian, reference=reference, observed=data)
    return model, np.linspace(0.3, 5, 300)


def uniform_over_the_data(rng):
    data = rng.normal(0, 1, 200)
    q = pm.Uniform.dist(data.min(), data.max())
    return gaussian_model(ebm.reference.independent(q, 4096, "sobol", random_seed=1), data)


def truncated_before_the_model_ends(rng):
    q = pm.TruncatedNormal.dist(0, 3, lower=-5, upper=5)
    data = np.clip(rng.normal(0, 2.2, 40), -4.9, 4.9)
    return gaussian_model(ebm.reference.independent(q, 4096, random_seed=1), data)


def too_narrow(rng):
    q = ebm.reference.independent(pm.Normal.dist(0, 0.55), 4096, "sobol", random_seed=1)
    return gaussian_model(q, rng.normal(0, 1, 100))


def a_mode_beyond_the_box(rng):
    wells = lambda x, h: -pt.logaddexp(h - (x / 0.3) ** 2 / 2, -(((x - 30) / 0.3) ** 2) / 2)
    with pm.Model() as model:
        h = pm.Normal("h", 0, 1)
        box = ebm.reference.quadrature(-12, 12)
        ebm.EBM("x", h, energy=wells, reference=box, observed=rng.normal(0, 0.3, 50))
    return model, np.linspace(-5, 5, 300)


def even_counts_that_end_at_an_odd_one(rng):
    even = lambda n, m: pt.switch(pt.eq(n % 2, 0), (n - m) ** 2 / 200.0, np.inf)
    data = 2 * np.clip(np.round(rng.normal(10, 4, 60)), 0, 12).astype(int)
    with pm.Model() as model:
        m = pm.Normal("m", 20, 20)
        ebm.EBM("x", m, energy=even, reference=ebm.reference.enumeration(range(26)), observed=data)
    return model, np.linspace(-60, 120, 400)


def given_draws(draws, log_density, data):
    with warnings.catch_warnings():  # that they are sorted, repeated or depend on one another
        warnings.simplefilter("ignore")
        q = ebm.reference.from_draws(draws, log_density)
    return gaussian_model(q, data)


def tiled_draws(rng):
    draws = np.tile(rng.normal(0, 3, 60), 16)
    return given_draws(draws, stats.norm(0, 3).logpdf, rng.normal(0, 2, 200))


def dependent_draws(rng):
    noise = rng.normal(size=4000) * 2 * np.sqrt(1 - 0.995**2)
    draws = signal.lfilter([1], [1, -0.995], noise)
    return given_draws(draws, stats.norm(0, 2).logpdf, rng.normal(0, 2, 2000))


def a_wrong_density(rng):
    draws = rng.normal(0, 4, 8192)
    return given_draws(draws, stats.norm(0, 3).logpdf, rng.normal(0, 2, 100))


def a_small_mode_and_many_data(rng):
    """Of mass 5e-4 e^h: with 30,000 data the far mode moves the posterior by two sds."""
    energy = lambda x, h: (
        -pt.logaddexp(-(x**2) / 2, h + np.log(5e-4 / 0.1) - (((x - 40) / 0.1) ** 2) / 2)
    )
    with pm.Model() as model:
        h = pm.Normal("h", 0, 0.5)
        q = ebm.reference.independent(pm.Normal.dist(0, 1.5), 4096, "sobol", random_seed=1)
        ebm.EBM("x", h, energy=energy, reference=q, observed=rng.normal(size=30_000))
    return model, np.linspace(-3, 3, 61)


def a_far_mode_of_one_group_of_rows(rng):
    group = np.repeat([0, 1], 60)
    near = rng.normal(size=120) * np.where(group == 0, 0.1, 1.0)
    width = np.where(group == 0, 0.1, 1.0)
    energy = lambda x, h, w: pt.switch(
        w < 0.5,
        (x / w) ** 2 / 2,
        -pt.logaddexp(h - x**2 / 2, -((x - 40) ** 2) / 2),
    )
    with pm.Model() as model:
        h = pm.Normal("h", 0, 1)
        q = ebm.reference.independent(pm.Normal.dist(0, 2), 4096, "sobol", random_seed=1)
        ebm.EBM("x", h, width, energy=energy, reference=q, observed=near)
    return model, np.linspace(-5, 5, 200)


def vectors_of_counts_that_end_early(rng):
    """Pairs of counts of mean about 5 under a sum that ends at 7; P(n > 7) is 0.13."""
    poisson = lambda n, r: (pt.gammaln(n + 1) - n * pt.log(r)).sum(-1)
    data = np.minimum(rng.poisson(5, (60, 2)), 7)
    with pm.Model() as model:
        r = pm.HalfNormal("r", 10)
        q = ebm.reference.enumeration([np.arange(8)] * 2)
        ebm.EBM("n", r, energy=poisson, reference=q, observed=data)
    return model, np.linspace(3, 12, 200)


def chains_that_never_cross(rng):
    """Three of four chains in a mode of half the mass, in 20 dimensions: off by five sds."""
    apart = 6 / np.sqrt(20)
    energy = lambda x, h: -pt.logaddexp(h - (x**2).sum(-1) / 2, -((x - apart) ** 2).sum(-1) / 2)
    events = lambda far: rng.normal(size=(*far.shape, 20)) + apart * far[..., None]
    draws = events(np.repeat([[0], [0], [0], [1]], 500, axis=1))
    with warnings.catch_warnings():  # that so few groups tell no error
        warnings.simplefilter("ignore")
        q = ebm.reference.chain(energy, 0.0, draws=draws)
    with pm.Model() as model:
        h = pm.Normal("h", 0, 3)
        ebm.EBM("x", h, energy=energy, reference=q, observed=events(rng.random(100) < 0.5))
    return model, np.linspace(-4, 4, 200)


def a_well_that_is_as_large_at_all_draws(rng):
    """Chains that never cross, around h = 4: by a sum over h the posterior is −0.44 ± 0.09.

    All of what the far well holds is e^g(h) of the near one, and g has an end; the level of log Z
    is not known.
    """
    saturated = lambda h: 5 * pt.tanh(2 * h)
    energy = lambda x, h: (
        -pt.logaddexp(
            -(x**2).sum(-1) / 2, saturated(h) - ((x - np.array([12.0, 0.0])) ** 2).sum(-1) / 2
        )
    )
    q = ebm.reference.chain(energy, 4.0, draws=rng.normal(size=(4, 1000, 2)))
    with pm.Model() as model:
        h = pm.Normal("h", 4, 0.5)
        ebm.EBM("x", h, energy=energy, reference=q, observed=rng.normal(size=(100, 2)))
    # All data are in the near well, whose share of the mass is 1 / (1 + e^g): a sum over h.
    h = np.linspace(-3, 6, 9001)
    logp = -100 * np.logaddexp(0, 5 * np.tanh(2 * h)) - (h - 4) ** 2 / (2 * 0.5**2)
    weight = np.exp(logp - logp.max())
    mean = weight @ h / weight.sum()
    assert abs(mean + 0.444) < 0.01, "the truth is elsewhere"
    return model, np.linspace(3, 5, 200)


WRONG = [
    a_well_that_is_as_large_at_all_draws,
    pytest.param(chains_that_never_cross, marks=pytest.mark.slow),
    vectors_of_counts_that_end_early,
    uniform_over_the_data,
    truncated_before_the_model_ends,
    too_narrow,
    a_mode_beyond_the_box,
    even_counts_that_end_at_an_odd_one,
    tiled_draws,
    dependent_draws,
    a_wrong_density,
    a_small_mode_and_many_data,
    a_far_mode_of_one_group_of_rows,
]


@pytest.mark.filterwarnings("ignore:The energies of the data are mostly above")
@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("made", WRONG)
def test_a_wrong_posterior_is_never_ok(made, rng):
    report = judged(*made(rng))
    assert report.status != "ok", report.reasons


def heavy_tails_by_a_fit(rng):
    student = lambda x, nu: (nu + 1) / 2 * pt.log1p(x**2 / nu)
    with pm.Model() as model:
        nu = pm.Uniform("nu", 0.5, 10)
        data = stats.t(2).rvs(300, random_state=rng)
        q = ebm.reference.fitted(data, 2**15, random_seed=1)
        ebm.EBM("x", nu, energy=student, reference=q, observed=data)
    return model, np.linspace(0.6, 9.9, 300)


def sorted_draws(rng):
    draws = np.sort(rng.normal(0, 3, 40_000))
    return given_draws(draws, stats.norm(0, 3).logpdf, rng.normal(0, 2, 40))


def draws_by_stratum(rng):
    centre = np.repeat([-2.0, 2.0], 20_000)
    log_q = lambda x: logsumexp([stats.norm(c, 2.5).logpdf(x) for c in (-2, 2)], axis=0) - np.log(2)
    return given_draws(rng.normal(centre, 2.5), log_q, rng.normal(0, 2, 40))


def few_values_of_the_energy(rng):
    steps = lambda x, b: b * pt.floor(3 * x)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 1)
        q = ebm.reference.independent(pm.Uniform.dist(0, 1), 4096, "sobol", random_seed=1)
        data = rng.uniform(size=100)
        ebm.EBM("x", b, energy=steps, reference=q, support="unit", observed=data)
    return model, np.linspace(-2, 2, 300)


def a_box_that_cuts_off_next_to_nothing(rng):
    data = rng.normal(0, 2, 150)
    return gaussian_model(ebm.reference.quadrature(-12, 18, 200), data)


def sound_sobol_points(rng):
    q = ebm.reference.independent(pm.StudentT.dist(5, mu=0, sigma=3), 4096, "sobol", random_seed=1)
    return gaussian_model(q, rng.normal(0, 2, 100))


def a_complete_sum(rng):
    pairs = lambda s, b: -b * (s[..., 1:] * s[..., :-1]).sum(-1)
    with pm.Model() as model:
        b = pm.Normal("b", 0, 1)
        spins = ebm.reference.enumeration([-1, 1], shape=6, complete=True)
        data = rng.choice([-1, 1], size=(40, 6))
        ebm.EBM("x", b, energy=pairs, reference=spins, observed=data)
    return model, np.linspace(-1, 1, 200)


def events_of_a_population(rng):
    """Each event's own integral, over draws of its posterior under the prior N(0, 5²)."""
    prior = stats.norm(0, 5)
    normal = lambda x, m: (x - m) ** 2 / 2 + np.log(2 * np.pi) / 2
    with pm.Model() as model:
        m = pm.Normal("m", 0, 5)
        for i, place in enumerate(rng.normal(1, 1, 2)):
            draws = rng.normal(place, 0.3, 4000)
            own = ebm.reference.from_draws(draws, prior.logpdf, selected=True)
            pm.Potential(f"event{i}", ebm.log_partition(normal, m, reference=own))
    return model, np.linspace(-3, 5, 200)


def a_network_with_triangles(rng):
    """An energy that is no sum over pairs: 28 dyads, by draws of independent ones."""
    ties = rng.random((20_000, 28)) < 0.3
    log_q = np.where(ties, np.log(0.3), np.log(0.7)).sum(axis=1)
    states = Sites.of([0, 1], (28,))
    q = ebm.reference.from_draws(ties.astype(int), log_q, support=states)
    with pm.Model() as model:
        t = pm.Normal("t", 0, 0.2)
        energy, data = ergm((edges, triangles)), ties[:1].astype(int)
        theta = pt.stack([-0.85, t])
        ebm.EBM("x", theta, energy=energy, signature="(k)", reference=q, observed=data)
    return model, np.linspace(-0.8, 0.6, 200)


def a_catalogue_in_order(rng):
    """Entries of three numbers, sorted by the first."""
    draws = rng.normal(0, 3, (40_000, 3))
    log_density = lambda x: stats.norm(0, 3).logpdf(x).sum(axis=-1)
    energy = lambda x, s: (x**2).sum(-1) / (2 * s**2)
    with warnings.catch_warnings():  # that they are sorted
        warnings.simplefilter("ignore")
        q = ebm.reference.from_draws(draws[np.argsort(draws[:, 0])], log_density)
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        ebm.EBM("x", s, energy=energy, reference=q, observed=rng.normal(0, 2, (20, 3)))
    return model, np.linspace(0.8, 4, 200)


RIGHT = [
    a_catalogue_in_order,
    a_network_with_triangles,
    events_of_a_population,
    heavy_tails_by_a_fit,
    sorted_draws,
    draws_by_stratum,
    few_values_of_the_energy,
    a_box_that_cuts_off_next_to_nothing,
    sound_sobol_points,
    a_complete_sum,
]


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("made", RIGHT)
def test_a_sound_posterior_is_ok(made, rng):
    report = judged(*made(rng))
    assert report.status == "ok", report.reasons


@pytest.mark.slow
@pytest.mark.usefixtures("interpreted")
def test_particles_of_runs_in_fifty_dimensions(rng):
    """Each run's points have its own estimate of Z at s = 1: draws whose density is not known."""
    runs, n, n_dim = 16, 2000, 50
    y = rng.normal(size=(runs, n, n_dim))
    log_z = n_dim * np.log(2 * np.pi) / 2 + rng.normal(0, 0.05, runs)
    log_base = (y**2).sum(-1) / 2 + log_z[:, None] - np.log(runs * n)
    q = ebm.reference.Reference(
        points=y.reshape(-1, n_dim),
        log_weights=log_base.ravel(),
        groups=np.repeat(np.arange(runs), n),
    )
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        energy = lambda x, s: (x**2).sum(-1) / (2 * s**2)
        ebm.EBM("x", s, energy=energy, reference=q, observed=rng.normal(size=(100, n_dim)))
    report = judged(model, np.linspace(0.9, 1.1, 400))
    assert report.status == "ok", report.reasons


@pytest.mark.usefixtures("interpreted")
@pytest.mark.filterwarnings("ignore:The energies of the data are mostly above")
def test_a_heavy_tail_under_sobol(rng):
    """k is 0.54: all scramblings miss the same tail, and their spread is a third of the error."""
    q = ebm.reference.independent(pm.Normal.dist(0, 0.68), 4096, "sobol", random_seed=1)
    data = rng.normal(0, 1, 100)
    report = judged(*gaussian_model(q, data / data.std()))
    assert any("weights have no variance" in reason for reason in report.reasons)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.filterwarnings("ignore:The energies of the data are mostly above")
def test_a_higher_maximum_where_no_draw_is(rng):
    """A density that is wrong by 20 nats beyond 5 keeps the posterior away from data around 9."""
    draws = rng.normal(0, 6, 8192)
    log_q = stats.norm(0, 6).logpdf(draws) - 20 * (draws > 5)
    with pm.Model() as model:
        m = pm.Normal("m", 0, 30)
        q = ebm.reference.from_draws(draws, log_q)
        energy = lambda x, m: (x - m) ** 2 / 2
        ebm.EBM("x", m, energy=energy, reference=q, observed=rng.normal(9, 1, 30))
    found = judged(model, np.linspace(-5, 4, 400))
    assert found.status == "failed"
    assert any("nats higher at m" in reason for reason in found.reasons)
