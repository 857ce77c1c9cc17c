"""Networks: statistics and their changes against adjacency matrices, log Z over all graphs."""

import itertools
from functools import partial
from math import comb
from pathlib import Path

import numba
import numpy as np
import pymc as pm
import pytest
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.energies import (
    edge_changes,
    edges,
    ergm,
    gwesp,
    gwesp_changes,
    nodematch,
    star_changes,
    stars,
    to_adjacency,
    to_dyads,
    triangle_changes,
    triangles,
)

FLORENTINE = Path(__file__).parents[1] / "data" / "florentine_marriage.csv"


def count_triangles(a):
    return sum(a[i, j] * a[j, k] * a[i, k] for i, j, k in itertools.combinations(range(len(a)), 3))


def count_stars(a, k):
    return sum(comb(int(d), k) for d in a.sum(1))


def weighted_partners(a, decay):
    """e^α Σ_{s=1}^{n−2} (1 − (1 − e^−α)^s) EP_s, EP_s the ties with s shared partners."""
    n = len(a)
    partners = [
        sum(a[i, h] * a[j, h] for h in range(n))
        for i, j in itertools.combinations(range(n), 2)
        if a[i, j]
    ]
    each = [np.exp(decay) * (1 - (1 - np.exp(-decay)) ** s) for s in range(1, n - 1)]
    return sum(partners.count(s) * w for s, w in enumerate(each, start=1))


STATISTICS = {
    "edges": (edges, edge_changes, lambda a: np.triu(a).sum()),
    "triangles": (triangles, triangle_changes, count_triangles),
    "1-stars": (partial(stars, k=1), partial(star_changes, k=1), partial(count_stars, k=1)),
    "2-stars": (stars, star_changes, partial(count_stars, k=2)),
    "3-stars": (partial(stars, k=3), partial(star_changes, k=3), partial(count_stars, k=3)),
} | {
    f"gwesp {decay}": (
        partial(gwesp, decay=decay),
        partial(gwesp_changes, decay=decay),
        partial(weighted_partners, decay=decay),
    )
    for decay in (0.0, 0.5, 2.0)
}
every_statistic = pytest.mark.parametrize(
    "statistic, changes, truth", STATISTICS.values(), ids=STATISTICS
)


@pytest.fixture
def graphs(rng):
    """Dyads of 40 graphs on 7 nodes, from sparse to dense, the empty and the full one."""
    density = np.linspace(0, 1, 40)[:, None]
    return (rng.random((40, 21)) < density).astype(np.int8)


@every_statistic
def test_statistics(statistic, changes, truth, graphs, values_of):
    found = values_of(statistic, graphs)
    np.testing.assert_allclose(found, [truth(to_adjacency(g)) for g in graphs], rtol=1e-12)


@every_statistic
def test_changes_by_toggling(statistic, changes, truth, graphs, values_of):
    """(1 − 2 x_ij) Δ_ij is what the statistic, counted on adjacency matrices, gains by a toggle."""
    graphs = graphs[::5]
    toggled = graphs[:, None] ^ np.eye(21, dtype=np.int8)
    gain = np.array(
        [
            [truth(to_adjacency(t)) - truth(to_adjacency(g)) for t in all_t]
            for g, all_t in zip(graphs, toggled, strict=True)
        ]
    )
    found = (1 - 2 * graphs) * values_of(changes, graphs)
    np.testing.assert_allclose(found, gain, atol=1e-12)


@every_statistic
@pytest.mark.parametrize("dtype", ["uint8", "bool", "int64", "float64"])
def test_local_changes(statistic, changes, truth, dtype, graphs):
    """The compiled change of one tie is what the count on adjacency matrices gains by it."""
    energy = ergm((statistic,))
    for g in graphs[::8] if dtype == "int64" else graphs[5::20]:
        before, x = truth(to_adjacency(g)), g.astype(dtype)
        for dyad in range(21):
            after = g.copy()
            after[dyad] = 1 - g[dyad]
            found = energy.local_change(x, dyad, after.astype(dtype)[dyad], np.array([-0.5]))
            np.testing.assert_allclose(
                found, 0.5 * (truth(to_adjacency(after)) - before), atol=1e-12
            )
            assert energy.local_change(x, dyad, x[dyad], np.array([-0.5])) == 0
        np.testing.assert_array_equal(x, g)


