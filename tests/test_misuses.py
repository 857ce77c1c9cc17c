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
from typing import NamedTuple

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy import special

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
    ),
    "no return": Misuse(lambda: model_of(lambda x, s: None), V, ("'x'", "End it with return")),
    "a function of NumPy": Misuse(
        lambda: model_of(lambda x, s: np.where(x > 0, x * s, x**2)), V, ("np.where", "pt.where"),
        lambda: model_of(lambda x, s: pt.where(x > 0, x * s, x**2)),
    ),
    "a function of SciPy": Misuse(
        lambda: model_of(lambda x, s: special.gammaln(x**2 + s)), V, ("pt.gammaln",),
        lambda: model_of(lambda x, s: pt.gammaln(x**2 + s)),
    ),
    "a branch in Python": Misuse(
        lambda: model_of(lambda x, s: x**2 * s if s > 1 else x**2), V, ("pt.switch", "if"),
        lambda: model_of(lambda x, s: pt.switch(s > 1, x**2 * s, x**2)),
    ),
    "a sum over observations": Misuse(
        lambda: model_of(lambda x, s: normal(x, s).sum()), V, ("'x'", "batch axis"),
        lambda: model_of(normal),
    ),
    "an energy of the batch": Misuse(
        lambda: model_of(lambda x, s: normal(x - x.mean(0), s)), V, ("mixes rows", "axis 0"),
    ),
    "no function": Misuse(
        lambda: model_of(energy=None), T, ("'x'", "NoneType", "lambda x, s"),
    ),
    "a constant": Misuse(lambda: model_of(lambda x, s: 3.0), V, ("'x'", "shape ()", "batch axis")),
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
    ),
    "a signature of two": Misuse(
        lambda: model_of(normal, signature="(),()"), V, ("'x'", "2 parameters", "'()'"),
        lambda: model_of(normal, signature="()"),
    ),
    "a polynomial by a vector": Misuse(
        lambda: model_of(energies.polynomial, param=wide, signature="(k)"), V,
        ("'x'", "pass their elements"),
    ),
    "data closed over": Misuse(closed_over, V, ("'x'", "dose", "parameter"), passed_on),
    "NaN at the data": Misuse(
        lambda: model_of(lambda x, s: s * pt.sqrt(x - X.min() + 0 * x - 0.1), reference=few()), V,
        ("'x'", "NaN", "pt.switch"),
    ),
    "NaN at one datum": Misuse(
        lambda: model_of(
            lambda x, s: pt.switch(x > 30, np.nan, normal(x, s)),
            observed=np.append(X, 35.0), reference=few(),
        ), V, ("'x'", "1 observations", "(20,)"),
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
        ("'x'", "diverges", 'support="circle"'),
    ),
    "a wall that moves": Misuse(
        lambda: model_of(
            lambda x, low: pt.switch(x < low, np.inf, 3 * pt.log(x)), X**2 + 3, reference=None,
            param=lambda: pm.Uniform("low", 1, 3), support=(0.5, 30),
        ), V, ("'x'", "support="),
    ),
    "a condition that is none": Misuse(
        lambda: model_of(domain=lambda s: None), T, ("domain=", "None", "sigma > 0"),
        lambda: model_of(domain=lambda s: s > 0),
    ),
}  # fmt: skip

