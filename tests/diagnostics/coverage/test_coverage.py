"""What the search for missed mass finds, and that it is silent where nothing is missed."""

import warnings
from functools import partial

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import signal, stats

import pymc_ebm as ebm
from pymc_ebm.diagnostics.coverage._coverage import check_coverage
from pymc_ebm.diagnostics.coverage.halves import compare_halves
from pymc_ebm.diagnostics.coverage.mode_search import search_modes
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers


def gaussian(x, s):
    return x**2 / (2 * s**2)


def two_normals(x, d):
    """0.3 N(−d, 1) + 0.7 N(d, 1)."""
    return -pt.logaddexp(np.log(0.3) - (x + d) ** 2 / 2, np.log(0.7) - (x - d) ** 2 / 2)


def quartic(x, a):
    return a * x**4


def vectors(x, s):
    return (x**2).sum(-1) / (2 * s**2)


def verdict(energy, reference, data, theta):
    """The verdict with a posterior of three draws near theta."""
    with pm.Model() as model, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The energies of the data are mostly above")
        t = pm.HalfNormal("t", 5, initval=theta)
        ebm.EBM("x", t, energy=energy, reference=reference, observed=data)
    draws = theta * np.array([[0.97, 1.0, 1.03]])
    posterior = xr.Dataset({"t": (("chain", "draw"), draws)})
    return check_coverage(posterior, Normalisers(model))["x"]


def normal(m, s, draws=2000, method="iid", seed=1, shape=()):
    dist = pm.Normal.dist(m, s, shape=shape)
    return ebm.reference.independent(dist, draws, method, random_seed=seed)


