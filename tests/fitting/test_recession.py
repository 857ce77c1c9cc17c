"""Likelihoods without a finite maximum, whose suprema follow from closed forms."""

import itertools

import numpy as np
import pymc as pm
import pytest

import pymc_ebm as ebm
from pymc_ebm.energies import edges, ergm, to_dyads, triangles

pytestmark = pytest.mark.usefixtures("interpreted")
BITS = ebm.reference.enumeration([0, 1], complete=True)
PATH = to_dyads(np.eye(5, k=1, dtype=int) + np.eye(5, k=-1, dtype=int))[None]  # four ties


def ones(field, data=(1, 1, 1)):
    """Independent bits: log p = θ x − log(1 + e^θ), of which all ones want θ = ∞."""
    energy = lambda x, t: -t * x
    return ebm.EBM("x", field, energy=energy, reference=BITS, observed=np.array(data))


@pytest.mark.parametrize(("data", "limit"), [((1, 1, 1), np.inf), ((0, 0), -np.inf)])
def test_bits_that_are_all_alike(data, limit):
    with pm.Model():
        ones(pm.Flat("t"), data)
        fit = ebm.find_MLE(progressbar=False)
    assert not fit.converged and fit.estimate["t"] == limit and fit.se["t"] == np.inf
    assert f"t → {limit}" in fit.reason and "finite maximum" in fit.reason


def test_a_probability_goes_to_its_end():
    with pm.Model():
        p = pm.Uniform("p")
        ones(pm.math.logit(p))
        fit = ebm.find_MLE(progressbar=False)
    assert not fit.converged and fit.estimate["p"] == 1.0


def test_bits_that_differ_have_a_maximum():
    with pm.Model():
        ones(pm.Flat("t"), (1, 1, 1, 0))
        fit = ebm.find_MLE(progressbar=False)
    assert fit.converged
    # Newton's steps end within √(2e-10) of the standard error, which is √(4/3).
    np.testing.assert_allclose(fit.estimate["t"], np.log(3), atol=2e-5)


def test_a_network_without_triangles():
    """θ of triangles goes to −∞, and that of ties to where networks without triangles have four."""
    graphs = ebm.reference.enumeration([0, 1], shape=10, complete=True)
    with pm.Model():
        theta = pm.Flat("theta", shape=2)
        energy = ergm((edges, triangles))
        ebm.EBM("x", theta, energy=energy, signature="(k)", reference=graphs, observed=PATH)
        fit = ebm.find_MLE(progressbar=False)
    assert triangles(PATH).eval() == 0 and edges(PATH).eval() == 4
    assert not fit.converged and fit.estimate["theta"][1] == -np.inf
    assert "theta[1] → -inf" in fit.reason and "theta[0]" not in fit.reason
    states = np.array(list(itertools.product([0, 1], repeat=10)))
    free = states[triangles(states).eval() == 0].sum(axis=1)
    weights = np.exp(fit.estimate["theta"][0] * free)
    np.testing.assert_allclose(weights @ free / weights.sum(), 4.0, rtol=1e-5)
    assert np.isfinite(fit.se["theta"][0]) and fit.se["theta"][1] == np.inf


def test_complete_separation():
    """Bits that are 1 where z > 0: the slope goes to infinity, and the intercept may too."""
    z = np.array([-2.0, -1.5, -0.7, 0.8, 1.1, 2.3])
    with pm.Model():
        a, b = pm.Flat("a"), pm.Flat("b")
        ones(a + b * z, (z > 0).astype(int))
        fit = ebm.find_MLE(progressbar=False)
    assert not fit.converged and fit.estimate["b"] == np.inf
    assert "b → inf" in fit.reason


def test_an_empty_network_by_its_default():
    """Ties go to −∞; of triangles nothing is known where there are none."""
    with pm.Model():
        theta = pm.Flat("theta", shape=2)
        ebm.EBM(
            "x", theta, energy=ergm((edges, triangles)), signature="(k)",
            observed=np.zeros((1, 10), int),
        )  # fmt: skip
        fit = ebm.find_MLE(progressbar=False)
    assert not fit.converged and "finite maximum" in fit.reason
    assert fit.estimate["theta"][0] == -np.inf and fit.se["theta"][0] == np.inf


def test_parameters_that_are_not_identified_have_no_direction():
    with pm.Model():
        a, b = pm.Flat("a"), pm.Flat("b")
        ones(a + b, (1, 1, 1, 0))
        fit = ebm.find_MLE(progressbar=False)
    assert "finite maximum" not in fit.reason
    assert np.isfinite(fit.estimate["a"]) and np.isfinite(fit.estimate["b"])


def test_pseudolikelihood_of_an_empty_network():
    graphs = ebm.reference.enumeration([0, 1], shape=10, complete=True)
    with pm.Model():
        t = pm.Flat("t")
        energy = lambda x, t: -t * edges(x)
        ebm.EBM("x", t, energy=energy, reference=graphs, observed=np.zeros((1, 10), int))
        fit = ebm.find_MLE("pseudolikelihood", progressbar=False)
    assert not fit.converged and fit.estimate["t"] == -np.inf


@pytest.mark.parametrize(("data", "limit"), [((1, 1, 1), np.inf), ((0, 0), -np.inf)])
def test_noise_contrastive_of_bits_that_are_all_alike(data, limit):
    """θ goes on for ever, and so does log Z = log(1 + e^θ) of ones; that of zeros ends at 0.

    Where the loss is flat in θ quasi-Newton steps end some thousandths away from it.
    """
    with pm.Model():
        ones(pm.Flat("t"), data)
        fit = ebm.find_MLE("noise_contrastive", progressbar=False)
    assert not fit.converged and fit.estimate["t"] == limit and fit.se["t"] == np.inf
    assert f"t → {limit}" in fit.reason
    if limit > 0:
        assert fit.estimate["x_log_partition"] == np.inf
    else:
        np.testing.assert_allclose(fit.estimate["x_log_partition"], 0.0, atol=0.01)


def test_a_parameter_that_is_at_its_end_is_named(rng):
    """Score matching of tails heavier than normal: no x⁴, and a = N / Σ x²."""
    y = rng.laplace(size=300)
    q = ebm.reference.independent(pm.Normal.dist(0, 4), 512, random_seed=1)
    with pm.Model():
        a, w = pm.HalfFlat("a"), pm.HalfFlat("w", initval=1e-13)
        pm.Deterministic("both", a + w)
        energy = lambda x, a, w: a * x**2 / 2 + w * x**4
        ebm.EBM("y", a, w, energy=energy, reference=q, observed=y)
        fit = ebm.find_MLE("score_matching", progressbar=False)
    assert not fit.converged and fit.estimate["w"] == 0.0 and fit.se["w"] == np.inf
    assert "as w → 0 and both → 0.4" in fit.reason
    np.testing.assert_allclose(fit.estimate["a"], 1 / np.mean(y**2), rtol=1e-6)
    assert 0 < fit.se["a"] < 0.2
