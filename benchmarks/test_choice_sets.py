"""Time of one value and gradient of a multinomial logit, beside `pm.Categorical`'s."""

import numpy as np
import pymc as pm
import pytest
from interleaved import interleaved

import pymc_ebm as ebm

# Most that ours may take, in multiples of the other's time.
_MOST = 1.5


def models(rows, alternatives, attributes=5):
    """The same likelihood twice."""
    rng = np.random.default_rng(1)
    offers = rng.normal(size=(rows, alternatives, attributes))
    picked = rng.integers(alternatives, size=rows)
    sets = ebm.reference.rows([ebm.reference.enumeration(o, complete=True) for o in offers])
    with pm.Model() as ours:
        beta = pm.Normal("beta", 0, 1, shape=attributes)
        ebm.EBM(
            "y",
            beta,
            energy=lambda x, b: -(x @ b),
            signature="(k)",
            reference=sets,
            observed=offers[np.arange(rows), picked],
        )
    with pm.Model() as theirs:
        beta = pm.Normal("beta", 0, 1, shape=attributes)
        pm.Categorical("y", logit_p=offers @ beta, observed=picked)
    return ours, theirs


@pytest.mark.parametrize(("rows", "alternatives"), [(400, 20), (10_000, 50)])
def test_rows_of_points(rows, alternatives, quick, show):
    functions = [m.logp_dlogp_function(ravel_inputs=True) for m in models(rows, alternatives)]
    for function in functions:
        function.set_extra_values({})
    at = np.full(5, 0.3)
    for found, truth in zip(*(f(at) for f in functions), strict=True):
        np.testing.assert_allclose(found, truth, rtol=1e-9, atol=1e-9)
    programs = {n: lambda f=f: f(at) for n, f in zip(("ours", "PyMC"), functions, strict=True)}
    times = {n: np.median(t) for n, t in interleaved(programs, 0.5 if quick else 5.0).items()}
    show(f"{rows} × {alternatives}: {1e6 * times['ours']:.0f} and {1e6 * times['PyMC']:.0f} µs")
    assert times["ours"] < _MOST * times["PyMC"]
