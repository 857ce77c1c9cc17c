"""Statistics of directed networks against their definitions on adjacency matrices."""

from functools import partial

import numpy as np
import pymc as pm
import pytest
from scipy.special import comb

import pymc_ebm as ebm
from pymc_ebm.energies import (
    change_statistics,
    ctriples,
    dgwesp,
    edges,
    ergm,
    istars,
    m2stars,
    mutual,
    nodematch,
    ostars,
    to_adjacency,
    to_dyads,
    ttriples,
)


def weighted_paths(a, decay):
    """e^α Σ_s (1 − (1 − e^−α)^s) · (ties ij with s nodes h such that i to h to j)."""
    between, total = np.einsum("nih,nhj->nij", a, a), 0
    for s in range(1, a.shape[-1]):
        ties = ((a > 0) & (between == s)).sum((1, 2))
        total = total + np.exp(decay) * (1 - (1 - np.exp(-decay)) ** s) * ties
    return total


def two_steps(a):
    """Ordered triples i, j, k of different nodes with ties ij and jk."""
    different = 1 - np.eye(a.shape[-1])
    return np.einsum("nij,njk,ik->n", a, a, different)


def cases(n):
    return {
        "edges": (edges, lambda a: a.sum((1, 2))),
        "mutual": (mutual, lambda a: np.triu(a * np.swapaxes(a, 1, 2)).sum((1, 2))),
        "m2stars": (m2stars, two_steps),
        "ttriples": (ttriples, lambda a: np.einsum("nij,njk,nik->n", a, a, a)),
        "ctriples": (ctriples, lambda a: np.einsum("nij,njk,nki->n", a, a, a) / 3),
        **{
            f"{k}-stars in": (partial(istars, k=k), lambda a, k=k: comb(a.sum(1), k).sum(-1))
            for k in (1, 2, 3)
        },
        **{
            f"{k}-stars out": (partial(ostars, k=k), lambda a, k=k: comb(a.sum(2), k).sum(-1))
            for k in (2, 3)
        },
        **{
            f"dgwesp {decay}": (
                partial(dgwesp, decay=decay),
                lambda a, decay=decay: weighted_paths(a, decay),
            )
            for decay in (0.0, 0.7)
        },
    }


def test_contract(keeps_contract):
    keeps_contract(cases, directed=True)


def test_a_large_decay_counts_every_path_alike(values_of, rng):
    x, statistics = rng.integers(2, size=(3, 20)), (partial(dgwesp, decay=50.0), ttriples)
    found, limit = (values_of(statistic, x) for statistic in statistics)
    np.testing.assert_allclose(found, limit, rtol=1e-12)
    np.testing.assert_allclose(*np.moveaxis(change_statistics(statistics, x), -1, 0), rtol=1e-12)


def test_ties_of_a_directed_chain(values_of):
    """0 to 1 to 2 and 0 to 2: one transitive triple, no cycle, and the tie 02 has a partner."""
    x = to_dyads([[0, 1, 1], [0, 0, 1], [0, 0, 0]], directed=True)
    assert x.tolist() == [1, 1, 0, 1, 0, 0]
    found = [values_of(s, x) for s in (ttriples, ctriples, m2stars, istars, ostars, mutual)]
    assert found == [1, 0, 1, 1, 1, 0]


@pytest.mark.usefixtures("interpreted")
def test_maximum_likelihood_of_five_networks(rng):
    """Edges and nodematch, each with attributes of its own: logits of shares, and their errors."""
    ties, alike = [], []
    with pm.Model():
        theta = pm.Flat("theta", shape=2)
        for number in range(5):
            kind = rng.permutation([0, 0, 1, 1] if number else [0, 0, 0, 1])
            same = np.equal.outer(kind, kind)[~np.eye(4, dtype=bool)]
            x = (rng.random(12) < np.where(same, 0.5, 0.2)).astype(int)
            energy = ergm((edges, partial(nodematch, attribute=kind)))
            ebm.EBM(f"x_{number}", theta, energy=energy, signature="(k)", observed=x[None])
            ties.append(x)
            alike.append(same)
        fit = ebm.find_MLE(progressbar=False)
    ties, alike = np.concatenate(ties), np.concatenate(alike)
    n = np.array([(~alike).sum(), alike.sum()])
    share = np.array([ties[~alike].mean(), ties[alike].mean()])
    logit, variance = np.log(share / (1 - share)), 1 / (n * share * (1 - share))
    np.testing.assert_allclose(fit.estimate["theta"], [logit[0], logit[1] - logit[0]], atol=1e-5)
    np.testing.assert_allclose(fit.se["theta"], np.sqrt([variance[0], variance.sum()]), rtol=1e-4)


def test_directed_dyads_there_and_back(rng):
    x = rng.integers(2, size=(3, 2, 20))
    a = to_adjacency(x, directed=True)
    assert a.shape == (3, 2, 5, 5) and not np.trace(a, axis1=-2, axis2=-1).any()
    assert a[1, 0, 0, 1:].tolist() == x[1, 0, :4].tolist()  # what node 0 sends: 01, 02, …
    np.testing.assert_array_equal(to_dyads(a, directed=True), x)


def test_local_changes_of_models_with_offsets(rng, values_of):
    theta = np.array([-1.0, 0.5])
    three = partial(ostars, k=3)
    energy = ergm((edges, three), offsets=[(mutual, 0.7), (ttriples, -0.2)])
    x = rng.integers(2, size=20)
    toggled = x ^ np.eye(20, dtype=int)
    gain = values_of(energy, toggled, theta) - values_of(energy, x, theta)
    found = [energy.local_change(x, i, 1 - x[i], theta) for i in range(20)]
    np.testing.assert_allclose(found, gain, atol=1e-12)
    edge, star, pair, triple = (values_of(s, x) for s in (edges, three, mutual, ttriples))
    score = -edge + 0.5 * star + 0.7 * pair - 0.2 * triple
    np.testing.assert_allclose(values_of(energy, x, theta), -score, rtol=1e-12)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: istars(np.zeros(6), k=0), "k is 0"),
        (lambda: ostars(np.zeros(6), k=0), "k is 0"),
        (lambda: dgwesp(np.zeros(6), decay=-1.0), "decay is -1.0"),
        (lambda: mutual(np.zeros(10)), r"10 dyads .* directed: n nodes have n\(n - 1\)\."),
        (lambda: to_adjacency(np.zeros(10), directed=True), "10 dyads"),
        (lambda: to_dyads([[1, 1], [0, 0]], directed=True), "1 nodes are tied to themselves"),
        (lambda: ergm((edges,), offsets=[(mutual, -np.inf)]), "offset mutual is -inf"),
        (lambda: ergm((edges, dgwesp)), r"dgwesp has no decay\. Give it as functools\.partial"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