def test_local_changes_of_models(graphs, values_of):
    """Those of several statistics add up, and models of the same ones share what is compiled."""
    model = lambda: ergm((edges, partial(stars, k=3), triangles, partial(gwesp, decay=0.5)))
    energy, theta = model(), np.array([-1.0, 0.2, 0.3, 0.4])
    x = graphs[20]
    toggled = x ^ np.eye(21, dtype=np.int8)
    gain = values_of(energy, toggled, theta) - values_of(energy, x, theta)
    found = [energy.local_change(x, i, 1 - x[i], theta) for i in range(21)]
    np.testing.assert_allclose(found, gain, atol=1e-12)
    assert energy.local_change is model().local_change
    other = ergm((edges, partial(stars, k=2), triangles, partial(gwesp, decay=0.5)))
    assert other.local_change is not energy.local_change


def test_changes_of_ones_own_statistics(graphs):
    weight = np.arange(21.0)
    weighted = lambda x, *, power, scale: scale * (x * weight**power).sum(-1)
    assert not hasattr(ergm((edges, weighted)), "local_change")
    weighted.local_change = numba.njit(
        lambda x, site, value, power, scale: scale[0] * weight[site] ** power * (value - x[site])
    )
    # Options come in the order of the signature; an array has no hash.
    energy = ergm((edges, partial(weighted, scale=np.array([2.0]), power=3)))
    assert energy.local_change(np.zeros(21), 4, 1, np.array([0.0, -1.0])) == 2 * 4**3


def test_florentine_marriages(values_of):
    """20 ties and 3 triangles; degrees 6 4 4 3⁶ 2² 1⁴ 0 make 47 two-stars. Pucci has no tie."""
    ties = np.loadtxt(FLORENTINE, delimiter=",", skiprows=1, dtype=str)
    families = sorted({*ties.ravel(), "Pucci"})
    assert len(families) == 16
    a = np.zeros((16, 16), dtype=int)
    i, j = np.searchsorted(families, ties).T
    a[i, j] = a[j, i] = 1
    x = to_dyads(a)
    assert [values_of(s, x).item() for s in (edges, triangles, stars)] == [20, 3, 47]
    np.testing.assert_allclose(values_of(partial(gwesp, decay=0.5), x), weighted_partners(a, 0.5))


def test_ties_alone_are_independent():
    graphs = ebm.reference.enumeration([0, 1], shape=10, complete=True)
    log_z = ebm.log_partition(ergm((edges,)), [-0.7], reference=graphs, signature="(k)").eval()
    np.testing.assert_allclose(log_z, 10 * np.log1p(np.exp(-0.7)), rtol=1e-12)


def test_all_graphs_of_7_nodes(values_of):
    """log Z(−1, 0.3) = 6.848514 over 2,097,152 graphs, in blocks of 2¹⁵ (13 MB a matrix)."""
    energy = ergm((edges, triangles))
    log_z = []
    for start in range(0, 2**21, 2**15):
        graphs = (np.arange(start, start + 2**15)[:, None] >> np.arange(21) & 1).astype(np.int8)
        log_z.append(logsumexp(-values_of(energy, graphs, np.array([-1.0, 0.3]))))
    assert abs(logsumexp(log_z) - 6.848514) < 1e-6


def test_in_a_model_with_data_of_unknown_length():
    """pm.Data has no static shape: the number of nodes is then part of the graph."""
    graphs = ebm.reference.enumeration([0, 1], shape=6, complete=True)
    x = np.array([[1, 1, 0, 1, 0, 1]])
    with pm.Model() as model:
        theta = pm.Flat("theta", shape=2)
        data = pm.Data("data", x)
        energy = ergm((edges, partial(gwesp, decay=0.5)))
        ebm.EBM("x", theta, energy=energy, signature="(k)->(d)", reference=graphs, observed=data)
    logp = model.compile_logp()({"theta": np.array([-0.5, 0.4])})
    score = lambda x: -0.5 * x.sum() + 0.4 * weighted_partners(to_adjacency(x), 0.5)
    truth = score(x[0]) - logsumexp([score(g) for g in graphs.points])
    np.testing.assert_allclose(logp, truth, rtol=1e-12)