two_sided = np.concatenate([stats.norm(-6, 1).rvs(90, 3), stats.norm(6, 1).rvs(210, 4)])
CASES = {
    "wide": (gaussian, normal(0, 4), stats.norm(0, 2).rvs(300, 1), 2.0, "covered"),
    "Sobol": (gaussian, normal(0, 4, 1024, "sobol"), stats.norm(0, 2).rvs(300, 1), 2.0, "covered"),
    "Laplace data": (gaussian, normal(0, 4), stats.laplace(0, 1.5).rvs(300, 1), 2.1, "covered"),
    "narrow": (gaussian, normal(0, 0.9, 1000), stats.norm(0, 2).rvs(300, 1), 2.0, "missed"),
    "shifted": (gaussian, normal(9, 1), stats.norm(0, 2).rvs(300, 1), 2.0, "missed"),
    "both modes": (two_normals, normal(0, 8, 4000), two_sided, 6.0, "covered"),
    "mode with data": (two_normals, normal(6, 2), two_sided, 6.0, "missed"),
    "mode without data": (two_normals, normal(6, 2), two_sided[90:], 6.0, "missed"),
    "five dimensions": (
        vectors, normal(0, 2, 4096, shape=5), stats.norm(0, 1).rvs((200, 5), 1), 1.0, "covered",
    ),
    "follows the parameters": (
        gaussian,
        ebm.reference.independent(lambda s: pm.Normal.dist(0, 1.5 * s), 1024, random_seed=1),
        stats.norm(0, 2).rvs(300, 1), 2.0, "covered",
    ),
    "flat top, density known": (
        quartic, normal(0, 1.2), stats.gennorm(4).rvs(300, 1), 1.0, "covered",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_verdicts(case):
    energy, reference, data, theta, expected = case
    found = verdict(energy, reference, data, theta)
    assert found.verdict == expected, found
    if energy is two_normals and expected == "missed":
        assert abs(found.missed_mass - 0.3) < 0.01


def two_flat(x, d):
    """Two equal modes with flat tops, at −d and d."""
    return -pt.logaddexp(-((x + d) ** 4), -((x - d) ** 4))


def rate(x, s):
    return x / s


def given(law, draws=2000, support=None):
    """Draws of a law whose density is not known elsewhere."""
    points = law.rvs(draws, random_state=1)
    return ebm.reference.from_draws(points, law.logpdf(points), support=support)


@pytest.mark.usefixtures("interpreted")
def test_chains_weigh_what_curvature_and_density_do_not_tell():
    """Flat tops, and an edge of the support."""
    flat = stats.gennorm(4, loc=3).rvs(100, random_state=1)
    assert verdict(two_flat, given(stats.norm(0, 4)), flat, 3.0).verdict == "covered"
    found = verdict(two_flat, given(stats.norm(3, 1)), flat, 3.0)
    # Half of the mass; a window of chains tells it within some 10%.
    assert found.verdict == "missed" and abs(found.missed_mass - 0.5) < 0.1
    waits = stats.expon(0, 1.5).rvs(100, random_state=1)
    wide, far = (given(law, support="positive") for law in (stats.expon(0, 3), stats.norm(30, 2)))
    assert verdict(rate, wide, waits, 1.5).verdict == "covered"
    assert verdict(rate, far, waits, 1.5).verdict == "missed"


def two_corners(x, t):
    """Twelve sites that are 1 with probability 0.9, with probability 0.3, or with 0.1 t."""
    ones = x.sum(-1)
    high = ones * np.log(0.9) + (12 - ones) * np.log(0.1)
    low = ones * pt.log(0.1 * t) + (12 - ones) * pt.log(1 - 0.1 * t)
    return -pt.logaddexp(np.log(0.3) + high, np.log(0.7) + low)


@pytest.mark.usefixtures("interpreted")
def test_a_discrete_mode_that_no_datum_visits(rng):
    """Independent sites near 0 miss the mode at 1, and those that are anything do not."""
    sites = lambda n, p: (rng.random((n, 12)) < p).astype(int)
    law = lambda p: lambda x: (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=-1)
    # Of 4096 states, so many draws at 1/2 leave out none for certain.
    draws = {0.15: 4000, 0.5: 60_000}
    near, wide = (ebm.reference.from_draws(sites(n, p), law(p)) for p, n in draws.items())
    found = verdict(two_corners, near, sites(100, 0.1), 1.0)
    assert found.verdict == "missed" and abs(found.missed_mass - 0.3) < 0.02, found
    assert "[1, 1, 1, ..., 1, 1, 1]" in found.reason
    assert verdict(two_corners, wide, sites(100, 0.1), 1.0).verdict == "covered"


def test_sites_that_are_bound_to_one_another_are_left_alone(rng):
    """Symmetric matrices: changing one entry alone leaves the space, whose Z is another."""
    upper = rng.integers(0, 2, (1000, 6))
    matrices = np.zeros((1000, 4, 4), dtype=int)
    matrices[:, *np.triu_indices(4, 1)] = upper
    matrices += matrices.swapaxes(1, 2)
    search = lambda points: search_modes(
        ebm.reference.from_draws(points, np.zeros(len(points))),
        points, None, lambda x: -x.reshape(len(x), -1).sum(axis=1) / 2.0, None, rng,
    )[0]  # fmt: skip
    assert search(matrices) == []
    assert len(search(upper)) == 1


PAIRS = np.arange(8000) // 2


def halves(q):
    """p of a difference between halves of a reference of a Gaussian of scale 2."""
    log_weights = [q.log_weights - q.points**2 / (2 * s**2) for s in (1.9, 2.0, 2.1)]
    return compare_halves(q, np.array(log_weights))[1]


def test_halves_of_chains_whose_groups_are_too_short(rng):
    """A slow autoregression of the right law; of independent draws none in 40 alarms.

    Nor do draws in order of size, each its own group.
    """
    found = {}
    for correlation, seeds in ((0.0, 40), (0.999, 10)):
        noise = rng.normal(0, np.sqrt(1 - correlation**2), size=(seeds, 8000))
        noise[:, 0] = rng.normal(size=seeds)
        y = 2.5 * signal.lfilter([1], [1, -correlation], noise)
        found[correlation] = []
        for row in y:
            q = ebm.reference.from_draws(row, stats.norm(0, 2.5).logpdf, groups=PAIRS)
            found[correlation].append(halves(q) < 1e-4)
    assert sum(found[0.0]) == 0
    # 37 of 40 such chains did; fewer than 5 of 10 is 5 standard errors from that.
    assert sum(found[0.999]) >= 5
    with pytest.warns(UserWarning, match="they are sorted"):
        q = ebm.reference.from_draws(np.sort(y[0]), stats.norm(0, 2.5).logpdf)
    assert halves(q) > 1e-4


def test_regression_and_mixture(rng):
    z = rng.uniform(1, 2, 40)
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        ebm.EBM("x", s * z, energy=gaussian, reference=normal(0, 5), observed=rng.normal(0, z))
        parts = [
            ebm.EBM.dist(s, energy=gaussian, reference=normal(0, 4)),
            ebm.EBM.dist(4.0, energy=gaussian, reference=normal(30, 1)),
        ]
        pm.Mixture("y", w=[0.5, 0.5], comp_dists=parts, observed=rng.normal(0, 2, 30))
    posterior = xr.Dataset({"s": (("chain", "draw"), [[0.9, 1.0, 1.1]])})
    found = check_coverage(posterior, Normalisers(model))
    assert {name: v.verdict for name, v in found.items()} == {
        "x": "covered", "y[0]": "covered", "y[1]": "missed",
    }  # fmt: skip


def test_lattices(rng):
    """Chains near the data reach them, and chains in the ordered phase do not."""
    ising = ebm.energies.ising
    states = ebm.reference.from_draws(rng.choice([-1, 1], size=(100, 8, 8)), np.zeros(100))
    gibbs = partial(ebm.sampling.gibbs, reference=states, clusters=True, progressbar=False)
    data = gibbs(ising, 0.2, draws=1, chains=30, random_seed=rng, return_inferencedata=False)[:, 0]
    near, far = (
        ebm.reference.chain(ising, b, sampler=gibbs, random_seed=rng, progressbar=False)
        for b in (0.2, 0.8)
    )
    assert verdict(ising, near, data, 0.2).verdict == "covered"
    found = verdict(ising, far, data, 0.2)
    assert found.verdict == "missed" and found.data_excess > 10


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 2000])
def test_false_alarms(n, rng):
    """12 sound references and data: no alarm."""
    alarms = 0
    for seed in range(4):
        data = rng.normal(0, 1, n)
        for q in (normal(0, 2, seed=seed), normal(0, 1.3, 512, "sobol", seed=seed)):
            alarms += verdict(gaussian, q, data, 1.0).verdict != "covered"
        t = ebm.reference.fitted(rng.standard_t(3, n), 1024, random_seed=seed)
        alarms += verdict(gaussian, t, rng.standard_t(3, n), 1.7).verdict != "covered"
    assert alarms == 0


