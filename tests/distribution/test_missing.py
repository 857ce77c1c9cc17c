"""Missing entries of an event: log Z(completions given the seen) − log Z(all), by enumeration."""

import itertools

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.distribution.pilot import PilotLikelihood
from pymc_ebm.energy.energy import Energy
from pymc_ebm.space.guess import space_of

DYADS = list(itertools.combinations(range(4), 2))
TRIANGLES = [
    [DYADS.index(d) for d in itertools.combinations(t, 2)]
    for t in itertools.combinations(range(4), 3)
]
GRAPHS = np.array(list(itertools.product([0, 1], repeat=6)))
NETWORK = np.ma.array([[1, 1, 0, 1, 1, 0]], mask=[[0, 0, 1, 0, 1, 0]])


def edges_and_triangles(x, edges, triangles):
    count = sum(x[:, a] * x[:, b] * x[:, c] for a, b, c in TRIANGLES)
    return -edges * x.sum(axis=1) - triangles * count


def of_seen(states, observed, holes, energy):
    """Log-probability of what was seen, by a sum over states, for each event."""
    log_z = logsumexp(-energy(states))
    fits = [
        (states[:, ~hole] == x[~hole]).all(axis=1) for x, hole in zip(observed, holes, strict=True)
    ]
    return np.array([logsumexp(-energy(states[fit])) for fit in fits]) - log_z


@pytest.fixture(scope="module")
def network():
    with pm.Model() as model:
        edges = pm.Normal("edges", 0, 2)
        triangles = pm.Normal("triangles", 0, 1)
        ebm.EBM("x", edges, triangles, energy=edges_and_triangles, support=(0, 1), observed=NETWORK)
    return model


def test_missing_ties_of_a_network(network):
    """Value and slopes at two places, against all 64 graphs."""
    function = network.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values({})
    normal = lambda p: stats.norm(0, [2, 1]).logpdf(p).sum()

    def truth(p):
        at = lambda x: edges_and_triangles(x, *p)
        return of_seen(GRAPHS, NETWORK.data, NETWORK.mask, at)[0] + normal(p)

    for point in (np.array([-0.4, 0.7]), np.array([1.0, -1.2])):
        value, slope = function(point)
        np.testing.assert_allclose(value, truth(point), atol=1e-10)
        expected = [(truth(point + d) - truth(point - d)) / 2e-5 for d in 1e-5 * np.eye(2)]
        np.testing.assert_allclose(slope, expected, atol=1e-8)
    found = dict(ebm.diagnostics.find_log_partitions(network))
    assert len(found) == 2
    c = ebm.diagnostics.amplification(network)
    assert sorted(float(v.sum()) for v in c.values()) == [-1, 1]


@pytest.mark.parametrize("kind", ["NaN", "masked", "one side"])
def test_missing_ties_of_a_matrix(kind):
    """An adjacency matrix with ties 03 and 13 missing, as NaN or masked."""
    a = np.array([[0, 1, 1, 0], [1, 0, 1, 0], [1, 1, 0, 0], [0, 0, 0, 0]], dtype=float)
    holes = np.zeros((4, 4), dtype=bool)
    holes[[0, 1, 3, 3], [3, 3, 0, 1]] = True
    if kind == "one side":  # tie 01 is told by node 1, and nothing by a diagonal
        holes[0, 1] = holes[2, 2] = True
    given = np.ma.array(a, mask=holes) if kind == "masked" else np.where(holes, np.nan, a)
    found = ebm.energies.to_dyads(given)
    assert np.ma.isMaskedArray(found) == (kind == "masked")
    assert np.ma.masked_invalid(found).tolist() == [1, 1, None, 1, None, 0]
    there = np.ma.masked_invalid(ebm.energies.to_dyads(given, directed=True))
    assert there.mask.sum() == (5 if kind == "one side" else 4)
    found = ebm.energies.to_dyads(np.where(np.eye(4), np.nan, a))  # R has NA on the diagonal
    assert not np.ma.isMaskedArray(found) and found.sum() == 3


