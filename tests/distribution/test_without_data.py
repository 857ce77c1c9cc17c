"""References of variables without data: all states, a rule, or the uniform law of a space."""

import numpy as np
import pytest

from pymc_ebm import space
from pymc_ebm.distribution.without_data import without_data


@pytest.mark.parametrize(
    "where, log_measure, kind",
    [
        (space.permutations(4), np.log(24), "enumeration"),
        (space.permutations(20), np.log(np.arange(1, 21)).sum(), "the uniform law"),
        (space.circle(0, 24, n=1), np.log(24), "a rule of order 64"),
        (space.sphere(3), np.log(4 * np.pi), "a rule of order 64"),
        (space.sphere(4), np.log(2 * np.pi**2), "the uniform law"),
        (space.circle(n=3), 3 * np.log(2 * np.pi), "the uniform law"),
        (space.simplex(4), -np.log(6), "the uniform law"),
    ],
)
def test_measures(where, log_measure, kind):
    """At E = 0 log Z is the log of the measure, exactly."""
    q = without_data(where)
    assert q.description == kind and q.space.contains(q.points).all()
    assert np.isclose(np.logaddexp.reduce(q.log_weights), log_measure)


@pytest.mark.parametrize("where", ["real", "sphere", None, (0, 1)])
def test_words(where):
    with pytest.raises(ValueError, match=r"no observed data .*support=ebm\.space\.sphere\(3\)"):
        without_data(where)
