"""A model's log-probability is built once for all that is asked, whichever its scale."""

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import pymc_ebm as ebm
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers

pytestmark = pytest.mark.usefixtures("interpreted")


def gaussian(x, s):
    return x**2 / (2 * s**2)


def model_of(data, draws=4000):
    """N(0, s²) with s in (0.5, upper), where the bound is a parameter too."""
    q = ebm.reference.independent(pm.Normal.dist(0, 4), draws, random_seed=1)
    with pm.Model() as model:
        upper = pm.Gamma("upper", 50, 10, initval=6.0)
        s = pm.Uniform("s", 0.5, upper)
        ebm.EBM("x", s, energy=gaussian, reference=q, observed=data)
    return model


@pytest.fixture
def builds(monkeypatch):
    """How often `Model.logp` is called."""
    calls = []
    logp = pm.Model.logp

    def counted(self, *args, **kwargs):
        calls.append(self)
        return logp(self, *args, **kwargs)

    monkeypatch.setattr(pm.Model, "logp", counted)
    return calls


def posterior(rng, draws=60):
    values = {
        "upper": (("chain", "draw"), rng.uniform(4, 6, (1, draws))),
        "s": (("chain", "draw"), rng.uniform(1.8, 2.2, (1, draws))),
    }
    dataset = xr.Dataset(values, coords={"chain": [0], "draw": np.arange(draws)})
    return xr.DataTree.from_dict({"posterior": dataset})


def test_reference_stats_build_the_log_probability_once(builds, rng):
    model = model_of(rng.normal(0, 2, 50))
    ebm.compute_reference_stats(posterior(rng), model=model, progressbar=False)
    assert len(builds) == 1


def test_check_builds_it_at_most_twice(builds, rng):
    """On the parameters' own scale, and for the search of the mode with Jacobians."""
    model = model_of(rng.normal(0, 2, 50))
    found = ebm.check(model, draws=20)
    assert found.table and len(builds) <= 2


@pytest.mark.parametrize("computed", [True, False])
def test_refine_builds_it_at_most_three_times(computed, builds, rng):
    """Of the old and of the new model."""
    model = model_of(rng.normal(0, 2, 50))
    idata = posterior(rng)
    if computed:
        ebm.compute_reference_stats(idata, model=model, progressbar=False)
    builds.clear()
    ebm.refine(idata, model=model, random_seed=1, progressbar=False)
    assert len(builds) <= 3


def test_both_scales_say_the_same(rng):
    """Where a transform depends on another parameter: (0.5, upper) of s."""
    data = rng.normal(0, 2, 50)
    model = model_of(data)
    own, transformed = Normalisers(model), Normalisers(model, transformed=True)
    point = model.initial_point()
    on_own = own.own_scale(point)
    np.testing.assert_allclose(on_own["upper"], 6.0)
    np.testing.assert_allclose(on_own["s"], 3.25)
    assert list(own.references) == list(transformed.references) == ["x"]
    for name, value in own.log_probabilities(on_own).items():
        np.testing.assert_allclose(value, transformed.log_probabilities(point)[name])
    [log_z] = own.in_model_values([own[0].nodes[0].outputs[0]])
    expected = transformed[0].nodes[0].outputs[0]
    found = model.compile_fn([log_z, expected], inputs=model.value_vars, on_unused_input="ignore")
    np.testing.assert_allclose(*found(point))


def test_data_and_names_that_are_not_there(rng):
    data = rng.normal(0, 2, 50)
    normalisers = Normalisers(model_of(data))
    np.testing.assert_array_equal(normalisers.data["x"].values, data)
    with pytest.raises(ValueError, match=r"no normaliser y\. Its normalisers are x"):
        normalisers.required(["y"])
    with pytest.raises(ValueError, match="no parameter z"):
        normalisers.point(None, {"z": 1.0})
    with pm.Model() as empty:
        pm.Normal("a")
    with pytest.raises(ValueError, match="no estimated normaliser"):
        Normalisers(empty).required()


def test_variables_that_are_numbered_keep_their_names():
    """Those of a loop are called x[0], x[1], where brackets tell components elsewhere."""
    q = ebm.reference.independent(pm.Normal.dist(0, 4), 100, random_seed=1)
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        for i in range(2):
            ebm.EBM(f"x[{i}]", s, energy=gaussian, reference=q, observed=np.ones(3 + i))
    found = {n.variable: n.name for n in Normalisers(model)}
    assert found == {"x[0]": "x[0]", "x[1]": "x[1]"}
    assert [n.variable for n in Normalisers(model, "x[1]").required()] == ["x[1]"]
    c = Normalisers(model).amplification({"s": np.array(1.0)})
    assert {name: float(value) for name, value in c.items()} == {"x[0]": 3, "x[1]": 4}