def test_report_and_imputed_ties(network):
    """Both sums are counted; imputed ties follow their conditional distribution (χ², p > 1e-6)."""
    verdict = ebm.check(network, progressbar=False)
    assert verdict.status == "ok" and "Every normaliser is exact" in str(verdict)
    at = {"edges": np.full((1, 600), -0.4), "triangles": np.full((1, 600), 0.7)}
    idata = ebm.impute(az.from_dict({"posterior": at}), model=network, random_seed=1)
    drawn = idata["posterior_predictive"]["x_imputed"].to_numpy()[0, :, 0]
    seen = ~NETWORK.mask[0]
    assert (drawn[:, seen] == NETWORK.data[0, seen]).all()
    completions = GRAPHS[(GRAPHS[:, seen] == NETWORK.data[0, seen]).all(axis=1)]
    weights = np.exp(-edges_and_triangles(completions, -0.4, 0.7))
    counts = [(drawn == c).all(axis=1).sum() for c in completions]
    assert stats.chisquare(counts, 600 * weights / weights.sum()).pvalue > 1e-6


def test_lattices_with_holes(rng):
    """Three 3 × 3 lattices: complete, with one hole and with two, and each hole elsewhere."""

    def ising(s, beta):
        pairs = (s[:, 1:] * s[:, :-1]).sum((1, 2)) + (s[:, :, 1:] * s[:, :, :-1]).sum((1, 2))
        return -beta * pairs

    spins = rng.choice([-1.0, 1.0], size=(4, 3, 3))
    for place in ((1, 0, 2), (2, 1, 1), (2, 2, 0), (3, 0, 0)):
        spins[place] = np.nan
    states = ebm.reference.enumeration([-1, 1], shape=(3, 3), complete=True)
    with pm.Model() as model:
        beta = pm.Flat("beta")
        ebm.EBM("s", beta, energy=ising, reference=states, observed=spins)
    logp = model.logp(vars=model.observed_RVs, sum=False)
    found = model.compile_fn(logp)({"beta": 0.3})[0]
    flat = states.points.reshape(512, 9)
    at = lambda s: ising(s.reshape(-1, 3, 3), 0.3)
    holes = np.isnan(spins.reshape(4, 9))
    np.testing.assert_allclose(found, of_seen(flat, spins.reshape(4, 9), holes, at), atol=1e-10)


def test_vectors_with_missing_coordinates(rng):
    """Bivariate normal: complete vectors, either coordinate missing, both; against the marginals.

    The default reference and the panels of the completions give the log-likelihood to 1e-5.
    """
    covariance = np.array([[1.5, 0.9], [0.9, 1.2]])
    precision = np.linalg.inv(covariance)
    x = rng.multivariate_normal([0.5, -1.0], covariance, size=40)
    x[:8, 0] = x[5:12, 1] = np.nan

    def energy(x, a, b):
        y = x - pt.stack([a, b])
        return ((y @ precision) * y).sum(axis=-1) / 2

    with pm.Model() as model:
        a, b = pm.Normal("a", 0, 2), pm.Normal("b", 0, 2)
        ebm.EBM("x", a, b, energy=energy, observed=x)
    point = {"a": 0.3, "b": -0.7}
    found = model.compile_fn(model.logp(vars=model.observed_RVs, sum=False))(point)[0]
    mean = np.array([0.3, -0.7])
    for k in range(40):
        seen = ~np.isnan(x[k])
        cov = covariance[np.ix_(seen, seen)]
        truth = stats.multivariate_normal(mean[seen], cov).logpdf(x[k, seen]) if seen.any() else 0.0
        np.testing.assert_allclose(found[k], truth, atol=1e-5)


