"""Data that are set anew: what is missing or of another shape is told where they are set."""

import cloudpickle
import numpy as np
import pymc as pm
import pytest

import pymc_ebm as ebm

gaussian = lambda x, s: x**2 / (2 * s**2)


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("copied", [False, True])
def test_missing_values_are_refused_and_the_old_ones_stay(copied):
    line = ebm.reference.quadrature(-np.inf, np.inf)
    with pm.Model() as model:
        s = pm.HalfNormal("s")
        ebm.EBM("x", s, energy=gaussian, reference=line, observed=pm.Data("data", [0.5, 1.0]))
    if copied:
        model = cloudpickle.loads(cloudpickle.dumps(model))
    for values in ([0.1, np.nan], np.ma.masked_equal([0.1, 0.2], 0.2)):
        with pytest.raises(ValueError, match=r"EBM .x.: .data. gets 1 of 2 .* at index"):
            pm.set_data({"data": values}, model=model)
        np.testing.assert_array_equal(model["data"].get_value(), [0.5, 1.0])
    pm.set_data({"data": [1.0, 2.0, 2.0]}, model=model)
    point = {"s_log__": np.array(0.0)}  # at s = 1 the prior is √(2/π) exp(−½)
    wanted = -4.5 - 1.5 * np.log(2 * np.pi) + np.log(np.sqrt(2 / np.pi)) - 0.5
    np.testing.assert_allclose(model.compile_logp()(point), wanted, rtol=1e-9)


@pytest.mark.parametrize("dtype", [int, float])
def test_other_rows_and_events_are_refused(dtype, rng):
    """A choice among the alternatives of each of six rows; floats of states are cast."""
    offers = rng.integers(999, size=(6, 4, 2))
    sets = ebm.reference.rows([ebm.reference.enumeration(o, complete=True) for o in offers])
    utility = lambda x, beta: -(x * beta).sum(-1)
    with pm.Model():
        data = pm.Data("data", offers[:, 0].astype(dtype))
        keywords = {"energy": utility, "signature": "(k)", "reference": sets}
        ebm.EBM("x", pm.Normal("beta", shape=2), observed=data, **keywords)
        pm.set_data({"data": offers[:, 3].astype(dtype)})
        for other in (offers[:5, 0], np.ones((6, 3))):
            with pytest.raises(ValueError, match=r"EBM .x.: .data. gets .* reference, \(6, 2\)\."):
                pm.set_data({"data": other.astype(dtype)})