DATA = {
    "nothing": Misuse(lambda: model_of(observed=[]), V, ("'x'", "empty", "at least one")),
    "text": Misuse(lambda: model_of(observed=np.array(["a"])), T, ("'x'", "<U1", "Convert")),
    "complex numbers": Misuse(lambda: model_of(observed=X * 1j), T, ("'x'", "complex128")),
    "a missing value": Misuse(
        lambda: model_of(observed=np.append(X, np.nan)), N, ("'x'", "1 observed", "(20,)"),
        lambda: model_of(observed=X),
    ),
    "an infinite value": Misuse(
        lambda: model_of(observed=np.append(X, np.inf)), V, ("'x'", "1 observed", "(20,)"),
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
    ),
    "one event without its axis": Misuse(
        lambda: model_of(
            lambda x, s: normal(x, s).sum((-1, -2)), np.ones((12, 2)) * X[:12, None], reference=None
        ), V, ("'x'", "(12, 2)", "x[None]"),
    ),
    "counts with a density": Misuse(
        lambda: model_of(observed=np.arange(5)), T, ("'x'", "int64", "float"),
        lambda: model_of(observed=np.arange(5.0)),
    ),
    "fractions with a sum": Misuse(
        lambda: model_of(reference=states(range(9), shape=None)), T, ("'x'", "continuous"),
    ),
    "bits for spins": Misuse(
        lambda: model_of(neighbours, (SPINS + 1) // 2, reference=states()), V,
        ("'x'", "of 30", "index"),
        lambda: model_of(neighbours, SPINS, reference=states()),
    ),
    "events of another shape": Misuse(
        lambda: model_of(neighbours, SPINS[:, :2], reference=states()), V,
        ("'x'", "(30, 2)", "(3,)"),
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
    ),
    "unit vectors": Misuse(
        lambda: model_of(
            lambda x, k: -k * x[..., 0],
            np.column_stack([np.cos(X), np.sin(X)]), reference=None,
        ), V, ("'x'", 'support="sphere"'),
    ),
    "shares of a whole": Misuse(
        lambda: model_of(
            lambda x, a: -a * pt.log(x).sum(-1),
            np.random.default_rng(3).dirichlet([2, 3, 4], 20), reference=None,
        ), V, ("'x'", 'support="simplex"'),
    ),
    "outside of the support": Misuse(
        lambda: model_of(support=(0, np.inf), reference=few()), V, ("'x'", "20", "outside"),
    ),
    "no data": Misuse(
        lambda: model_of(observed=None, reference=None), V,
        ("'x'", "no observed data", "reference="),
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
    ),
    "a parameter by its name": Misuse(
        lambda: model_of(sigma=1.0), T, ("'x'", "sigma=", "positional"),
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
    "a truncated EBM": Misuse(truncated, N, ("EBM", "support="), partial(truncated, (-1, 1))),
    "an unknown support": Misuse(
        lambda: model_of(reference=None, support="postive"), V, ("'x'", "postive", "positive"),
    ),
    "bounds in the wrong order": Misuse(
        lambda: model_of(reference=None, support=(5, -5)), V, ("'x'", "5", "below"),
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
    ),
    "outside of a model": Misuse(
        lambda: ebm.compute_reference_stats(idata_of(sigma=[1.0, 2.0])), T,
        ("no model", "with model:", "model="),
    ),
    "the posterior in place of the model": Misuse(
        lambda: ebm.check(idata_of(sigma=[1.0, 2.0])), T, ("DataTree", "pm.Model()"),
    ),
    "a report of a model": Misuse(
        lambda: ebm.report(pm.Model()), T, ("Model", "not a DataTree", "pm.sample"),
    ),
    "no name": Misuse(
        lambda: ebm.EBM(1.0, energy=normal, observed=X), T, ("1.0", "name of the variable first"),
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
    ),
    "anchors of what has none": Misuse(
        lambda: ebm.plots.plot_anchor_overlap(few()), V,
        ("Normal", "no anchors", "reference.pooled"),
    ),
    "a figure before the statistics": Misuse(
        lambda: ebm.plots.plot_reference_ess(idata_of(sigma=[1.0, 2.0]), "sigma"), V,
        ("reference_stats", "compute_reference_stats"),
    ),
    "nothing to impute": Misuse(
        lambda: ebm.impute(idata_of(sigma=[1.0, 2.0]), model=model_of()), V,
        ("no missing entries", "NaN"),
    ),
    "a route of nothing": Misuse(
        lambda: ebm.kernels.route(pt.exp(1.0)), V, ("0 estimated normalisers", "log_partition"),
    ),
    "a model without an EBM": Misuse(
        lambda: ebm.check(pm.Model()), V, ("no estimated normaliser", "EBM"),
    ),
    "graphs for numbers": Misuse(
        lambda: ebm.log_partition_at(normal, pt.dscalar("s"), reference=line()), T,
        ("Parameter 0", "log_partition"),
        lambda: ebm.log_partition_at(normal, 2.0, reference=line()),
    ),
    "an infinite parameter": Misuse(
        lambda: sampling.importance_resampling(normal, np.inf, reference=line()), V,
        ("Parameter 0", "inf", "finite"),
    ),
    "no posterior": Misuse(
        lambda: ebm.compute_reference_stats(
            az.from_dict({"prior": {"a": np.ones((1, 1))}}), model=model_of()
        ), V, ("posterior", "pm.sample"),
    ),
    "the posterior of another model": Misuse(
        lambda: ebm.compute_reference_stats(idata_of(other=[1.0, 2.0]), model=model_of()), V,
        ("sigma", "model that was sampled"),
    ),
    "a report before the statistics": Misuse(
        lambda: ebm.report(idata_of(sigma=[1.0, 2.0])), V, ("compute_reference_stats",),
    ),
    "a new reference by a wrong name": Misuse(
        lambda: ebm.replace_reference(model_of(), {"y": few()}), V, ("'y'", "x"),
        lambda: ebm.replace_reference(model_of(), {"x": few()}),
    ),
    "a sum for an integral": Misuse(
        lambda: ebm.replace_reference(model_of(), states(range(9), None)), T,
        ("x", "sum", "integral"),
    ),
    "an unknown method": Misuse(
        lambda: ebm.find_MLE("geier", model=model_of(), progressbar=False), V, ("'geier'", "geyer"),
    ),
    "a maximum of discrete parameters": Misuse(
        lambda: ebm.find_MLE(
            model=model_of(param=lambda: pm.Poisson("n", 3, initval=2)), progressbar=False
        ), V, ("n", "continuous"),
    ),
    "score matching of spins": Misuse(
        lambda: ebm.find_MLE(
            "score_matching", model=model_of(neighbours, SPINS, reference=states()),
            progressbar=False,
        ), V, ("x", "pseudolikelihood"),
    ),
}  # fmt: skip

REFERENCE = {
    "an unknown way to draw": Misuse(
        lambda: reference.independent(pm.Normal.dist(), 64, "sobel"), V, ("'sobel'", "'sobol'"),
        lambda: reference.independent(pm.Normal.dist(), 64, "sobol"),
    ),
    "no distribution": Misuse(
        lambda: reference.independent(3.0), T, ("float", "pm.Normal.dist"),
    ),
    "scramblings that do not divide": Misuse(
        lambda: reference.independent(pm.Normal.dist(), 100, "sobol"), V, ("100", "draws=128"),
    ),
    "an odd number of pairs": Misuse(
        lambda: reference.independent(pm.Normal.dist(), 101, "antithetic"), V, ("101", "draws=102"),
        lambda: reference.independent(pm.Normal.dist(), 102, "antithetic"),
    ),
    "no quantile function": Misuse(
        lambda: reference.independent(pm.NormalMixture.dist([0.5, 0.5], [0, 1], 1.0), 64, "sobol"),
        N, ("quantile", 'method="iid"'),
    ),
    "a discrete law that moves": Misuse(
        lambda: reference.independent(lambda mu: pm.Poisson.dist(mu)), T, ("mu", "fixed reference"),
    ),
    "quadrature of four numbers": Misuse(
        lambda: reference.quadrature([-1] * 4, [1] * 4), V, ("(4,)", "1 to 3", "independent"),
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
        ("inf at 1 of 40", "index 39"),
    ),
    "draws that are NaN": Misuse(
        lambda: reference.from_draws(np.append(Y[1:], np.nan), np.zeros(40)), V, ("1 of 40", "39"),
    ),
    "fewer made than given": Misuse(
        lambda: reference.from_draws(Y, np.zeros(40), total_draws=10), V, ("10", "40 points"),
        lambda: reference.from_draws(Y, np.zeros(40), total_draws=80),
    ),
    "nothing to fit to": Misuse(lambda: reference.fitted([]), V, ("(0,)", "at least one")),
    "anchors without draws": Misuse(
        lambda: reference.pooled(neighbours, [(0.1,), (0.2,)]), V, ("sampler=", "draws="),
    ),
    "an unknown period": Misuse(lambda: space.circle(5, 1), V, ("5", "1")),
    "a window without area": Misuse(
        lambda: space.points([(0, 0), (0, 1)]), V, ("0.0", "smaller place"),
    ),
    "a pattern with too many points": Misuse(
        lambda: space.pack([np.ones((5, 2))], most=3), V, ("5 points", "most="),
        lambda: space.pack([np.ones((5, 2))], most=5),
    ),
}  # fmt: skip

SAMPLERS = {
    "sites of real numbers": Misuse(
        lambda: sampling.gibbs(normal, 2.0, reference=few()), T, ("independent_metropolis",),
    ),
    "steps between states": Misuse(
        lambda: sampling.markov_chain(neighbours, 0.2, reference=states()), T, ("int64", "gibbs"),
    ),
    "proposals of a quadrature": Misuse(
        lambda: sampling.independent_metropolis(normal, 2.0, reference=line()), V,
        ("80 points", "importance_resampling"),
        lambda: sampling.importance_resampling(normal, 2.0, reference=line(), draws=5, chains=1),
    ),
    "a step that is none": Misuse(
        lambda: sampling.markov_chain(normal, 2.0, reference=few(), step="NUTS"), T,
        ("str", "pm.Slice"),
    ),
    "first states of another shape": Misuse(
        lambda: sampling.gibbs(
            neighbours, 0.2, reference=states(), chains=2, initvals=np.ones((2, 4), int)
        ), V, ("(2, 4)", "(2, 3)"),
    ),
    "an exchange without an EBM": Misuse(
        lambda: _exchange_of_nothing(), V, ("no observed EBM", "another step method"),
    ),
    "an adjacency of one line": Misuse(
        lambda: energies.to_dyads([0, 1, 1]), V, ("(3,)", "square"),
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


TABLE = {**ENERGY, **DATA, **MODEL, **REFERENCE, **SAMPLERS}


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