def test_one_hole_does_not_hide_what_binds_the_others(rng):
    directions = rng.normal(size=(60, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    shares, tables = rng.dirichlet([2, 3, 4], 60), rng.integers(0, 2, size=(9, 4, 4)) * 1.0
    tables = np.triu(tables, 1) + np.triu(tables, 1).swapaxes(1, 2)
    for data, support, event_axes in (
        (directions, "sphere", -1), (shares, "simplex", -1), (tables, None, (-2, -1)),
    ):  # fmt: skip
        data.flat[7] = np.nan
        energy = lambda x, k, axes=event_axes: k * (x**2).sum(axes)
        with pm.Model():
            k = pm.HalfNormal("k")
            words = f'support="{support}"' if support else "energies.to_dyads"
            with pytest.raises(ValueError, match=f"Every event .*{words}"):
                ebm.EBM("x", k, energy=energy, observed=data)
            if support is not None:
                with pytest.raises(ValueError, match=f"Every event .*{words}"):
                    ebm.EBM("x", k, energy=energy, observed=data, support=(-1, 1))
                with pytest.raises(NotImplementedError, match="Leave out the events with holes"):
                    ebm.EBM("x", k, energy=energy, observed=data, support=support)
                space_of(data[~np.isnan(data).any(axis=1)], support)  # as it says


def test_what_is_refused():
    orders = np.array(list(itertools.permutations(range(3))))
    states = ebm.reference.enumeration(orders, complete=True)
    with pm.Model():
        a = pm.Normal("a")
        distance = lambda x, a: a * (x[:, 0] - 1) ** 2
        with pytest.raises(NotImplementedError, match="bound to one another"):
            ebm.EBM("x", a, energy=distance, reference=states, observed=[[0, 1, np.nan]])
        counts = np.ma.masked_equal([[0, 1], [3, 2], [5, 9]], 9)
        rates = lambda x, a: a * x.sum(-1)
        with pytest.raises(NotImplementedError, match=r"which values .* support=\(low, high\)"):
            ebm.EBM("c", a, energy=rates, observed=counts, support=(0, np.inf))
        ebm.EBM("c", a, energy=rates, observed=counts, support=(0, 9))  # as it says
        cast = np.where(counts.mask, np.iinfo(np.int64).min, counts.data)
        with pytest.raises(ValueError, match=r"1 observed values are -9223.* NaN becomes"):
            ebm.EBM("d", a, energy=rates, observed=cast)
        with pytest.raises(NotImplementedError, match="1 observed values are NaN"):
            ebm.EBM("y", a, energy=lambda x, a: (x - a) ** 2, observed=[0.5, np.nan, 1.0])
    with pytest.raises(ValueError, match="no missing entries to draw"):
        ebm.impute(az.from_dict({"posterior": {"a": np.zeros((1, 2))}}), model=pm.Model())


@pytest.mark.parametrize("correlation", [0.5, 0.999])
def test_three_of_four_missing_however_much_the_fourth_tells(correlation, rng):
    """Normal vectors: an entry alone has its marginal density, to 0.02 nats.

    Points of the missing entries' own law are off by 1.5 nats where they are nearly determined.
    """
    covariance = np.full((4, 4), correlation) + (1 - correlation) * np.eye(4)
    precision = np.linalg.inv(covariance)
    x = rng.multivariate_normal(np.zeros(4), covariance, 60)
    x[3, 1:] = x[7, [0, 2, 3]] = np.nan
    log_z = 2 * np.log(2 * np.pi) + np.linalg.slogdet(covariance)[1] / 2

    def energy(x, m, s):
        z = (x - m) / s
        return ((z @ precision) * z).sum(-1) / 2 + 4 * pt.log(s) + log_z

    wide = ebm.reference.independent(
        pm.MvNormal.dist(np.zeros(4), cov=4 * covariance), 2**12, "sobol", random_seed=1
    )
    with pm.Model() as model:
        m, s = pm.Normal("m", 0, 5), pm.HalfNormal("s", 5, initval=1.0)
        ebm.EBM("x", m, s, energy=energy, reference=wide, observed=x)
    logp = model.compile_logp(vars=[model["x"]], sum=False)
    for mean, sd in ((0.0, 1.0), (0.3, 1.2)):
        [found] = logp({"m": mean, "s_log__": np.log(sd)})
        truth = stats.norm(mean, sd).logpdf(x[[3, 7], [0, 1]])
        np.testing.assert_allclose(found[[3, 7]], truth, atol=0.02)


def test_holes_say_nothing_of_what_they_leave_open(rng):
    """x₂ = x₁ + r ε with ε normal: holes in x₂ leave N(0, 1) of x₁, whatever r, to 0.01 nats.

    Were they filled in and taken for data, r would seem as large as 1, and points be laid there.
    """
    x = np.cumsum(rng.normal(size=(70, 2)) * [1, 0.01], axis=1)
    x[:35, 1] = np.nan

    def energy(x, r):
        return x[..., 0] ** 2 / 2 + (x[..., 1] - x[..., 0]) ** 2 / (2 * r**2)

    with pm.Model() as model:
        r = pm.HalfNormal("r", 1)
        ebm.EBM("x", r, energy=energy, observed=x)
    logp = model.compile_logp(vars=[model["x"]], sum=False)
    differences = x[35:, 1] - x[35:, 0]
    for sds in (-3, 0, 3):
        scale = np.sqrt((differences**2).mean()) * (1 + sds / np.sqrt(70))
        truth = stats.norm.logpdf(x[:, 0])
        truth[35:] += stats.norm(0, scale).logpdf(differences)
        [found] = logp({"r_log__": np.log(scale)})
        np.testing.assert_allclose(found, truth, atol=0.01)
        assert abs(found.sum() - truth.sum()) < 0.01


def test_completions_at_parameters_that_have_no_normaliser(rng):
    """E = b Σx on the quadrant: at b < 0, which the likely values reach, it is infinite."""
    x = rng.exponential(1, size=(12, 2))
    x[3, 1] = np.nan
    with pm.Model() as model:
        b = pm.Normal("b", initval=1.0)
        ebm.EBM("x", b, energy=lambda x, b: b * x.sum(-1), observed=x, support="positive")
    [found] = model.compile_logp(vars=[model["x"]], sum=False)({"b": 1.2})
    np.testing.assert_allclose(found, np.nansum(np.log(1.2) - 1.2 * x, axis=1), atol=1e-3)


def test_the_pilot_of_a_regression_is_of_whole_rows(rng):
    """Its log-likelihood is the normal one of the rows that have no hole."""
    z, x, whole = rng.normal(size=12), rng.normal(size=12), np.arange(12) % 3 > 0
    reference = ebm.reference.quadrature(-15, 15)
    with pm.Model():
        b = pm.Normal("b")
        energy = Energy(lambda x, m: (x - m) ** 2 / 2, "()")
        pilot = PilotLikelihood(energy, [b * z], x, 0, whole=whole)
    [found] = pilot.log_likelihood([np.array([0.7])], reference)
    np.testing.assert_allclose(found, stats.norm.logpdf(x - 0.7 * z)[whole].sum(), rtol=1e-9)


def test_a_row_that_all_events_share(rng):
    """A parameter of shape (1,) beside one of shape (N,)."""
    x = rng.normal(size=(20, 2))
    x[3, 1] = np.nan
    with pm.Model() as model:
        m, s = pm.Normal("m", shape=20), pm.HalfNormal("s", shape=1)
        ebm.EBM(
            "x", m, s, observed=x,
            energy=lambda x, m, s: ((x - m) ** 2).sum(-1) / (2 * s**2),
        )  # fmt: skip
    means = rng.normal(size=20)
    [found] = model.compile_logp(vars=[model["x"]], sum=False)({"m": means, "s_log__": [0.5]})
    truth = stats.norm(means[:, None], np.exp(0.5)).logpdf(x)
    np.testing.assert_allclose(found, np.nansum(truth, axis=1), atol=1e-4)
