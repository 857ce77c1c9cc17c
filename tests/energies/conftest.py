"""Energies at points without compiling, and what every statistic of a network has to keep."""

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy.special import logsumexp

import pymc_ebm as ebm
from pymc_ebm.energies import change_statistics, ergm, to_adjacency
from pymc_ebm.energy.split import evaluate


@pytest.fixture
def values_of():
    """Values of a function of graphs at arrays: ``values_of(f, x, *params)``."""

    def values(function, x, *params, **options):
        params = [pt.as_tensor(np.asarray(p)) for p in params]
        return evaluate([function(pt.constant(np.asarray(x)), *params, **options)])[0]

    return values


@pytest.fixture
def keeps_contract(rng, values_of):
    """Compares statistics with counts on adjacency matrices, in three ways.

    ``keeps_contract(cases, directed)``: ``cases(n)`` has for each name a statistic of n nodes and
    its definition, a function of adjacency matrices ``(N, n, n)`` in float64.
    """

    def check(cases, *, directed):
        values_and_changes(cases(6).values(), 30 if directed else 15, directed)
        distribution(cases(4).values(), 12 if directed else 6, directed)

    def values_and_changes(cases, n_dyads, directed):
        statistics = [statistic for statistic, _ in cases]
        x = (rng.random((4, n_dyads)) < np.array([[0.2], [0.4], [0.6], [0.9]])).astype(np.int8)
        found = values_of(lambda x: pt.stack([s(x) for s in statistics], -1), x)
        np.testing.assert_allclose(found, counts(cases, x, directed), atol=1e-12)
        one = np.eye(n_dyads, dtype=np.int8)
        tied, untied = x[:, None] | one, x[:, None] & (1 - one)
        gain = counts(cases, tied, directed) - counts(cases, untied, directed)
        np.testing.assert_allclose(change_statistics(statistics, x), gain, atol=1e-12)

    def distribution(cases, n_dyads, directed):
        """Log Z, a sum over all networks, of the model with all statistics."""
        networks = ebm.reference.enumeration([0, 1], shape=n_dyads, complete=True)
        energy, theta = ergm([statistic for statistic, _ in cases]), rng.normal(0, 0.4, len(cases))
        log_z = ebm.log_partition(energy, theta, reference=networks, signature="(k)").eval()
        truth = logsumexp(counts(cases, networks.points, directed) @ theta)
        np.testing.assert_allclose(log_z, truth, rtol=1e-12)

    def counts(cases, x, directed):
        a = to_adjacency(x, directed=directed).astype("float64")
        flat = a.reshape(-1, *a.shape[-2:])
        return np.stack([truth(flat).reshape(a.shape[:-2]) for _, truth in cases], axis=-1)

    return check
