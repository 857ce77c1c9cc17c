"""What a user meets who has gone wrong: one error in two sentences, and a remedy that works.

Each says what is wrong, of which variable, with the number or value found, and then what to do; a
remedy that is cheap to follow is followed.
"""

import ast
import re
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import xarray as xr
from scipy import special, stats

import pymc_ebm as ebm
from pymc_ebm import energies, reference, sampling, space

PACKAGE = str(Path(ebm.__file__).parent)
X = np.random.default_rng(1).normal(0, 2, size=20)
Y = np.random.default_rng(1).normal(size=40)
SPINS = np.random.default_rng(2).choice([-1, 1], size=(30, 3))
TIES = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])


def normal(x, sigma):
    return x**2 / (2 * sigma**2)


def neighbours(s, b):
    return -b * (s[..., 1:] * s[..., :-1]).sum(-1)


def line():
    return reference.quadrature(-40, 40, 80)


def few():
    return reference.independent(pm.Normal.dist(0, 4), 256, random_seed=1)


def states(values=(-1, 1), shape=3):
    return reference.enumeration(list(values), shape=shape, complete=True)


def model_of(energy=normal, observed=X, param=None, coords=None, **kwargs):
    """A model of one EBM, x, with one parameter, sigma."""
    kwargs = {"reference": line(), **kwargs}
    with pm.Model(coords=coords) as model:
        sigma = pm.HalfNormal("sigma", 5) if param is None else param()
        ebm.EBM("x", sigma, energy=energy, observed=observed, **kwargs)
    return model


def closed_over():
    with pm.Model():
        dose = pm.Data("dose", 2.0)
        sigma = pm.HalfNormal("sigma")
        energy = lambda x, s: dose * normal(x, s)
        ebm.EBM("x", sigma, energy=energy, reference=line(), observed=X)


def passed_on():
    with pm.Model():
        dose, sigma = pm.Data("dose", 2.0), pm.HalfNormal("sigma")
        energy = lambda x, s, dose: dose * normal(x, s)
        ebm.EBM("x", sigma, dose, energy=energy, reference=line(), observed=X)


def set_data(values):
    with pm.Model() as model:
        x = pm.Data("data", X)
        ebm.EBM("x", pm.HalfNormal("sigma"), energy=normal, reference=line(), observed=x)
        pm.set_data({"data": values})
        model.compile_logp()(model.initial_point())


def idata_of(**posterior):
    return az.from_dict({"posterior": {n: np.atleast_2d(v) for n, v in posterior.items()}})


def truncated(support=None):
    with pm.Model() as model:
        if support is None:
            law = ebm.EBM.dist(1.0, energy=normal, reference=line())
            pm.Truncated("x", law, lower=-1, upper=1, observed=np.zeros(3))
        else:
            ebm.EBM(
                "x", pm.HalfNormal("s"), energy=normal, support=support, reference=few(),
                observed=np.zeros(3),
            )  # fmt: skip
    model.logp()


def of_elements(energy):
    with pm.Model():
        v = wide()
        ebm.EBM("x", *[v[i] for i in range(3)], energy=energy, reference=line(), observed=X)


def measured(model=None):
    """Thirty draws with reference statistics."""
    draws = idata_of(sigma=np.linspace(1.5, 2.5, 30))
    return statistics_of(draws, model_of() if model is None else model)


def statistics_of(idata, model):
    return ebm.compute_reference_stats(idata, model=model, checks=(), progressbar=False)


def read(change=None, statistics=True, by=ebm.report):
    """A file of results, read again, after something is done to its groups."""
    idata = measured() if statistics else idata_of(sigma=[1.0, 2.0])
    with TemporaryDirectory() as folder:
        idata.to_netcdf(f"{folder}/idata.nc", engine="h5netcdf")
        found = xr.open_datatree(f"{folder}/idata.nc", engine="h5netcdf").load()
        found.close()
    if change is not None:
        change(found)
    return by(found)


def without(group, *names):
    """A change of a file: a group is lost, or attributes or variables of it."""

    def change(idata):
        left = idata[group].to_dataset().drop_vars([n for n in names if n in idata[group]])
        left.attrs = {k: v for k, v in left.attrs.items() if k not in names}
        del idata[group]
        if names:
            idata[group] = xr.DataTree(left)

    return change


def thinned(idata):
    idata["posterior"] = xr.DataTree(
        idata["posterior"].to_dataset().isel(draw=slice(None, None, 2))
    )


class Misuse(NamedTuple):
    """What is done wrong, the error, what its text has, and what to do instead."""

    wrong: Callable
    error: type[Exception]
    says: tuple[str, ...]
    right: Callable | None = None


