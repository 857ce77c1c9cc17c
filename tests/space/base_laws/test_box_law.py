"""The law of a box at its faces, where rounded data may lie."""

import numpy as np
import pytest

from pymc_ebm.space.box import Support


@pytest.mark.parametrize("lower, upper", [(0.0, np.inf), (-np.inf, 2.0), (0.0, 1.0), (3.0, 5.0)])
def test_density_on_a_face_is_the_highest(lower, upper, rng):
    """On the log and logit scales the tails are t⁻⁶, so in x the density grows without end."""
    space = Support(lower, upper, ())
    low, high = max(lower, -3.0), min(upper, 8.0)
    data = rng.uniform(low, high, 200)
    law = space.base_law(data, rng)
    ends = np.array([b for b in (lower, upper) if np.isfinite(b)])
    of_ends = law.log_density(ends[:, None])
    assert np.isfinite(of_ends).all()
    assert (of_ends > law.log_density(data[:, None]).max()).all()
    outside = np.array([lower - 1e-9, upper + 1e-9, np.inf, -np.inf, np.nan])
    outside = outside[~space.contains(outside) | ~np.isfinite(outside)]
    assert np.isneginf(law.log_density(outside[:, None])).all()


def test_data_on_faces_are_kernels_inside(rng):
    """Durations with rounded zeros: the law is finite, and its points are never on the face."""
    data = np.round(rng.exponential(1, 200))
    assert (data == 0).any()
    law = Support(0.0, np.inf, ()).base_law(data, rng)
    x, usable = law.points(rng.random((5000, 1)))
    assert usable.all() and (x > 0).all() and np.isfinite(law.log_density(x)).all()
