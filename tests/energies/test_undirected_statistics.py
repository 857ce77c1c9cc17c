"""Statistics of undirected networks against their definitions on adjacency matrices."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from scipy.special import comb

from pymc_ebm.energies import (
    change_statistics,
    degree,
    edges,
    gwdegree,
    gwdsp,
    gwesp,
    gwesp_changes,
    isolates,
    stars,
    to_dyads,
    triangles,
    twopaths,
)

FLORENTINE = Path(__file__).parents[1] / "data" / "florentine_marriage.csv"


def weigh(counts, decay, where):
    """e^α Σ_{s≥1} (1 − (1 − e^−α)^s) · (number of places with the count s), as ergm defines it."""
    total = 0
    for s in range(1, int(counts.max()) + 1):
        places = (where & (counts == s)).reshape(len(counts), -1).sum(-1)
        total = total + np.exp(decay) * (1 - (1 - np.exp(-decay)) ** s) * places
    return total


def partners(a):
    """Shared partners of each pair of nodes, and 0 of a node with itself."""
    shared = np.einsum("nih,njh->nij", a, a)
    return shared * (1 - np.eye(a.shape[-1]))


def cases(n):
    ties = lambda a: a.sum(-1)
    above = np.triu(np.ones((n, n), dtype=bool), 1)
    any_node = np.ones(n, dtype=bool)
    return {
        "edges": (edges, lambda a: (a * above).sum((1, 2))),
        "isolates": (isolates, lambda a: (~a.any(-1)).sum(-1)),
        "twopaths": (twopaths, lambda a: (partners(a) * above).sum((1, 2))),
        "triangles": (triangles, lambda a: np.einsum("nij,njk,nki->n", a, a, a) / 6),
        **{
            f"degree {d}": (partial(degree, d=d), lambda a, d=d: (ties(a) == d).sum(-1))
            for d in (0, 1, 3)
        },
        **{
            f"{k}-stars": (partial(stars, k=k), lambda a, k=k: comb(ties(a), k).sum(-1))
            for k in (1, 3)
        },
        **{
            f"gwdegree {decay}": (
                partial(gwdegree, decay=decay),
                lambda a, decay=decay: weigh(ties(a), decay, any_node),
            )
            for decay in (0.0, 0.7)
        },
        **{
            f"gwdsp {decay}": (
                partial(gwdsp, decay=decay),
                lambda a, decay=decay: weigh(partners(a), decay, above),
            )
            for decay in (0.0, 0.7)
        },
        "gwesp": (
            partial(gwesp, decay=0.7),
            lambda a: weigh(partners(a), 0.7, above & (a > 0)),
        ),
    }


def test_contract(keeps_contract):
    keeps_contract(cases, directed=False)


def test_a_large_decay_counts_every_partner_alike(values_of, rng):
    """Within e^−36 of the limit, where 1 − (1 − e^−α)^p has no digit left."""
    decay = 36.0
    x = rng.integers(2, size=(3, 15))
    pairs = [(gwesp, triangles, 3), (gwdsp, twopaths, 1), (gwdegree, edges, 2)]
    weighted = [partial(statistic, decay=decay) for statistic, *_ in pairs]
    limits, times = [limit for _, limit, _ in pairs], np.array([n for *_, n in pairs])
    for statistic, limit, n in zip(weighted, limits, times, strict=True):
        np.testing.assert_allclose(values_of(statistic, x), n * values_of(limit, x), rtol=1e-8)
    changes = times * change_statistics(limits, x)
    np.testing.assert_allclose(change_statistics(weighted, x), changes, rtol=1e-8)
    of_graph = values_of(partial(gwesp_changes, decay=decay), x)
    np.testing.assert_allclose(of_graph, changes[..., 0], rtol=1e-8)


def test_what_the_r_package_counts_in_florence(values_of):
    """summary(flomarriage ~ kstar(1:3) + degree(0:5) + isolates) of the R package ergm."""
    ties = np.loadtxt(FLORENTINE, delimiter=",", skiprows=1, dtype=str)
    i, j = np.searchsorted(sorted({*ties.ravel(), "Pucci"}), ties).T
    a = np.zeros((16, 16), dtype=int)
    a[i, j] = a[j, i] = 1
    found = [partial(stars, k=k) for k in (1, 2, 3)] + [partial(degree, d=d) for d in range(6)]
    found = [values_of(s, to_dyads(a)) for s in (*found, isolates)]
    assert found == [40, 47, 34, 1, 4, 2, 6, 2, 0, 1]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: degree([1, 0, 1], d=-1), "d is -1"),
        (lambda: gwdegree([1, 0, 1], decay=-0.5), "decay is -0.5"),
        (lambda: gwdsp([1, 0, 1], decay=np.nan), "decay is nan"),
        (lambda: isolates(np.zeros(12)), r"12 dyads .* undirected: n nodes have n\(n - 1\)/2"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