def test_a_mode_with_mass_in_a_part_of_the_posterior(rng):
    """Draws far from one another are looked at: the left well counts where h is small."""
    well = lambda x, h: (x**2 - 4) ** 2 / 2 - h * x
    right = ebm.reference.independent(pm.Normal.dist(2, 0.7), 2**14, random_seed=1)
    with pm.Model() as model:
        h = pm.Normal("h", 0, 2)
        ebm.EBM("x", h, energy=well, reference=right, observed=rng.normal(2, 0.2, 50))
    # Evenly spaced draws would all have the left well at 0.03% of the mass.
    h_draws = np.full((2, 100), 2.0)
    h_draws[:, 10:25] = 0.5
    posterior = xr.Dataset({"h": (("chain", "draw"), h_draws)})
    found = check_coverage(posterior, Normalisers(model))["x"]
    assert found.verdict == "missed"
    # At h = 0.5 the wells have e^{±2h} but for their widths.
    assert abs(found.missed_mass - 1 / (1 + np.exp(2.0))) < 0.02


def test_data_of_distinct_rows(rng):
    """20 groups of 5: the data of the row with the least ESS are compared with its points."""
    group = np.repeat(np.arange(20), 5)
    far = np.where(group == 3, 40.0, 0.0)
    verdicts = []
    for shift, of_group in ((np.zeros(100), 1.0), (far, 20.0)):
        with pm.Model() as model:
            s = pm.HalfNormal("s", 5, shape=20)
            ebm.EBM(
                "x", s[group], energy=gaussian, reference=normal(0, 4),
                observed=rng.normal(0, 1, 100) + shift,
            )  # fmt: skip
        values = np.ones((1, 3, 20))
        values[..., 3] = of_group
        posterior = xr.Dataset({"s": (("chain", "draw", "s_dim_0"), values)})
        verdicts.append(check_coverage(posterior, Normalisers(model))["x"])
    covered, missed = verdicts
    assert covered.n_data == missed.n_data == 5
    assert covered.verdict == "covered" and not np.isnan(covered.data_excess)
    assert missed.verdict == "missed"
