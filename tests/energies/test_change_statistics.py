"""Change statistics as an array: regressions on them with published answers."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from pymc_ebm.energies import change_statistics, edges, gwesp, nodecov, to_dyads, triangles

# Net wealth of 16 Florentine families in 1427, in thousands of lire, by name (Padgett 1994).
WEALTH = [10, 36, 55, 44, 20, 32, 8, 42, 103, 48, 49, 3, 27, 10, 146, 48]


@pytest.fixture
def marriages():
    path = Path(__file__).parents[1] / "data" / "florentine_marriage.csv"
    ties = np.loadtxt(path, delimiter=",", skiprows=1, dtype=str)
    i, j = np.searchsorted(sorted({*ties.ravel(), "Pucci"}), ties).T
    a = np.zeros((16, 16), dtype=int)
    a[i, j] = a[j, i] = 1
    return to_dyads(a)


def logistic_regression(columns, y):
    """Estimates and standard errors by Newton's method, and the log-likelihood."""
    theta = np.zeros(columns.shape[1])
    for _ in range(30):
        p = 1 / (1 + np.exp(-columns @ theta))
        information = columns.T * (p * (1 - p)) @ columns
        theta = theta + np.linalg.solve(information, columns.T @ (y - p))
    log_likelihood = np.log(np.where(y == 1, p, 1 - p)).sum()
    return theta, np.sqrt(np.diag(np.linalg.inv(information))), log_likelihood


def test_wealth_of_florence(marriages):
    """ergm(flomarriage ~ edges + nodecov("wealth")) in R: −2.595 (0.536) and 0.011 (0.005)."""
    statistics = (edges, partial(nodecov, attribute=WEALTH))
    theta, se, _ = logistic_regression(change_statistics(statistics, marriages), marriages)
    np.testing.assert_allclose(theta, [-2.594929, 0.010546], atol=1e-6)
    np.testing.assert_allclose(se, [0.536, 0.005], atol=5e-4)


def test_pseudolikelihood_of_shared_partners(marriages):
    """With gwesp(0.5, fixed): −2.6148, 0.0104, 0.0333 by another package, log −51.5358."""
    statistics = (edges, partial(nodecov, attribute=WEALTH), partial(gwesp, decay=0.5))
    columns = change_statistics(statistics, marriages)
    theta, _, log_likelihood = logistic_regression(columns, marriages)
    np.testing.assert_allclose(theta, [-2.6148, 0.0104, 0.0333], atol=5e-5)
    np.testing.assert_allclose(log_likelihood, -51.5358, atol=5e-5)


def test_batches_and_types(marriages):
    statistics = (edges, triangles)
    table = np.stack([marriages, 1 - marriages])
    one = change_statistics(statistics, marriages)
    found = change_statistics(statistics, table[:, None])
    assert one.shape == (120, 2) and found.shape == (2, 1, 120, 2)
    np.testing.assert_array_equal(found[0, 0], one)
    np.testing.assert_array_equal(change_statistics(statistics, marriages.astype(bool)), one)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: change_statistics((edges, lambda x: x.sum(-1)), [1, 0, 1]), "no local_change"),
        (lambda: change_statistics((edges, gwesp), [1, 0, 1]), "gwesp has no decay"),
        (lambda: change_statistics((triangles,), np.zeros(5)), "5 dyads are not those"),
        (lambda: change_statistics((edges,), [1, np.nan, 1]), "1 of 3 dyads are neither 0 nor 1"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
