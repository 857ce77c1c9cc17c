"""Problems with known answers that several samplers are held to."""

import numpy as np
import pytensor.tensor as pt
import pytest
from scipy import stats


def gaussian(x, sigma):
    return x**2 / (2 * sigma**2)


def bimodal(x, d):
    """0.3 N(−d, 1) + 0.7 N(d, 1/4)."""
    return -pt.logaddexp(np.log(0.3) - (x + d) ** 2 / 2, np.log(0.7) - 2 * (x - d) ** 2 + np.log(2))


def bimodal_cdf(x):
    return 0.3 * stats.norm(-3, 1).cdf(x) + 0.7 * stats.norm(3, 0.5).cdf(x)


@pytest.fixture(params=["gaussian", "bimodal"])
def problem(request):
    """An energy, its parameter, and the distribution function of its density."""
    if request.param == "gaussian":
        return gaussian, 2.0, stats.norm(0, 2).cdf
    return bimodal, 3.0, bimodal_cdf


@pytest.fixture
def chisquare_of_states():
    """p-value of draws of states 0..K−1; the rarest are pooled until 5 or more are expected."""

    def pvalue(found, p):
        order = np.argsort(p)
        expected, counts = len(found) * p[order], np.bincount(found, minlength=len(p))[order]
        rare = max(int(np.searchsorted(np.cumsum(expected), 5)) + 1, int((expected < 5).sum()))
        expected = np.append(expected[rare:], expected[:rare].sum())
        counts = np.append(counts[rare:], counts[:rare].sum())
        return stats.chisquare(counts, expected * counts.sum() / expected.sum()).pvalue

    return pvalue
