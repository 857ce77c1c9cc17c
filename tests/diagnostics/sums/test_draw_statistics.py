"""Statistics of one draw against their formulas, for log weights that are simply given."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

from pymc_ebm.diagnostics.sums.draw_statistics import draw_statistics, streamed_statistics
from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.pareto_tails import pareto_k

# One point more, and the tail of the weights is one larger.
M = 399


class Given:
    """In place of a `LogWeights`: log weights ``(R, M)``, whole or in blocks of 90 points."""

    def __init__(self, reference, rows):
        self.reference, self.rows = reference, rows

    def all(self, values):
        return self.rows

    def blocks(self, values):
        for low in range(0, M, 90):
            points = slice(low, min(low + 90, M))
            yield points, self.rows[:, points]


def reference(**kwargs):
    kwargs = {"groups": np.arange(M), **kwargs}
    return Reference(np.arange(float(M)), np.full(M, -1.0), **kwargs)


def sum_variance(influence, groups, unused=0):
    sums = [influence[groups == g].sum() for g in range(groups.max() + 1)]
    padded = np.r_[sums, np.zeros(unused)]
    return padded.size * padded.var(ddof=1)


def found(compute, reference, rows, c):
    influence = np.zeros(M)

    def add(points, part):
        assert 0 <= points.start < points.stop <= M
        influence[points] += part

    return compute(Given(reference, rows), [], np.asarray(c, float), add), influence


both = pytest.mark.parametrize("compute", [draw_statistics, streamed_statistics])


@both
@pytest.mark.parametrize(
    ("groups", "unused"), [(np.arange(M), 0), (np.arange(M), 60), (np.arange(M) // 4, 7)]
)
def test_statistics_of_rows(compute, groups, unused, rng):
    """Three rows of c = 2, 0.5 and 3; the third has the fewest effective points."""
    rows = rng.normal(size=(3, M)) * np.array([[0.3], [0.8], [1.5]])
    rows[1, :40] = -np.inf
    c = np.array([2.0, 0.5, 3.0])
    edge = np.arange(M) % 50 == 0
    q = reference(groups=groups, unused_draws=unused, edge=edge)
    statistics, influence = found(compute, q, rows, c)
    weights, log_z = softmax(rows, axis=1), logsumexp(rows, axis=1)
    level = c / 5.5 @ weights
    np.testing.assert_allclose(influence, c @ weights)
    expected = {
        "log_partition": c @ log_z / 5.5,
        "log_partition_mcse": np.sqrt(sum_variance(level, groups, unused)),
        "ess": 1 / (weights[2] ** 2).sum(),
        "pareto_k": pareto_k(rows[2]),
        "amplification": 5.5,
        "loglik_variance": sum_variance(c @ weights, groups, unused),
        "zero_weight_share": 40 / M,
        "edge_weight": weights[:, edge].sum(axis=1).max(),
        "quadrature_error": 0,
    }
    assert statistics.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(statistics[name], value, rtol=1e-9, err_msg=name)


@both
def test_normalisers_that_the_model_ignores_and_rows_without_weight(compute, rng):
    rows = rng.normal(size=(2, M))
    ignored, _ = found(compute, reference(), rows, [0, 0])
    np.testing.assert_allclose(ignored["log_partition"], logsumexp(rows, axis=1).mean())
    assert ignored["amplification"] == ignored["loglik_variance"] == 0
    rows[1] = -np.inf
    empty, _ = found(compute, reference(), rows, [3, 0])
    np.testing.assert_allclose(empty["log_partition"], logsumexp(rows[0]))
    assert empty["zero_weight_share"] == 1 and empty["ess"] == 0 and np.isnan(empty["pareto_k"])
    assert found(compute, reference(), rows, [3, 1])[0]["log_partition"] == -np.inf


@both
def test_an_exact_reference_and_its_coarser_rule(compute, rng):
    """No Monte Carlo error, and log Ẑ by every second node with twice its weight instead."""
    rows = rng.normal(size=(2, M))
    coarse = np.where(np.arange(M) % 2 == 0, -1.0 + np.log(2), -np.inf)
    q = reference(exact=True, coarse_log_weights=coarse)
    statistics, _ = found(compute, q, rows, [1, 1])
    halves = logsumexp(rows[:, ::2], axis=1) + np.log(2)
    change = abs(halves - logsumexp(rows, axis=1)).max()
    np.testing.assert_allclose(statistics["quadrature_error"], change)
    assert statistics["log_partition_mcse"] == statistics["loglik_variance"] == 0
    assert statistics["pareto_k"] == -np.inf and statistics["edge_weight"] == 0
    np.testing.assert_allclose(
        statistics["ess"], 1 / (softmax(rows, axis=1) ** 2).sum(axis=1).max()
    )
    # Two sums without a term agree.
    assert found(compute, q, np.full((1, M), -np.inf), [1])[0]["quadrature_error"] == 0
