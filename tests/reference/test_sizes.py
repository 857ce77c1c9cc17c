"""How many points are enough."""

import numpy as np
import pytest

from pymc_ebm.reference.sizes import enough_points, most_points, times_needed


def test_times():
    assert times_needed(0.05) == 1 and times_needed(0.5) == pytest.approx(100)
    assert times_needed(0.05, bits=0.4) == pytest.approx(4)
    assert times_needed(0.3, wanted_share=0.1) == pytest.approx(9)
    assert times_needed(np.nan) == times_needed(np.inf) == np.inf


@pytest.mark.parametrize("rows", [1, 7, 64, 10_000])
def test_most_points_keep_within_the_energies(rows):
    most = most_points(rows)
    assert np.log2(most) % 1 == 0
    assert most <= 2**18 and most * rows <= 2**21
    assert 2 * most > min(2**18, 2**21 / rows)


def test_enough_points():
    assert enough_points(4096, 1.0, 2**18) == 4096
    assert enough_points(4096, 2.1, 2**18) == 2**14
    assert enough_points(4096, np.inf, 2**18) == 2**18
    assert enough_points(100, 1.0, 2**18) == 2**10
    assert enough_points(2**14, 100.0, 2**18, most_times=8) == 2**17
