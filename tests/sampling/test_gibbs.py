"""Gibbs sampling against enumerated probabilities, on each of its paths."""

import importlib
from functools import partial

import arviz as az
import numba
import numpy as np
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm
from pymc_ebm.energies import edges, ergm, gwesp
from pymc_ebm.energies import triangles as ready_triangles
from pymc_ebm.energy.energy import Energy
from pymc_ebm.sampling import gibbs
from pymc_ebm.sampling.compiled_energies import energy_function
from pymc_ebm.sampling.local_energy import local_energy
from pymc_ebm.sampling.sites import sites_of
from pymc_ebm.space.clusters import clusters_of


def ising(s, b, h):
    return -(b * s * (pt.roll(s, 1, -1) + pt.roll(s, 1, -2)) + h * s).sum((-2, -1))


def potts(x, b, field):
    """Three sites in a ring, three colours, a field on colour 1."""
    return -b * pt.eq(x, pt.roll(x, 1, -1)).sum(-1) - field * pt.eq(x, 1).sum(-1)


def counts(x, log_rate, nu):
    """Conway–Maxwell–Poisson."""
    return -x * log_rate + nu * pt.gammaln(x + 1)


def triangles(x, b, t):
    """Edges and triangles of graphs on 4 nodes, edges in the order 01 02 03 12 13 23."""
    edge = [x[..., i] for i in range(6)]
    three = sum(
        edge[i] * edge[j] * edge[k] for i, j, k in ((0, 1, 3), (0, 2, 4), (1, 2, 5), (3, 4, 5))
    )
    return -b * x.sum(-1) - t * three


def boltzmann(x, coupling, bias):
    """A matrix and a vector of parameters: quadratic in what is hoisted."""
    return -(x * pt.dot(x, coupling)).sum(-1) - (x * bias).sum(-1)


def hard_core(x, b):
    """No two neighbours in a row."""
    together = (x[..., 1:] * x[..., :-1]).sum(-1)
    return pt.switch(together > 0, np.inf, -b * x.sum(-1))


def bent(x, b):
    """Not linear in the sum, and different at each θ."""
    return pt.abs(x.sum(-1) - b)


def squared(x, m, b):
    """Not linear in the sum that is hoisted, yet a sum over pairs of sites."""
    return b * (x.astype("float64").sum(-1) - m) ** 2


COUPLING = np.triu(np.random.default_rng(3).normal(0, 0.4, size=(6, 6)), 1)
BIAS = np.linspace(-1, 1, 6)
CASES = {
    "Ising 3 x 3": (ising, (0.25, 0.1), [-1, 1], (3, 3), None, True),
    "Potts": (potts, (0.7, 0.4), [0, 1, 2], (3,), None, True),
    "counts": (counts, (0.5, 1.3), np.arange(40), (), None, True),
    "triangles": (triangles, (-0.3, 0.8), [0, 1], (6,), None, False),
    "Boltzmann machine": (boltzmann, (COUPLING, BIAS), [0, 1], (6,), "(k,k),(k)", True),
    "hard core": (hard_core, (0.5,), [0, 1], (6,), None, False),
    "squared": (squared, (2.5, 0.4), [0, 1, 2], (4,), None, True),
    "bent": (bent, (1.3,), [0, 1, 2], (4,), None, False),
}  # fmt: skip
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def space(values, shape):
    shape = shape or None
    return ebm.reference.enumeration(values, shape=shape, complete=True)


@every_case
@pytest.mark.parametrize("clusters", [False, True])
def test_by_enumeration(case, clusters, chisquare_of_states, seed):
    """8000 chains of one draw each are independent, so χ² holds: p > 1e-3 in 99.9% of seeds.

    Forty sweeps from states chosen uniformly leave no trace of the start in spaces this small.
    """
    energy, params, values, shape, signature, _ = case
    states = space(values, shape)
    energy = Energy(energy, signature)
    row = energy.row(params)
    e = energy_function(energy, states, row)(states.points)
    p = np.exp(e.min() - e)
    x = gibbs(
        energy, *params, reference=states, draws=1, chains=8000, tune=40, random_seed=seed,
        signature=signature, progressbar=False, clusters=clusters, return_inferencedata=False,
    ).reshape(8000, -1)  # fmt: skip
    known = states.points.reshape(states.n_points, -1)
    weight = len(values) ** np.arange(known.shape[1])
    place = np.argsort(np.searchsorted(values, known) @ weight)
    found = place[np.searchsorted(values, x) @ weight]
    assert chisquare_of_states(found, p / p.sum()) > 1e-3
    assert (np.isfinite(e[found])).all()


