"""Amplifications whose values are known, and the names of normalisers."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import stats as st

from pymc_ebm.diagnostics import amplification, find_log_partitions
from pymc_ebm.distribution.ebm import EBM
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.reference._quadrature import quadrature

pytestmark = pytest.mark.usefixtures("interpreted")


def test_amplification_is_the_number_of_data_and_follows_set_data(paper):
    model = paper.gaussian(paper.normal_reference(draws=50))
    assert [name for name, _ in find_log_partitions(model)] == ["likelihood"]
    np.testing.assert_allclose(amplification(model)["likelihood"], paper.N)
    with model:
        pm.set_data({"x": paper.DATA[:30]})
        np.testing.assert_allclose(amplification()["likelihood"], 30)


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("named", [False, True])
def test_amplification_in_a_mixture_is_the_expected_count(batched, named, paper):
    """One normaliser for each component, whichever way the mixture is written."""
    x = np.r_[np.full(30, 0.1), np.full(20, 9.0)]
    reference = paper.normal_reference(0, 8, 300)
    with pm.Model(coords={"component": ["short", "long"]}) as model:
        sigma = pm.HalfNormal("sigma", 5, shape=2)
        w = pm.Dirichlet("w", np.ones(2), dims="component") if named else [0.5, 0.5]
        if batched:
            components = EBM.dist(sigma, energy=paper.energy, reference=reference)
        else:
            components = [
                EBM.dist(sigma[g], energy=paper.energy, reference=reference) for g in (0, 1)
            ]
        pm.Mixture("x", w=w, comp_dists=components, observed=x)
    point = {"sigma_log__": np.log([0.2, 9.0]), "w_simplex__": np.zeros(1)}
    c = amplification(model, {name: point[name] for name in model.initial_point()})
    assert list(c) == (["x[short]", "x[long]"] if named else ["x[0]", "x[1]"])
    counts = [float(value.sum()) for value in c.values()]
    np.testing.assert_allclose(sum(counts), 50)
    # By hand: the second component, at its own height near 0, gets 1 in 45 of the first 30.
    normal = st.norm(0, [[0.2], [9.0]]).pdf([0.1, 9.0])
    np.testing.assert_allclose(counts, normal / normal.sum(axis=0) @ [30, 20], rtol=0.05)


def test_components_keep_their_numbers(paper):
    """Of four components one is no EBM, and two are equal."""
    reference = paper.normal_reference(0, 8, 300)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma", 5, shape=2)
        first, second = (
            EBM.dist(s, energy=paper.energy, reference=reference) for s in (sigma[0], 3.0)
        )
        again = EBM.dist(sigma[0], energy=paper.energy, reference=reference)
        w = [0.1, 0.2, 0.3, 0.4]
        pm.Mixture("x", w, [pm.Normal.dist(), second, first, again], observed=paper.DATA)
    c = amplification(model, {"sigma_log__": np.log([2.0, 2.0])})
    assert list(c) == ["x[1]", "x[2,3]"]
    density = [
        w * st.norm(0, s).pdf(1.754) for w, s in zip(w, (1, 3, 2, 2), strict=True)
    ]  # All data are at ±1.754.
    expected = paper.N * np.array([density[1], density[2] + density[3]]) / sum(density)
    np.testing.assert_allclose([float(v.sum()) for v in c.values()], expected, rtol=0.05)


def test_equal_normalisers_of_one_variable_count_once(paper):
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma")
        reference = paper.normal_reference(draws=50)
        twice = [log_partition(paper.energy, sigma, reference=reference) for _ in range(2)]
        pm.Potential("p", -3 * twice[0] - 4 * twice[1])
    assert len(find_log_partitions(model)) == 1
    np.testing.assert_allclose(amplification(model)["p"], 7)


def test_amplification_in_a_regression_is_one_per_row(paper):
    with pm.Model() as model:
        b = pm.Normal("b", initval=0.2)
        scale = pt.exp(b * np.linspace(-1, 1, 5))
        EBM(
            "x",
            scale,
            energy=paper.energy,
            reference=paper.normal_reference(draws=50),
            observed=np.ones(5),
        )
    np.testing.assert_allclose(amplification(model)["x"], np.ones(5))


def test_amplification_follows_set_data_in_regressions_and_mixtures(paper):
    grid = quadrature(-60, 60, 1000)
    with pm.Model() as regression:
        z, y = pm.Data("z", np.linspace(0, 1, 5)), pm.Data("y", np.ones(5))
        b = pm.Normal("b", initval=0.2)
        EBM("x", pt.exp(b * z), energy=paper.energy, reference=grid, observed=y)
        pm.set_data({"z": np.linspace(0, 1, 8), "y": np.ones(8)})
    np.testing.assert_allclose(amplification(regression)["x"], np.ones(8))
    with pm.Model() as mixture:
        y = pm.Data("y", np.ones(20))
        sigma = pm.HalfNormal("sigma", 5, shape=2)
        components = [
            EBM.dist(s, energy=paper.energy, reference=grid) for s in (sigma[0], sigma[1])
        ]
        pm.Mixture("x", [0.5, 0.5], components, observed=y)
        pm.set_data({"y": np.ones(7)})
    c = amplification(mixture, {"sigma_log__": np.log([1.0, 3.0])})
    density = st.norm(0, [1, 3]).pdf(1)
    np.testing.assert_allclose(list(c.values()), 7 * density / density.sum(), rtol=1e-6)
