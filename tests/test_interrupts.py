"""Ctrl-C leaves the model and the posterior as they were."""

import arviz as az
import numpy as np
import pymc as pm
import pytest

import pymc_ebm as ebm
from pymc_ebm.diagnostics import Check

gaussian = lambda x, s: x**2 / (2 * s**2)
DATA = np.linspace(-2, 2, 40)


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


def names(model):
    return [v.name for v in [*model.basic_RVs, *model.data_vars, *model.deterministics]]


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize(
    ("where", "shape"),
    [
        ("pymc_ebm.distribution.default_reference.panels_for", (40,)),
        ("pymc_ebm.distribution.default_reference.fitted", (40, 3)),
        ("pymc_ebm.reference.annealing._annealed.run", (40, 3)),
    ],
    ids=["pilot", "fitted points", "annealing"],
)
def test_of_a_default_reference(where, shape, monkeypatch, rng):
    monkeypatch.setattr(where, interrupt)
    energy = lambda x, s: gaussian(x, s).sum(axis=tuple(range(1, len(shape))))
    data = rng.normal(size=shape)
    before = data.copy()
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        if "annealing" in where:
            with pytest.raises(KeyboardInterrupt):
                ebm.reference.annealed(energy, 1.0, data=data, runs=4, progressbar=False)
        else:
            with pytest.raises(KeyboardInterrupt):
                ebm.EBM("x", s, energy=energy, observed=data)
        assert names(model) == ["s"]
        np.testing.assert_array_equal(data, before)
        monkeypatch.undo()
        line = ebm.reference.quadrature(-np.inf, np.inf)
        ebm.EBM("x", s, energy=gaussian, reference=line, observed=DATA)  # the name is still free
    assert names(model) == ["s", "x"]


class Interrupted(Check):
    name = "interrupted"
    measure = judge = interrupt


@pytest.mark.usefixtures("interpreted")
def test_of_statistics_report_and_refine(monkeypatch):
    with pm.Model() as model:
        s = pm.HalfNormal("s", 5)
        q = ebm.reference.independent(pm.Normal.dist(0, 3), 256, random_seed=1)
        ebm.EBM("x", s, energy=gaussian, reference=q, observed=DATA)
    idata = az.from_dict({"posterior": {"s": np.linspace(1.0, 1.5, 100).reshape(4, -1)}})
    before = idata.copy(deep=True)
    logp = model.compile_logp()(model.initial_point())
    quiet = {"model": model, "progressbar": False}
    with pytest.raises(KeyboardInterrupt):
        ebm.compute_reference_stats(idata, checks=[Interrupted()], **quiet)
    assert idata.identical(before)
    ebm.compute_reference_stats(idata, checks=[], **quiet)
    before = idata.copy(deep=True)
    with pytest.raises(KeyboardInterrupt):
        ebm.report(idata, checks=[Interrupted()])
    for what in ("better_references", "with_references", "record_of"):
        monkeypatch.setattr(f"pymc_ebm.diagnostics.better._refine.{what}", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ebm.refine(idata, draws=512, random_seed=1, **quiet)
        monkeypatch.undo()
    assert idata.identical(before)
    assert names(model) == ["s", "x"]
    assert model.compile_logp()(model.initial_point()) == logp