V, T, N = ValueError, TypeError, NotImplementedError
wide = lambda: pm.Normal("sigma", shape=3, initval=[1.0, 2.0, 3.0])

ENERGY = {
    "too few parameters": Misuse(
        lambda: model_of(lambda x: x**2), V, ("'x'", "function of x and the parameters, 1 in all"),
        lambda: model_of(lambda x, s: (x / s) ** 2),
    ),
    "too many parameters": Misuse(
        lambda: model_of(lambda x, a, b: a * x**2), V, ("'x'", "1 in all"),
        lambda: model_of(lambda x, a: a * x**2),
    ),
    "no return": Misuse(
        lambda: model_of(lambda x, s: None), V, ("'x'", "(80,)", "End it with return"), model_of,
    ),
    "a function of NumPy": Misuse(
        lambda: model_of(lambda x, s: np.where(x > 0, x * s, x**2)), V,
        ("'x'", "np.where", "pt.where"),
        lambda: model_of(lambda x, s: pt.where(x > 0, x * s, x**2)),
    ),
    "interpolation of NumPy": Misuse(
        lambda: model_of(lambda x, s: s * np.interp(x, [-9.0, 0.0, 9.0], [9.0, 0.0, 9.0])), V,
        ("'x'", "np.interp", "pt.interp"),
        lambda: model_of(lambda x, s: s * pt.interp(x, [-9.0, 0.0, 9.0], [9.0, 0.0, 9.0])),
    ),
    "a density of SciPy": Misuse(
        lambda: model_of(lambda x, s: -stats.norm.logpdf(x, 0, s)), V,
        ("'x'", "stats.norm", "pm.logp(pm.Normal.dist(mu, sigma), x)"),
        lambda: model_of(lambda x, s: -pm.logp(pm.Normal.dist(0, s), x)),
    ),
    "a function of SciPy": Misuse(
        lambda: model_of(lambda x, s: special.gammaln(x**2 + s)), V,
        ("'x'", "special.gammaln", "pt.gammaln"),
        lambda: model_of(lambda x, s: pt.gammaln(x**2 + s)),
    ),
    "a branch in Python": Misuse(
        lambda: model_of(lambda x, s: x**2 * s if s > 1 else x**2), V,
        ("'x'", "boolean", "pt.switch in place of if"),
        lambda: model_of(lambda x, s: pt.switch(s > 1, x**2 * s, x**2)),
    ),
    "a sum over observations": Misuse(
        lambda: model_of(lambda x, s: normal(x, s).sum()), V, ("'x'", "batch axis"),
        lambda: model_of(normal),
    ),
    "an energy of the batch": Misuse(
        lambda: model_of(lambda x, s: normal(x - x.mean(0), s)), V,
        ("'x'", "first 7 points", "axis 0"), lambda: model_of(normal),
    ),
    "no function": Misuse(
        lambda: model_of(energy=None), T, ("'x'", "NoneType", "lambda x, s"),
        lambda: model_of(lambda x, s: s * x**2),
    ),
    "a constant": Misuse(
        lambda: model_of(lambda x, s: 3.0), V, ("'x'", "shape ()", "batch axis"),
        lambda: model_of(lambda x, s: 3.0 + 0 * x),
    ),
    "a vector that is shared": Misuse(
        lambda: model_of(lambda x, a: (x - a) ** 2, param=wide), V,
        ("'x'", "sigma", "(3,)", "signature='(k)'"),
        lambda: model_of(
            lambda x, a: (x - a[0]) ** 2 + a[1] ** 2 + a[2] ** 2, param=wide, signature="(k)"
        ),
    ),
    "a scalar for a vector": Misuse(
        lambda: model_of(lambda x, a: (x - a[0]) ** 2, signature="(k)"), V,
        ("'x'", "sigma", "0 dimensions", "(k)"),
        lambda: model_of(lambda x, a: (x - a) ** 2, signature="()"),
    ),
    "a signature of two": Misuse(
        lambda: model_of(normal, signature="(),()"), V, ("'x'", "2 parameters", "'()'"),
        lambda: model_of(normal, signature="()"),
    ),
    "a polynomial by a vector": Misuse(
        lambda: model_of(energies.polynomial, param=wide, signature="(k)"), V,
        ("'x'", "[(3,), (80,)]", "pass their elements", "*[v[i] for i in range(k)]"),
        lambda: of_elements(energies.polynomial),
    ),
    "data closed over": Misuse(closed_over, V, ("'x'", "dose", "parameter"), passed_on),
    "NaN at the data": Misuse(
        lambda: model_of(lambda x, s: s * pt.sqrt(x - X.min() + 0 * x - 0.1), reference=few()), V,
        ("'x'", "NaN at 55 of 256", "sigma = 5", "pt.switch"),
        lambda: model_of(
            lambda x, s: s * pt.sqrt(pt.switch(x > X.min() + 0.1, x - X.min() - 0.1, 0.0)),
            reference=few(),
        ),
    ),
    "NaN at one datum": Misuse(
        lambda: model_of(
            lambda x, s: pt.switch(x > 30, np.nan, normal(x, s)),
            observed=np.append(X, 35.0), reference=few(),
        ), V, ("'x'", "1 observations", "(20,)", "sigma = 5"),
        lambda: model_of(lambda x, s: pt.switch(x > 30, np.nan, normal(x, s)), reference=few()),
    ),
    "swapped parameters": Misuse(
        lambda: model_of(normal, param=lambda: pm.Normal("mu", 0, 1)), V,
        ("'x'", "mu = 0", "initval="),
        lambda: model_of(normal, param=lambda: pm.Normal("mu", 0, 1, initval=1.0)),
    ),
    "infinite at every point": Misuse(
        lambda: model_of(
            lambda x, s: pt.switch(x > 50, s * x, np.inf), observed=X + 60, reference=few()
        ), V, ("'x'", "256 points", "initval="),
        lambda: model_of(
            lambda x, s: pt.switch(x > 50, s * x, np.inf), observed=X + 60,
            reference=reference.quadrature(50, 90, 80),
        ),
    ),
    "a periodic energy on the line": Misuse(
        lambda: model_of(lambda x, k: -k * pt.cos(x), reference=None), V,
        ("'x'", "x = infinity", 'support="circle"'),
        lambda: model_of(
            lambda x, k: -k * pt.cos(x), np.arctan(X), reference=None, support="circle"
        ),
    ),
    "a wall that moves": Misuse(
        lambda: model_of(
            lambda x, low: pt.switch(x < low, np.inf, 3 * pt.log(x)), X**2 + 3, reference=None,
            param=lambda: pm.Uniform("low", 1, 3), support=(0.5, 30),
        ), V, ("'x'", "x = 1.6", "support=lambda *params: (low, high)"),
        lambda: model_of(
            lambda x, low: 3 * pt.log(x), X**2 + 3, reference=None,
            param=lambda: pm.Uniform("low", 1, 3), support=lambda low: (low, 30),
        ),
    ),
    "a condition that is none": Misuse(
        lambda: model_of(domain=lambda s: None), T, ("domain=", "None", "sigma > 0"),
        lambda: model_of(domain=lambda s: s > 0),
    ),
}  # fmt: skip

