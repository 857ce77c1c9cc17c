"""Draws with sound statistics, of which a test spoils one."""

import numpy as np
import pytest
import xarray as xr

from pymc_ebm.diagnostics import Draws

DIMS = ("chain", "draw")
SOUND = {
    "log_partition": 1.0,
    "log_partition_mcse": 0.01,
    "ess": 500.0,
    "pareto_k": 0.2,
    "amplification": 100.0,
    "loglik_variance": 0.01,
    "zero_weight_share": 0.0,
    "edge_weight": 0.0,
    "quadrature_error": 0.0,
}
REFERENCE = {
    "n_points": 1000,
    "n_groups": 1000,
    "exact": False,
    "complete": True,
    "edge_known": False,
    "quadrature": False,
    "absolute": True,
    "remade": True,
    "selected": False,
    "remedy": "Give {name} a better reference.",
}


@pytest.fixture
def draws_of():
    """Draws of a normaliser x and one parameter s, with other values where they are given."""

    def make(posterior=None, reference=None, mcse=(0.001, 0.001), bits=0.0, elpd=0.0, **statistics):
        if posterior is None:
            posterior = np.random.default_rng(0).normal(size=(2, 50))
        shape = np.shape(posterior)
        values = SOUND | statistics
        arrays = {
            name: (("chain", "draw", "ebm"), np.broadcast_to(value, shape)[..., None].copy())
            for name, value in values.items()
        }
        coords = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
        stats = xr.Dataset(
            arrays | {"elpd_mcse": ("variable", [elpd])},
            coords={**coords, "ebm": ["x"], "variable": ["x"]},
        )
        errors = xr.Dataset(
            {"s": ("statistic", list(mcse))},
            coords={"statistic": ["mean", "sd"]},
            attrs={"bits_lost": bits},
        )
        return Draws(
            xr.Dataset({"s": (DIMS, posterior)}, coords=coords),
            stats,
            errors,
            {"x": REFERENCE | (reference or {})},
        )

    return make