@every_case
def test_paths(case):
    """Which energies are found to be sums over sites and pairs, and that they are right."""
    energy, params, values, shape, signature, pairwise = case
    states = space(values, shape)
    energy = Energy(energy, signature)
    row = energy.row(params)
    energy_of = energy_function(energy, states, row)
    sites = sites_of(states)
    local = local_energy(energy, states, sites, row, energy_of, ())
    assert (local is not None) == pairwise
    if pairwise:
        e, found = energy_of(states.points), local(sites.codes(states.points))[:, 0]
        np.testing.assert_allclose(found - found[0], e - e[0], atol=1e-10)


@every_case
def test_which_energies_have_clusters(case):
    """Of the pairwise ones, those of two values or of couplings to equal values."""
    energy, params, values, shape, signature, _ = case
    states = space(values, shape)
    energy = Energy(energy, signature)
    row = energy.row(params)
    sites = sites_of(states)
    local = local_energy(energy, states, sites, row, energy_function(energy, states, row), ())
    clusters = None if local is None else clusters_of(local, sites)
    assert (clusters is not None) == (energy.function in (ising, potts, boltzmann))
    if clusters is not None:
        # The strengths and fields are the energy, up to a constant.
        codes = sites.codes(states.points)
        equal = codes[:, clusters.pairs[:, 0]] == codes[:, clusters.pairs[:, 1]]
        satisfied = equal == clusters.alike
        found = satisfied @ np.log1p(-clusters.bound)
        found += clusters.field[np.arange(codes.shape[1]), codes].sum(axis=1)
        e = local(codes)[:, 0]
        np.testing.assert_allclose(found - found[0], e - e[0], atol=1e-10)


@pytest.mark.slow
def test_clusters_at_the_critical_point(kaufman, seed):
    """32 × 32: the mean energy of Kaufman's formula within 4 standard errors of at most 0.5%.

    Single sites give 100 times fewer effective draws, and their chains would not pass.
    """
    rng = np.random.default_rng(seed)
    states = ebm.reference.from_draws(rng.choice([-1, 1], size=(100, 32, 32)), np.zeros(100))
    critical = np.log1p(np.sqrt(2)) / 2
    draws = gibbs(
        ebm.energies.ising, critical, reference=states, draws=2000, tune=500, random_seed=rng,
        progressbar=False, clusters=True,
    )  # fmt: skip
    energies = draws["sample_stats"]["energy"]
    error = float(az.mcse(energies))
    # E = −β d log Z / dβ
    log_z = [kaufman(32, 32, critical + h) for h in (-1e-4, 1e-4)]
    exact = -critical * (log_z[1] - log_z[0]) / 2e-4
    assert error < 0.005 * abs(exact)
    assert abs(float(energies.mean()) - exact) < 4 * error


def test_differences_are_found_once_for_all_theta(monkeypatch):
    import pymc_ebm.sampling.local_energy as module

    calls = []
    counted = lambda *args: calls.append(1) or module_decompose(*args)
    module_decompose = module.decompose
    monkeypatch.setattr(module, "decompose", counted)
    states = space([-1, 1], (3, 3))
    for b in (0.1, 0.2, -0.3):
        gibbs(ising, b, 0.1, reference=states, draws=2, progressbar=False)
    assert len(calls) == 1


def test_an_energy_that_bends_only_where_the_chains_go(chisquare_of_states, seed):
    """Linear wherever it is looked at beforehand, and caught at the draws."""
    length = 40

    def energy(x, b):
        # One state of 2⁴⁰ is the mode by far, and no check meets it by chance.
        special = pt.eq(x, np.arange(length) % 2).all(-1)
        return -b * (x * (2 * (np.arange(length) % 2) - 1)).sum(-1) - 30.0 * special

    points = np.random.default_rng(1).integers(0, 2, size=(50, length))
    reference = ebm.reference.from_draws(points, np.zeros(50))
    x = gibbs(
        energy, 3.0, reference=reference, draws=200, tune=20, random_seed=seed, progressbar=False,
        return_inferencedata=False,
    )  # fmt: skip
    # Without the special state each site is right with probability 1 / (1 + e⁻³) = 0.953, all 40
    # in 14% of draws; with its 30 nats in all but e⁻³⁰ · 6.
    assert (x == np.arange(length) % 2).all(-1).mean() == 1