DATA = {
    "nothing": Misuse(
        lambda: model_of(observed=[]), V, ("'x'", "empty", "at least one"),
        lambda: model_of(observed=[0.5]),
    ),
    "text": Misuse(
        lambda: model_of(observed=np.array(["1"])), T, ("'x'", "<U1", "Convert"),
        lambda: model_of(observed=np.array(["1"]).astype(float)),
    ),
    "complex numbers": Misuse(
        lambda: model_of(observed=X * 1j), T, ("'x'", "complex128"),
        lambda: model_of(observed=(X * 1j).imag),
    ),
    "a missing value": Misuse(
        lambda: model_of(observed=np.append(X, np.nan)), N, ("'x'", "1 observed", "(20,)"),
        lambda: model_of(observed=X),
    ),
    "an infinite value": Misuse(
        lambda: model_of(observed=np.append(X, np.inf)), V, ("'x'", "1 observed", "(20,)"),
        lambda: model_of(observed=X),
    ),
    "NaN by set_data": Misuse(
        lambda: set_data(np.append(X, np.nan)), V, ("data", "1 of 21", "20"),
        lambda: set_data(np.append(X, 0.5)),
    ),
    "other lengths of dims": Misuse(
        lambda: model_of(observed=X[:2], dims="obs", coords={"obs": [1, 2, 3]}), V,
        ("'x'", "(2,)", "(3,)"),
        lambda: model_of(observed=X[:3], dims="obs", coords={"obs": [1, 2, 3]}),
    ),
    "another shape": Misuse(
        lambda: model_of(observed=X[:2], shape=(3,)), V, ("'x'", "(2,)", "(3,)"),
        lambda: model_of(observed=X[:2], shape=(2,)),
    ),
    "one event without its axis": Misuse(
        lambda: model_of(
            lambda x, s: normal(x, s).sum((-1, -2)), np.ones((12, 2)) * X[:12, None], reference=None
        ), V, ("'x'", "(12, 2)", "x[None]"),
        lambda: model_of(
            lambda x, s: normal(x, s).sum((-1, -2)), (np.ones((12, 2)) * X[:12, None])[None],
            reference=reference.independent(pm.Normal.dist(0, 3, shape=(12, 2)), 256),
        ),
    ),
    "counts with a density": Misuse(
        lambda: model_of(observed=np.arange(5)), T, ("'x'", "int64", "float"),
        lambda: model_of(observed=np.arange(5.0)),
    ),
    "fractions with a sum": Misuse(
        lambda: model_of(reference=states(range(9), shape=None)), T,
        ("'x'", "float64", "continuous"), lambda: model_of(reference=line()),
    ),
    "bits for spins": Misuse(
        lambda: model_of(neighbours, (SPINS + 1) // 2, reference=states()), V,
        ("'x'", "of 30", "index"),
        lambda: model_of(neighbours, SPINS, reference=states()),
    ),
    "events of another shape": Misuse(
        lambda: model_of(neighbours, SPINS[:, :2], reference=states()), V,
        ("'x'", "(30, 2)", "(3,)"),
        lambda: model_of(neighbours, SPINS, reference=states()),
    ),
    "positive numbers": Misuse(
        lambda: model_of(observed=np.abs(X), reference=None), V, ("'x'", "20", "=(0, np.inf)"),
        lambda: model_of(observed=np.abs(X), reference=None, support=(0, np.inf)),
    ),
    "zeros and ones": Misuse(
        lambda: model_of(lambda x, s: -x * s, np.resize([0, 1, 1], 20), reference=None), V,
        ("'x'", "20", "support=(0, 1)"),
        lambda: model_of(
            lambda x, s: -x * s, np.resize([0, 1, 1], 20), reference=None, support=(0, 1)
        ),
    ),
    "counts as floats": Misuse(
        lambda: model_of(observed=np.round(X + 20), reference=None), V,
        ("'x'", "20", "astype(int)"),
        lambda: model_of(
            observed=np.round(X + 20).astype(int), reference=None, support=(0, np.inf)
        ),
    ),
    "unit vectors": Misuse(
        lambda: model_of(
            lambda x, k: -k * x[..., 0],
            np.column_stack([np.cos(X), np.sin(X)]), reference=None,
        ), V, ("'x'", "norm 1", 'support="sphere"'),
        lambda: model_of(
            lambda x, k: -k * x[..., 0],
            np.column_stack([np.cos(X), np.sin(X)]), reference=None, support="sphere",
        ),
    ),
    "shares of a whole": Misuse(
        lambda: model_of(
            lambda x, a: -a * pt.log(x).sum(-1),
            np.random.default_rng(3).dirichlet([2, 3, 4], 20), reference=None,
        ), V, ("'x'", "sum 1", 'support="simplex"'),
        lambda: model_of(
            lambda x, a: -a * pt.log(x).sum(-1),
            np.random.default_rng(3).dirichlet([2, 3, 4], 20), reference=None, support="simplex",
        ),
    ),
    "outside of the support": Misuse(
        lambda: model_of(support=(0, np.inf), reference=few()), V,
        ("'x'", "8 of 20", "outside", "index 3"),
        lambda: model_of(observed=np.abs(X), support=(0, np.inf), reference=few()),
    ),
    "no data": Misuse(
        lambda: model_of(observed=None, reference=None), V,
        ("'x'", "no observed data", "reference="),
        lambda: model_of(observed=None, reference=few()),
    ),
    "a tie to oneself": Misuse(
        lambda: energies.to_dyads(TIES + np.eye(3, dtype=int)), V, ("3 nodes", "diagonal"),
        lambda: energies.to_dyads(TIES),
    ),
    "ties of one direction": Misuse(
        lambda: energies.to_dyads(np.triu(TIES)), V, ("2 pairs", "directed=True"),
        lambda: energies.to_dyads(np.triu(TIES), directed=True),
    ),
}  # fmt: skip

MODEL = {
    "an unknown keyword": Misuse(
        lambda: model_of(refrence=None), T, ("'x'", "refrence=", "reference=?"),
        model_of,
    ),
    "a parameter by its name": Misuse(
        lambda: model_of(sigma=1.0), T, ("'x'", "sigma=", "positional"), model_of,
    ),
    "a distribution for a reference": Misuse(
        lambda: model_of(reference=pm.Normal.dist(0, 2)), T,
        ("'x'", "not a Reference", "independent"),
        lambda: model_of(reference=few()),
    ),
    "a component without points": Misuse(
        lambda: ebm.EBM.dist(1.0, energy=normal), V, ("EBM.dist", "reference="),
        lambda: ebm.EBM.dist(1.0, energy=normal, reference=line()),
    ),
    "a truncated EBM": Misuse(
        truncated, N, ("an EBM has no distribution function", "support="),
        partial(truncated, (-1, 1)),
    ),
    "an unknown support": Misuse(
        lambda: model_of(reference=None, support="postive"), V,
        ("'x'", "'postive'", "'positive'"),
        lambda: model_of(observed=np.abs(X), reference=few(), support="positive"),
    ),
    "bounds in the wrong order": Misuse(
        lambda: model_of(reference=None, support=(5, -5)), V,
        ("'x'", "lower bound 5", "upper bound -5"),
        lambda: model_of(reference=few(), support=(-50, 50)),
    ),
    "a bound of None": Misuse(
        lambda: model_of(observed=np.abs(X), reference=None, support=(0, None)), V,
        ("'x'", "(0, None)", "np.inf"),
        lambda: model_of(observed=np.abs(X), reference=None, support=(0, np.inf)),
    ),
    "bounds of another event": Misuse(
        lambda: model_of(
            lambda x, s: normal(x, s).sum(-1), X[:18].reshape(6, 3), reference=None,
            support=([-99, -99], [99, 99]),
        ), V, ("'x'", "(6, 3)", "(3,)"),
        lambda: model_of(
            lambda x, s: normal(x, s).sum(-1), X[:18].reshape(6, 3), support=([-99] * 3, [99] * 3),
            reference=reference.independent(pm.Normal.dist(0, 3, shape=3), 256),
        ),
    ),
    "outside of a model": Misuse(
        lambda: ebm.compute_reference_stats(idata_of(sigma=[1.0, 2.0])), T,
        ("no model", "with model:", "model="), lambda: measured(),
    ),
    "the posterior in place of the model": Misuse(
        lambda: ebm.check(idata_of(sigma=[1.0, 2.0])), T, ("DataTree", "pm.Model()"),
        lambda: ebm.check(model_of(), draws=5, checks=()),
    ),
    "a report of a model": Misuse(
        lambda: ebm.report(pm.Model()), T, ("Model", "not a DataTree", "pm.sample"),
        lambda: ebm.report(measured()),
    ),
    "no name": Misuse(
        lambda: ebm.EBM(1.0, energy=normal, observed=X), T, ("1.0", "name of the variable first"),
        model_of,
    ),
    "a sampler by its name": Misuse(
        lambda: model_of(sampler="gibbs"), T, ("'x'", "'gibbs'", "pymc_ebm.sampling.gibbs"),
        lambda: model_of(neighbours, SPINS, reference=states(), sampler=sampling.gibbs),
    ),
    "a number of draws that is none": Misuse(
        lambda: reference.independent(pm.Normal.dist(), -5), V, ("-5", "positive number"),
        lambda: reference.independent(pm.Normal.dist(), 64),
    ),
    "too few draws to refine": Misuse(
        lambda: ebm.refine(idata_of(sigma=[1.0, 2.0]), model=model_of(reference=few())), V,
        ("2 draws", "25", "Sample more"),
    ),
    "a figure of what is not there": Misuse(
        lambda: ebm.plots.plot_log_partition(
            idata_of(sigma=[1.0, 2.0]), "sigm", model=model_of()
        ), V, ("'sigm'", "sigma"),
        lambda: ebm.plots.plot_log_partition(
            idata_of(sigma=[1.0, 2.0]), "sigma", model=model_of()
        ),
    ),
    "anchors of what has none": Misuse(
        lambda: ebm.plots.plot_anchor_overlap(few()), V,
        ("Normal", "no anchors", "reference.pooled"),
    ),
    "a figure before the statistics": Misuse(
        lambda: ebm.plots.plot_reference_ess(idata_of(sigma=[1.0, 2.0]), "sigma"), V,
        ("reference_stats", "has posterior", "compute_reference_stats"),
        lambda: ebm.plots.plot_reference_ess(measured(), "sigma"),
    ),
    "nothing to impute": Misuse(
        lambda: ebm.impute(idata_of(sigma=[1.0, 2.0]), model=model_of()), V,
        ("no missing entries", "NaN"),
    ),
    "a route of nothing": Misuse(
        lambda: ebm.kernels.route(pt.exp(1.0)), V, ("0 estimated normalisers", "log_partition"),
        lambda: ebm.kernels.route(ebm.log_partition(normal, pt.exp(1.0), reference=line())),
    ),
    "a model without an EBM": Misuse(
        lambda: ebm.check(pm.Model()), V, ("no estimated normaliser", "EBM"),
        lambda: ebm.check(model_of(), draws=5, checks=()),
    ),
    "graphs for numbers": Misuse(
        lambda: ebm.log_partition_at(normal, pt.dscalar("s"), reference=line()), T,
        ("Parameter 0", "log_partition"),
        lambda: ebm.log_partition_at(normal, 2.0, reference=line()),
    ),
    "an infinite parameter": Misuse(
        lambda: sampling.importance_resampling(normal, np.inf, reference=line()), V,
        ("Parameter 0", "inf", "finite"),
        lambda: sampling.importance_resampling(normal, 2.0, reference=line(), draws=5, chains=1),
    ),
    "no posterior": Misuse(
        lambda: ebm.compute_reference_stats(
            az.from_dict({"prior": {"a": np.ones((1, 1))}}), model=model_of()
        ), V, ("posterior", "has prior", "pm.sample"), lambda: measured(),
    ),
    "the posterior of another model": Misuse(
        lambda: ebm.compute_reference_stats(idata_of(other=[1.0, 2.0]), model=model_of()), V,
        ("sigma", "model that was sampled"), lambda: measured(),
    ),
    "a report before the statistics": Misuse(
        lambda: ebm.report(idata_of(sigma=[1.0, 2.0])), V,
        ("reference_stats", "has posterior", "compute_reference_stats"),
        lambda: ebm.report(measured()),
    ),
    "a new reference by a wrong name": Misuse(
        lambda: ebm.replace_reference(model_of(), {"y": few()}), V, ("'y'", "x"),
        lambda: ebm.replace_reference(model_of(), {"x": few()}),
    ),
    "a sum for an integral": Misuse(
        lambda: ebm.replace_reference(model_of(), states(range(9), None)), T,
        ("reference of x", "discrete", "continuous"),
        lambda: ebm.replace_reference(model_of(), few()),
    ),
    "an unknown method": Misuse(
        lambda: ebm.find_MLE("geier", model=model_of(), progressbar=False), V, ("'geier'", "geyer"),
        lambda: ebm.find_MLE("geyer", model=model_of(), progressbar=False),
    ),
    "a maximum of discrete parameters": Misuse(
        lambda: ebm.find_MLE(
            model=model_of(param=lambda: pm.Poisson("n", 3, initval=2)), progressbar=False
        ), V, ("n are discrete", "continuous"),
        lambda: ebm.find_MLE(
            model=model_of(param=lambda: pm.Flat("n", initval=2.0)), progressbar=False
        ),
    ),
    "score matching of spins": Misuse(
        lambda: ebm.find_MLE(
            "score_matching", model=model_of(neighbours, SPINS, reference=states()),
            progressbar=False,
        ), V, ("data of x are discrete", "pseudolikelihood"),
        lambda: ebm.find_MLE(
            "pseudolikelihood", model=model_of(neighbours, SPINS, reference=states()),
            progressbar=False,
        ),
    ),
}  # fmt: skip

REFERENCE = {
    "an unknown way to draw": Misuse(
        lambda: reference.independent(pm.Normal.dist(), 64, "sobel"), V, ("'sobel'", "'sobol'"),
        lambda: reference.independent(pm.Normal.dist(), 64, "sobol"),
    ),
    "no distribution": Misuse(
        lambda: reference.independent(3.0), T, ("float", "pm.Normal.dist(0, 3)"),
        lambda: reference.independent(pm.Normal.dist(0, 3)),
    ),
    "scramblings that do not divide": Misuse(
        lambda: reference.independent(pm.Normal.dist(), 100, "sobol"), V, ("100", "draws=128"),
        lambda: reference.independent(pm.Normal.dist(), 128, "sobol"),
    ),
    "an odd number of pairs": Misuse(
        lambda: reference.independent(pm.Normal.dist(), 101, "antithetic"), V, ("101", "draws=102"),
        lambda: reference.independent(pm.Normal.dist(), 102, "antithetic"),
    ),
    "no quantile function": Misuse(
        lambda: reference.independent(pm.NormalMixture.dist([0.5, 0.5], [0, 1], 1.0), 64, "sobol"),
        N, ("Mixture", "'sobol'", 'method="iid"'),
        lambda: reference.independent(pm.NormalMixture.dist([0.5, 0.5], [0, 1], 1.0), 64, "iid"),
    ),
    "a discrete law that moves": Misuse(
        lambda: reference.independent(lambda mu: pm.Poisson.dist(mu)), T,
        ("given mu", "int64", "fixed reference"), lambda: reference.independent(pm.Poisson.dist(3)),
    ),
    "quadrature of four numbers": Misuse(
        lambda: reference.quadrature([-1] * 4, [1] * 4), V, ("(4,)", "1 to 3", "independent"),
        lambda: reference.independent(pm.Normal.dist(shape=4)),
    ),
    "bounds that are not in order": Misuse(
        lambda: reference.quadrature(2, -2), V, ("2.0", "-2.0", "lower < upper"),
        lambda: reference.quadrature(-2, 2),
    ),
    "a value twice": Misuse(
        lambda: reference.enumeration([0, 1, 1]), V, ("1 of 3", "once"),
        lambda: reference.enumeration([0, 1]),
    ),
    "densities of other points": Misuse(
        lambda: reference.from_draws(Y, np.zeros(3)), V, ("(3,)", "40 points"),
        lambda: reference.from_draws(Y, np.zeros(40)),
    ),
    "a density that is infinite": Misuse(
        lambda: reference.from_draws(Y, np.append(np.zeros(39), -np.inf)), V,
        ("inf at 1 of 40", "index 39"), lambda: reference.from_draws(Y, np.zeros(40)),
    ),
    "draws that are NaN": Misuse(
        lambda: reference.from_draws(np.append(Y[1:], np.nan), np.zeros(40)), V, ("1 of 40", "39"),
        lambda: reference.from_draws(Y[1:], np.zeros(39)),
    ),
    "fewer made than given": Misuse(
        lambda: reference.from_draws(Y, np.zeros(40), total_draws=10), V, ("10", "40 points"),
        lambda: reference.from_draws(Y, np.zeros(40), total_draws=80),
    ),
    "nothing to fit to": Misuse(
        lambda: reference.fitted([]), V, ("(0,)", "at least one"),
        lambda: reference.fitted([1.5, -2.0]),
    ),
    "anchors without draws": Misuse(
        lambda: reference.pooled(neighbours, [(0.1,), (0.2,)]), V, ("sampler=", "draws="),
        lambda: reference.pooled(
            neighbours, [(0.1,), (0.2,)], draws=[np.tile(SPINS, (2, 20, 1))] * 2
        ),
    ),
    "a period of nothing": Misuse(
        lambda: space.circle(5, 1), V, ("lower bound 5", "upper bound 1"),
        lambda: space.circle(1, 5),
    ),
    "a window without area": Misuse(
        lambda: space.points([(0, 0), (0, 1)]), V,
        ("[[0.0, 0.0], [0.0, 1.0]]", "smaller place"), lambda: space.points([(0, 1), (0, 1)]),
    ),
    "a pattern with too many points": Misuse(
        lambda: space.pack([np.ones((5, 2))], most=3), V, ("5 points", "most="),
        lambda: space.pack([np.ones((5, 2))], most=5),
    ),
}  # fmt: skip

SAMPLERS = {
    "sites of real numbers": Misuse(
        lambda: sampling.gibbs(normal, 2.0, reference=few()), T,
        ("the whole line", "independent_metropolis"),
        lambda: sampling.independent_metropolis(
            normal, 2.0, reference=few(), draws=5, progressbar=False
        ),
    ),
    "steps between states": Misuse(
        lambda: sampling.markov_chain(neighbours, 0.2, reference=states()), T, ("int64", "gibbs"),
        lambda: sampling.gibbs(neighbours, 0.2, reference=states(), draws=5, progressbar=False),
    ),
    "proposals of a quadrature": Misuse(
        lambda: sampling.independent_metropolis(normal, 2.0, reference=line()), V,
        ("80 points", "importance_resampling"),
        lambda: sampling.importance_resampling(normal, 2.0, reference=line(), draws=5, chains=1),
    ),
    "a step that is none": Misuse(
        lambda: sampling.markov_chain(normal, 2.0, reference=few(), step="NUTS"), T,
        ("str", "pm.Slice"),
        lambda: sampling.markov_chain(
            normal, 2.0, reference=few(), step=pm.Slice, draws=5, tune=5, chains=1,
            progressbar=False,
        ),
    ),
    "first states of another shape": Misuse(
        lambda: sampling.gibbs(
            neighbours, 0.2, reference=states(), chains=2, initvals=np.ones((2, 4), int)
        ), V, ("(2, 4)", "(2, 3)"),
        lambda: sampling.gibbs(
            neighbours, 0.2, reference=states(), chains=2, initvals=SPINS[:2], draws=5,
            progressbar=False,
        ),
    ),
    "an exchange without an EBM": Misuse(
        lambda: _exchange_of_nothing(), V, ("no observed EBM", "another step method"),
    ),
    "an adjacency of one line": Misuse(
        lambda: energies.to_dyads([0, 1, 1]), V, ("(3,)", "square"),
        lambda: energies.to_dyads(TIES),
    ),
    "a network of no statistics": Misuse(
        lambda: energies.ergm(()), V, ("0 statistics", "(edges,)"),
        lambda: energies.ergm((energies.edges,)),
    ),
    "an unknown distance": Misuse(
        lambda: energies.mallows("kendal"), V, ("'kendal'", "'kendall'"),
        lambda: energies.mallows("kendall"),
    ),
}  # fmt: skip


def _exchange_of_nothing():
    with pm.Model():
        pm.Normal("mu")
        ebm.ExchangeMetropolis(sampler=lambda rng, draws, mu: rng.normal(size=draws))


again = lambda idata: ebm.report(statistics_of(idata, model_of()))
FILES = {
    "a file without statistics": Misuse(
        lambda: read(statistics=False), V,
        ("no group reference_stats", "has posterior", "compute_reference_stats"),
        lambda: read(statistics=False, by=again),
    ),
    "a file without the posterior": Misuse(
        lambda: read(without("posterior")), V,
        ("no group posterior", "has reference_stats, reference_mcse", "what pm.sample returned"),
        read,
    ),
    "statistics of another version": Misuse(
        lambda: read(without("reference_stats", "references")), V,
        ("no references", f"pymc_ebm {ebm.__version__}", "compute_reference_stats again"),
        lambda: read(without("reference_stats", "references"), by=again),
    ),
    "a statistic of another version": Misuse(
        lambda: read(without("reference_stats", "pareto_k", "versions")), V,
        ("no versions", "another version", "compute_reference_stats again"),
        lambda: read(without("reference_stats", "pareto_k", "versions"), by=again),
    ),
    "a parameter that was left out": Misuse(
        lambda: read(without("posterior", "sigma")), V,
        ("no sigma", "reference statistics", "all that pm.sample returned"), read,
    ),
    "a posterior thinned since": Misuse(
        lambda: read(thinned), V, ("30 draws a chain", "compute_reference_stats again"),
        lambda: read(lambda idata: (thinned(idata), statistics_of(idata, model_of()))),
    ),
    "a file of another energy": Misuse(
        lambda: read(by=lambda idata: statistics_of(idata, model_of(lambda x, s: abs(x) / s))), V,
        ("'x'", "another energy", "model that was sampled"),
        lambda: read(by=lambda idata: statistics_of(idata, model_of())),
    ),
    "a file of other data": Misuse(
        lambda: read(by=lambda idata: statistics_of(idata, model_of(observed=X + 1))), V,
        ("other data, x", 'del idata["reference_stats"]'),
        lambda: read(
            without("reference_stats"),
            by=lambda idata: statistics_of(idata, model_of(observed=X + 1)),
        ),
    ),
    "the name of a file": Misuse(
        lambda: ebm.report("idata.nc"), T, ("str", "not a DataTree", "xarray.open_datatree"), read,
    ),
}  # fmt: skip


TABLE = {**ENERGY, **DATA, **MODEL, **REFERENCE, **SAMPLERS, **FILES}


def of_the_package(error: BaseException) -> bool:
    return any(f.filename.startswith(PACKAGE) for f in traceback.extract_tb(error.__traceback__))


def chained(error: BaseException) -> list[BaseException]:
    """Exceptions that Python prints above this one."""
    found = []
    while before := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        found.append(before)
        error = before
    return found


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.?!])\s+(?=[A-Z])", text.strip())


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("case", TABLE)
def test_an_error_says_what_is_wrong_and_what_to_do(case):
    misuse = TABLE[case]
    with pytest.raises(misuse.error) as caught:
        misuse.wrong()
    text = str(caught.value)
    assert type(caught.value) is misuse.error
    assert not [words for words in misuse.says if words not in text], text
    assert 1 <= len(sentences(text)) <= 2, text
    assert sum(map(of_the_package, chained(caught.value))) <= 1, text


@pytest.mark.usefixtures("interpreted")
@pytest.mark.parametrize("case", [name for name, misuse in TABLE.items() if misuse.right])
def test_the_remedy_of_an_error_works(case):
    TABLE[case].right()


def test_there_are_enough_misuses():
    assert len(TABLE) >= 60
    assert sum(misuse.right is not None for misuse in TABLE.values()) >= 90


# Words that another error takes up.
NOT_ALONE = {"it returned nothing"}


def written(node: ast.expr) -> str:
    """A string in a module, with N for what is put into it; empty if it is none."""
    if isinstance(node, ast.JoinedStr):
        return "".join(v.value if isinstance(v, ast.Constant) else "N" for v in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pytest.mark.parametrize("path", sorted(Path(PACKAGE).rglob("*.py")), ids=lambda p: p.stem)
def test_every_error_says_what_is_wrong_and_then_what_to_do(path):
    wrong = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and node.exc.args):
            continue
        name, text = getattr(node.exc.func, "id", ""), written(node.exc.args[0])
        if name in {"ValueError", "TypeError", "NotImplementedError", "MemoryError"} and text:
            wrong += [text] if len(sentences(text)) != 2 and text not in NOT_ALONE else []
    assert not wrong
