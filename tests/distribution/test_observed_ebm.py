"""An observed EBM with its data, asked for in one place."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt

import pymc_ebm as ebm
from pymc_ebm.distribution.observed_ebm import observed_ebms
from pymc_ebm.energy.split import evaluate


def test_energies_and_data_of_each_variable(rng):
    """(x − m)²/2s² of 2 × 3 data by hand; data follow set_data, and others are no EBMs."""
    q = ebm.reference.independent(pm.Normal.dist(0, 5), 100, random_seed=1)
    x, y = rng.normal(size=(2, 3)), rng.normal(size=4)
    with pm.Model() as model:
        m, s = pm.Normal("m", shape=3), pm.HalfNormal("s")
        data = pm.Data("data", x)
        ebm.EBM(
            "x", m, s, energy=lambda x, m, s: (x - m) ** 2 / (2 * s**2), reference=q,
            domain=lambda m, s: s > 0, observed=data,
        )  # fmt: skip
        pm.Normal("y", s, 1, observed=y)
        pm.Normal("latent")
    [found] = observed_ebms(model)
    assert found.name == "x" and found.batched and found.event_ndim == 0
    at = {"m": np.array([0.5, -1.0, 2.0]), "s_log__": np.log(1.5)}
    givens = {v: pt.constant(at[v.name]) for v in model.value_vars if v.name in at}
    energies, allowed = evaluate([found.energies(found.value), *found.conditions], givens)
    np.testing.assert_allclose(energies, (x - at["m"]) ** 2 / (2 * 1.5**2))
    assert np.all(allowed)
    np.testing.assert_array_equal(found.events(), x.ravel())
    with model:
        pm.set_data({"data": x[:1]})
    np.testing.assert_array_equal(found.data(), x[:1])
