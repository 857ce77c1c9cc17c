"""A model with another reference is the model that would have been written with it."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import pymc_ebm as ebm

pytestmark = pytest.mark.usefixtures("interpreted")
X = np.array([-1.0, 0.5, 2.0, 0.3])


def energy(x, sigma):
    return x**2 / (2 * sigma**2)


def reference(sd=3.0, seed=1, **kwargs):
    return ebm.reference.independent(pm.Normal.dist(0, sd), 256, random_seed=seed, **kwargs)


def potential(q):
    sigma = pm.HalfNormal("sigma", 5)
    log_z = ebm.log_partition(energy, sigma, reference=q)
    pm.Potential("p", -energy(pm.Data("x", X), sigma).sum() - 4 * log_z)


def regression(q):
    b = pm.Normal("b", initval=0.2)
    ebm.EBM("y", pt.exp(b * pm.Data("x", X)), energy=energy, reference=q, observed=X)


def batched_potential(q):
    b = pm.Normal("b")
    log_z = ebm.log_partition(energy, pt.exp(b * X), reference=q)
    pm.Potential("p", -log_z.sum())


def mixture(q):
    sigma = pm.HalfNormal("sigma", 5, shape=2)
    parts = [ebm.EBM.dist(s, energy=energy, reference=q) for s in (sigma[0], sigma[1])]
    pm.Mixture("y", [0.3, 0.7], parts, observed=X)


def captured(q):
    sigma, shift = pm.HalfNormal("sigma"), pm.Normal("shift")
    log_z = ebm.log_partition(lambda x, s: energy(x - shift, s), sigma, reference=q)
    pm.Potential("p", -log_z)


def written(write, q):
    with pm.Model() as model:
        write(q)
    return model


@pytest.mark.parametrize("write", [potential, regression, batched_potential, mixture, captured])
def test_is_the_model_written_with_it(write):
    old, new = reference(), reference(2.0, 2)
    model, expected = written(write, old), written(write, new)
    before = model.compile_logp()(model.initial_point())
    replaced = ebm.replace_reference(model, new)
    assert set(replaced.named_vars) == set(model.named_vars)
    point = expected.initial_point()
    assert replaced.initial_point().keys() == point.keys()
    for name, value in replaced.initial_point().items():
        np.testing.assert_allclose(value, point[name])
    assert replaced.compile_logp()(point) == expected.compile_logp()(point)
    gradients = [
        m.compile_dlogp([m[rv.name] for rv in model.free_RVs])(point) for m in (replaced, expected)
    ]
    np.testing.assert_allclose(*gradients)
    # The model that was given stays.
    assert model.compile_logp()(model.initial_point()) == before != expected.compile_logp()(point)


def test_the_copy_has_its_own_data():
    model = written(potential, reference())
    replaced = ebm.replace_reference(model, reference(2.0, 2))
    with replaced:
        pm.set_data({"x": 2 * X})
    np.testing.assert_allclose(replaced["x"].get_value(), 2 * X)
    np.testing.assert_allclose(model["x"].get_value(), X)


def test_draws_come_from_the_new_points():
    old, new = reference(), reference(2.0, 2)
    with pm.Model() as model:
        ebm.EBM("y", pm.Uniform("sigma", 0.9, 1), energy=energy, reference=old, observed=X)
    with ebm.replace_reference(model, new):
        prior = pm.sample_prior_predictive(20, random_seed=1)
    assert np.isin(prior["prior_predictive"]["y"], new.points).all()


def test_names_choose_references():
    first, second, new = reference(), reference(seed=2), reference(seed=3)
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma")
        ebm.EBM("a", sigma, energy=energy, reference=first, observed=X)
        parts = [ebm.EBM.dist(s, energy=energy, reference=second) for s in (sigma, 2 * sigma)]
        pm.Mixture("b", [0.5, 0.5], parts, observed=X)
    of = lambda m: {n: v.op.reference for n, v in ebm.diagnostics.find_log_partitions(m)}
    assert of(ebm.replace_reference(model, {"a": new})) == {
        "a": new, "b[0]": second, "b[1]": second,
    }  # fmt: skip
    # One name is enough for all that share a reference.
    for key in ("b", "b[1]"):
        assert of(ebm.replace_reference(model, {key: new})) == {
            "a": first, "b[0]": new, "b[1]": new,
        }  # fmt: skip
    with pytest.raises(ValueError, match=r"a, b\[0\], b\[1\] have several references"):
        ebm.replace_reference(model, new)
    with pytest.raises(ValueError, match="for 'c', and the normalisers are a"):
        ebm.replace_reference(model, {"c": new})
    with pytest.raises(ValueError, match=r"b\[1\] shares its reference"):
        ebm.replace_reference(model, {"b[0]": new, "b[1]": reference(seed=4)})
    with pytest.raises(TypeError, match="not a Reference"):
        ebm.replace_reference(model, {"a": pm.Normal.dist()})


def test_the_space_stays_that_of_the_model():
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma")
        ebm.EBM(
            "x", sigma, energy=energy, reference=reference(), support="positive", observed=[1.0]
        )
    new = reference(seed=2)
    [(_, node)] = ebm.diagnostics.find_log_partitions(ebm.replace_reference(model, new))
    assert node.op.reference.fingerprint == new.restricted_to("positive").fingerprint
    whole = written(potential, reference())
    half = new.restricted_to("positive")
    with pytest.raises(ValueError, match=r"support \[0, inf\), and the model the whole line"):
        ebm.replace_reference(whole, half)
    counts = ebm.reference.enumeration(np.arange(30))
    with pytest.raises(TypeError, match="is discrete, and the old one continuous"):
        ebm.replace_reference(whole, counts)
    plane = ebm.reference.independent(pm.Normal.dist(0, 1, shape=2), 64, random_seed=1)
    with pytest.raises(ValueError, match=r"points of shape \(2,\)"):
        ebm.replace_reference(whole, plane)
    # A truncated rule is no statement of the space, neither old nor new.
    for old, better in [((-9, 9), (-20, 20)), ((-20, 20), (-np.inf, np.inf))]:
        model = written(potential, ebm.reference.quadrature(*old))
        ebm.replace_reference(model, ebm.reference.quadrature(*better))
    ebm.replace_reference(whole, ebm.reference.quadrature(-20, 20))


def test_a_model_without_normalisers():
    with pm.Model() as model:
        pm.Normal("x")
    with pytest.raises(ValueError, match="no estimated normaliser"):
        ebm.replace_reference(model, reference())