def network(*statistics, n_nodes=5):
    dyads = n_nodes * (n_nodes - 1) // 2
    return ergm(statistics), ebm.reference.enumeration([0, 1], shape=dyads, complete=True)


@pytest.mark.parametrize("n_nodes", [4, 5])
def test_network_by_its_changes(n_nodes, chisquare_of_states, seed, monkeypatch):
    """4000 independent draws of graphs of 4 and 5 nodes, 64 and 1024, never by the energy."""
    module = importlib.import_module("pymc_ebm.sampling._gibbs")
    monkeypatch.setattr(module, "candidate_sweeps", None)
    monkeypatch.setattr(module, "local_energy", None)
    energy, graphs = network(edges, ready_triangles, partial(gwesp, decay=0.5), n_nodes=n_nodes)
    theta = np.array([-0.6, 0.5, 0.3])
    x = gibbs(
        energy, theta, reference=graphs, signature="(k)", draws=1, chains=4000, tune=40,
        random_seed=seed, progressbar=False, return_inferencedata=False,
    )[:, 0]  # fmt: skip
    e = energy_function(Energy(energy, "(k)"), graphs, [theta])(graphs.points)
    p = np.exp(e.min() - e)
    p /= p.sum()
    weight = 2 ** np.arange(graphs.points.shape[1])
    found = np.argsort(graphs.points @ weight)[x @ weight]
    assert chisquare_of_states(found, p) > 1e-3
    # Means of the energy and of the ties, in standard errors of independent draws.
    for f in (e, graphs.points.sum(axis=1)):
        mean, sd = p @ f, np.sqrt(p @ (f - p @ f) ** 2)
        assert abs(f[found].mean() - mean) < 4 * sd / np.sqrt(4000)


def test_a_change_of_many_values_and_impossible_ones(chisquare_of_states, seed):
    """Three sites of three values in a row, whose neighbours may not both be 2."""

    def energy(x, weights):
        pairs = pt.eq(x[..., 1:], 2) & pt.eq(x[..., :-1], 2)
        return pt.switch(pairs.any(-1), np.inf, -weights[x].sum(-1) * x.sum(-1))

    def around(x, site):
        return (site > 0 and x[site - 1] == 2) or (site < len(x) - 1 and x[site + 1] == 2)

    around = numba.njit(around)

    @numba.njit
    def change(x, site, value, weights):
        if value == 2 and x[site] != 2 and around(x, site):
            return np.inf
        total, w = 0, 0.0
        for i in range(len(x)):
            total += x[i]
            w += weights[x[i]]
        after = w + weights[value] - weights[x[site]]
        return w * total - after * (total + value - x[site])

    energy.local_change = change
    states, weights = space([0, 1, 2], (3,)), np.array([0.1, 0.4, 0.3])
    e = energy_function(Energy(energy, "(k)"), states, [weights])(states.points)
    p = np.exp(-e)
    x = gibbs(
        energy, weights, reference=states, signature="(k)", draws=1, chains=8000, tune=40,
        random_seed=seed, progressbar=False, return_inferencedata=False,
    )[:, 0]  # fmt: skip
    place = np.argsort(states.points @ [9, 3, 1])
    assert chisquare_of_states(place[x @ [9, 3, 1]], p / p.sum()) > 1e-3


def test_a_wrong_change_is_refused(seed):
    energy, graphs = network(edges, ready_triangles, n_nodes=4)
    options = dict(reference=graphs, signature="(k)", random_seed=seed, draws=10, progressbar=False)
    right = energy.local_change
    energy.local_change = numba.njit(lambda x, site, value, theta: theta[0] * (value - x[site]))
    with pytest.raises(ValueError, match=r"local_change .* is .*energy changes by .*delete"):
        gibbs(energy, [-1.0, 0.5], **options)
    energy.local_change = numba.njit(lambda x, site, value, theta: np.nan)
    with pytest.raises(ValueError, match="local_change of the energy is nan"):
        gibbs(energy, [-1.0, 0.5], **options)
    energy.local_change = lambda x, site, value, theta: right(x, site, value, theta)
    with pytest.raises(TypeError, match=r"is a function.*numba\.njit"):
        gibbs(energy, [-1.0, 0.5], **options)


