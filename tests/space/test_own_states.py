"""States of each row's own: membership goes by row."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from pymc_ebm.space.box import Support
from pymc_ebm.space.own_states import OwnStates


def test_rows_have_states_of_their_own():
    """Row 0 has (0, 1) and (2, 3), row 1 has (4, 5) alone: the second place there is padding."""
    points = np.array([[[0.0, 1.0], [2.0, 3.0]], [[4.0, 5.0], [4.0, 5.0]]])
    space = OwnStates(points, np.array([[True, True], [True, False]]))
    x = np.array([[[2.0, 3.0], [4.0, 5.0]], [[4.0, 5.0], [2.0, 3.0]], [[2.0, 1.0], [np.nan, 5.0]]])
    expected = [[True, True], [False, False], [False, False]]
    assert space.contains(x).tolist() == expected
    value = pt.dtensor3("x")
    assert pytensor.function([value], space.inside(value))(x).tolist() == expected
    assert space.n_states == 3 and space.dtype == "floatX"
    assert space == OwnStates(points.copy(), space.listed) != OwnStates(points + 1, space.listed)
    # As a smaller space.
    assert space.intersection(Support(0.0, 3.0)).listed.tolist() == [[True, True], [False, False]]
    with pytest.raises(TypeError, match="no moves in common"):
        _ = space.moves
