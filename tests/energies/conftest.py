"""Energies at points without compiling."""

import numpy as np
import pytensor.tensor as pt
import pytest

from pymc_ebm.energy.split import evaluate


@pytest.fixture
def values_of():
    """Values of a function of graphs at arrays: ``values_of(f, x, *params)``."""

    def values(function, x, *params, **options):
        params = [pt.as_tensor(np.asarray(p)) for p in params]
        return evaluate([function(pt.constant(np.asarray(x)), *params, **options)])[0]

    return values