def test_networks_of_different_sizes_share_parameters(rng):
    """log p is that of independent networks: one of 4 nodes, one of 3, with an offset for size."""
    theta = np.array([-0.3, 0.6])
    with pm.Model() as model:
        shared, truth = pm.Flat("theta", shape=2), 0.0
        for n in (4, 3):
            kind, x = np.arange(n) % 2, rng.integers(2, size=(1, n * (n - 1) // 2))
            energy = ergm(
                (edges, partial(nodematch, attribute=kind)), offsets=[(edges, -np.log(n))]
            )
            ebm.EBM(f"size_{n}", shared, energy=energy, signature="(k)", observed=x)
            i, j = np.triu_indices(n, 1)
            log_odds = theta[0] - np.log(n) + theta[1] * (kind[i] == kind[j])
            truth += (x * log_odds - np.log1p(np.exp(log_odds))).sum()
    np.testing.assert_allclose(model.compile_logp()({"theta": theta}), truth, rtol=1e-12)


def test_dyads_there_and_back(rng):
    x = rng.integers(2, size=(3, 2, 15))
    a = to_adjacency(x)
    assert a.shape == (3, 2, 6, 6)
    assert (a == np.swapaxes(a, -1, -2)).all() and not np.trace(a, axis1=-2, axis2=-1).any()
    assert a[1, 0, 0].tolist() == [0, *x[1, 0, :5]]  # node 0: the dyads 01, 02, …
    np.testing.assert_array_equal(to_dyads(a), x)


def test_full_network_of_small_integers(values_of):
    """30 nodes, all tied: C(30, 3) triangles and 30 C(29, 2) two-stars."""
    x = np.ones(435, dtype=np.int8)
    assert values_of(edges, x) == 435
    assert values_of(triangles, x) == comb(30, 3)
    assert values_of(stars, x) == 30 * comb(29, 2)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: to_dyads(np.zeros((2, 3))), r"shape \(2, 3\)"),
        (lambda: to_dyads([[0, 2], [2, 0]]), "2 of 4 entries are neither 0 nor 1, the first is 2"),
        (lambda: to_dyads([[0, 1], [0, 0]]), "1 pairs of nodes are tied in one direction"),
        (lambda: to_dyads([[1, 0], [0, 0]]), "1 nodes are tied to themselves"),
        (lambda: to_adjacency([1, 0]), "2 dyads are not those of a network"),
        (lambda: triangles(np.zeros((5, 4))), "4 dyads are not those of a network"),
        (lambda: ergm(()), "0 statistics"),
        (lambda: ergm((edges,))(np.zeros(3), np.zeros(2)), "length 2, and there are 1"),
        (lambda: stars([1, 0, 1], k=0), "k is 0"),
        (lambda: star_changes([1, 0, 1], k=0), "k is 0"),
        (lambda: gwesp([1, 0, 1], decay=-1.0), "decay is -1.0"),
        (lambda: gwesp_changes([1, 0, 1], decay=np.nan), "decay is nan"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_change_that_is_not_compiled_is_refused():
    ties = lambda x: x.sum(-1)
    ties.local_change = lambda x, site, value: value - x[site]
    with pytest.raises(TypeError, match=r"<lambda> is a function, .* Decorate it with numba\.njit"):
        ergm((edges, ties))


@pytest.mark.parametrize("directed", [False, True])
def test_networks_that_are_not_all_known_come_back(directed):
    """`to_adjacency` is the inverse of `to_dyads` where dyads are masked, or NaN."""
    a = np.array([[0, 1, 1], [1, 0, 0], [1, 0, 0]])
    holes = np.zeros((3, 3), dtype=bool)
    holes[1, 2] = holes[2, 1] = True
    back = to_adjacency(to_dyads(np.ma.array(a, mask=holes), directed=directed), directed=directed)
    np.testing.assert_array_equal(np.ma.getmaskarray(back), holes)
    np.testing.assert_array_equal(back.filled(0), np.where(holes, 0, a))
    unknown = np.where(holes, np.nan, a)
    found = to_adjacency(to_dyads(unknown, directed=directed), directed=directed)
    np.testing.assert_array_equal(found, unknown)