@pytest.mark.parametrize(
    "factor, message", [(0.5, "site .* the energy changes by"), (np.nan, "NaN or −inf at a state")]
)
def test_a_change_that_is_wrong_only_where_the_chains_go(factor, message, seed):
    """No state looked at beforehand is near the mode, one of 2⁴⁰, and nearly every draw is."""
    mode = np.arange(40) % 2
    energy = lambda x, b: -b * (x * (2 * mode - 1)).sum(-1)

    @numba.njit
    def change(x, site, value, b):
        far = (x != mode).sum() > 4
        return -b * (value - x[site]) * (2 * mode[site] - 1) * (1.0 if far else factor)

    energy.local_change = change
    reference = ebm.reference.from_draws(np.zeros((50, 40), dtype=int), np.zeros(50))
    options = dict(reference=reference, values=[0, 1], random_seed=seed, progressbar=False)
    with pytest.raises(ValueError, match=message):
        gibbs(energy, 9.0, **options)


def test_values(seed):
    states = ebm.reference.from_draws(np.arange(30) % 3, np.zeros(30))
    options = dict(
        reference=states, random_seed=seed, progressbar=False, return_inferencedata=False
    )
    assert set(np.unique(gibbs(counts, 1.5, 1.0, **options))) == {0, 1, 2}
    more = gibbs(counts, 1.5, 1.0, values=range(60), draws=5000, **options)
    assert more.max() > 6
    # A Poisson of rate e^1.5, whose mean of 20,000 independent draws has this standard error.
    assert abs(more.mean() - np.exp(1.5)) < 5 * np.sqrt(np.exp(1.5) / 20_000)
    pair = ebm.reference.from_draws(np.arange(60).reshape(30, 2) % 2, np.zeros(30))
    options["reference"] = pair
    x = gibbs(lambda x, b: b * x.sum(-1), 0.0, values=[[0, 1, 2], [5, 7]], **options)
    assert [set(np.unique(x[..., i])) for i in range(2)] == [{0, 1, 2}, {5, 7}]
    # The bytes of these are the same.
    free = lambda x, b: b * x.sum(-1)
    for values, wanted in (([0, 1], {0, 1}), ([[0], [1]], {0})):
        x = gibbs(free, 0.0, initvals=[[0, 1]] * 4, **{**options, "values": values})
        assert set(np.unique(x[..., 0])) == wanted


def test_thinning_keeps_every_third_sweep():
    states = space([-1, 1], (3, 3))
    options = dict(
        reference=states, chains=2, random_seed=1, progressbar=False, return_inferencedata=False
    )
    every = gibbs(ising, 0.2, 0.0, draws=30, tune=5, **options)
    third = gibbs(ising, 0.2, 0.0, draws=10, tune=5, thin=3, **options)
    np.testing.assert_array_equal(every[:, 2::3], third)
    unwarmed = gibbs(ising, 0.2, 0.0, draws=35, tune=0, **options)
    np.testing.assert_array_equal(unwarmed[:, 5:], every)


def test_refuses():
    import pymc as pm

    normal = ebm.reference.independent(pm.Normal.dist(0.0, 1.0), 64, random_seed=1)
    with pytest.raises(TypeError, match=r"no sites.*independent_metropolis"):
        gibbs(lambda x, s: x**2 * s, 1.0, reference=normal)
    some = ebm.reference.enumeration(np.array([[0, 1], [1, 0], [1, 1]]), complete=True)
    linear = lambda x, b: b * x.sum(-1)
    with pytest.raises(ValueError, match=r"3 states.*combine to 4"):
        gibbs(linear, 1.0, reference=some)
    states = space([0, 1], (2,))
    with pytest.raises(ValueError, match=r"values has 3 sequences.* 2 sites"):
        gibbs(linear, 1.0, reference=states, values=[[0, 1]] * 3)
    with pytest.raises(ValueError, match=r"1 of 2 initvals have a value"):
        gibbs(linear, 1.0, reference=states, chains=2, initvals=[[0, 1], [0, 5]])
    bounded = ebm.reference.from_draws(np.arange(30) % 2, np.zeros(30), support=(0, 1))
    with pytest.raises(ValueError, match=r"from 0 to 3, lie outside the support \[0, 1\]"):
        gibbs(lambda x, b: b * x, 1.0, reference=bounded, values=range(4))
