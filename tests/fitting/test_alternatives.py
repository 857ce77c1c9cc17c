"""Networks by their change statistics, against a logistic regression and against changed states."""

from functools import partial
from pathlib import Path

import numba
import numpy as np
import pymc as pm
import pytest
from pytensor.link.numba.linker import NumbaLinker

import pymc_ebm as ebm
from pymc_ebm.distribution.observed_ebm import observed_ebms
from pymc_ebm.energies import edges, ergm, gwesp, nodecov, to_dyads
from pymc_ebm.fitting.alternatives import alternatives_of
from pymc_ebm.space.sites import Sites

# Net wealth of 16 Florentine families in 1427, in thousands of lire, by name (Padgett 1994).
WEALTH = [10, 36, 55, 44, 20, 32, 8, 42, 103, 48, 49, 3, 27, 10, 146, 48]


def marriages():
    path = Path(__file__).parents[1] / "data" / "florentine_marriage.csv"
    ties = np.loadtxt(path, delimiter=",", skiprows=1, dtype=str)
    i, j = np.searchsorted(sorted({*ties.ravel(), "Pucci"}), ties).T
    a = np.zeros((16, 16), dtype=int)
    a[i, j] = a[j, i] = 1
    return to_dyads(a)


def test_pseudolikelihood_of_florence(rng, monkeypatch):
    """Another package has −2.6148, 0.0104, 0.0333 and a log-pseudolikelihood of −51.5358.

    Nothing has to be compiled for it but the energy's own change.
    """
    compiled: list[object] = []
    monkeypatch.setattr(NumbaLinker, "fgraph_convert", lambda *args, **kw: compiled.append(args))
    some = ebm.reference.from_draws(rng.integers(2, size=(64, 120)), np.zeros(64))
    statistics = (edges, partial(nodecov, attribute=WEALTH), partial(gwesp, decay=0.5))
    with pm.Model():
        theta = pm.Flat("theta", shape=3)
        energy = ergm(statistics)
        x = marriages()[None]
        ebm.EBM("x", theta, energy=energy, signature="(k)", reference=some, observed=x)
        fit = ebm.find_MLE("pseudolikelihood", progressbar=False, simulations=200, random_seed=1)
    np.testing.assert_allclose(fit.estimate["theta"], [-2.6148, 0.0104, 0.0333], atol=5e-5)
    np.testing.assert_allclose(fit.objective, 51.5358, atol=5e-5)
    assert fit.converged and (fit.se["theta"] > 0).all() and not compiled


@pytest.mark.parametrize("power", [1, 3])
def test_terms_are_those_of_all_changed_states(power, rng):
    """Of an energy linear in θ by its changes, of a bent one by the states: the same numbers."""
    given = ergm((edges, partial(gwesp, decay=0.5)), offsets=[(edges, -0.7)])
    bent = lambda x, theta: given(x, theta**power)
    change = given.local_change
    bent.local_change = numba.njit(lambda x, i, value, theta: change(x, i, value, theta**power))
    graphs = ebm.reference.enumeration([0, 1], shape=6, complete=True)
    x = rng.integers(2, size=(3, 6))
    with pm.Model() as model:
        theta = pm.Flat("theta", shape=2)
        ebm.EBM("x", theta, energy=bent, signature="(k)", reference=graphs, observed=x)
    at = np.array([-0.4, 0.8])
    [one] = observed_ebms(model)
    found = alternatives_of(one, Sites.among(graphs.points), [at], model.value_vars[0])
    terms = []
    for event in x:
        found.fill(event[None])
        terms.append(found.value_and_gradient(at)[0])
    log_p = -given(graphs.points, at**power).eval()
    index = {tuple(g): p for g, p in zip(graphs.points, log_p, strict=True)}
    truth = []
    for event in x:
        flips = [tuple(event ^ one) for one in np.eye(6, dtype=int)]
        truth.append(sum(np.log1p(np.exp(index[f] - index[tuple(event)])) for f in flips))
    np.testing.assert_allclose(terms, truth, rtol=1e-10)
