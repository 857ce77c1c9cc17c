"""Fixtures of the tests of diagnostics."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pymc as pm
import pytensor
import pytest
import xarray as xr
from pytensor.graph.replace import graph_replace
from scipy import stats

from pymc_ebm.diagnostics import compute_reference_stats
from pymc_ebm.diagnostics.normalisers.amplification_graphs import amplification_graphs
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.partition import log_partition
from pymc_ebm.reference import from_draws


class AtParameters(NamedTuple):
    """A model at one value of its parameters; lists are by normaliser, R batch rows, M points.

    Attributes
    ----------
    logp : float
        Log posterior density on the parameters' own scale, up to the evidence.
    loglik : float
        The part of observed variables and potentials.
    log_z : list of ndarray
        ``(R,)``.
    amplification : list of ndarray
        ``(R,)``.
    log_weights : list of ndarray
        ``(R, M)``.
    """

    logp: float
    loglik: float
    log_z: list[np.ndarray]
    amplification: list[np.ndarray]
    log_weights: list[np.ndarray]


class ModelWithReferences:
    """The graphs that `compute_reference_stats` evaluates, compiled once for many references.

    References take no part in a graph but by their arrays, which are shared variables here. Data
    are those of the attribute `model`, a copy.
    """

    def __init__(self, model, weights=True):
        normalisers = Normalisers(model)
        self.model = umodel = normalisers.valued
        factors = list(normalisers.factors.values())
        self.references = [n.reference for n in normalisers]
        self._ops, self._arrays = {}, {}
        new = {}
        for i, normaliser in enumerate(normalisers):
            for node in normaliser.nodes:
                params, captured, arrays = node.op.split_inputs(node.inputs)
                if i not in self._arrays:
                    self._ops[i] = node.op
                    self._arrays[i] = [
                        pytensor.shared(a.data, shape=(None, *a.type.shape[1:])) for a in arrays
                    ]
                outputs = node.op(*params, *captured, *self._arrays[i], return_list=True)
                new[node] = outputs[0].owner
        outputs = {old.outputs[0]: node.outputs[0] for old, node in new.items()}
        factors = graph_replace(factors, outputs, strict=False)
        normalisers = [replace(n, nodes=[new[node] for node in n.nodes]) for n in normalisers]
        n_free = len(umodel.free_RVs)
        total = lambda parts: sum(part.sum() for part in parts)
        self._n = len(normalisers)
        self._function: Callable = umodel.compile_fn(
            inputs=umodel.value_vars,
            outs=[
                total(factors),
                total(factors[n_free:]),
                *[n.of_batch(n.nodes[0].outputs[0]) for n in normalisers],
                *(amplification_graphs(factors, normalisers) if weights else []),
                *([n.log_weights() for n in normalisers] if weights else []),
            ],
            on_unused_input="ignore",
        )

    def set_references(self, *references):
        """Put a reference in the place of each normaliser's."""
        for i, reference in enumerate(references):
            statistics = self._ops[i].split.statistics_at(reference.points)
            values = [reference.log_weights, *statistics]
            for array, value in zip(self._arrays[i], values, strict=True):
                array.set_value(np.asarray(value, dtype=array.type.dtype))

    def __call__(self, **point) -> AtParameters:
        logp, loglik, *rest = self._function({k: np.asarray(v) for k, v in point.items()})
        parts = [rest[i : i + self._n] for i in range(0, len(rest), self._n)] + [[], []]
        log_z, c, log_weights = parts[:3]
        return AtParameters(
            float(logp),
            float(loglik),
            [np.ravel(z) for z in log_z],
            [np.ravel(a) for a in c],
            [w.reshape(-1, w.shape[-1]) for w in log_weights],
        )


@pytest.fixture(scope="session")
def model_with_references():
    """The class `ModelWithReferences`."""
    return ModelWithReferences


class PaperGaussian:
    """The paper's Gaussian by hand: N data of ±1.754, of which the posterior sd is 0.124."""

    N = 100
    DATA = np.resize([-1.754, 1.754], N)
    GRID = np.linspace(1.2, 2.8, 800)

    @staticmethod
    def energy(x, sigma):
        """x²/2σ²."""
        return x**2 / (2 * sigma**2)

    @staticmethod
    def normal_reference(mean=2.0, sd=4.0, draws=5000, seed=1):
        """Draws of a normal."""
        q = stats.norm(mean, sd)
        return from_draws(q.rvs(draws, random_state=seed), q.logpdf)

    def gaussian(self, reference, parts=1):
        """The likelihood in one potential, or in equal parts."""
        with pm.Model() as model:
            sigma = pm.HalfNormal("sigma", 5)
            x = pm.Data("x", self.DATA)
            for i in range(parts):
                log_z = log_partition(self.energy, sigma, reference=reference)
                share = (self.energy(x, sigma).sum() + x.shape[0] * log_z) / parts
                pm.Potential("likelihood" if parts == 1 else f"part{i}", -share)
        return model

    def exact_draws(self, n_draws=400):
        """Quantiles of the exact posterior of sigma, as two chains."""
        grid, data = self.GRID, self.DATA
        log_p = -self.N * np.log(grid) - (data**2).sum() / (2 * grid**2) - grid**2 / 50
        cdf = np.cumsum(np.exp(log_p - log_p.max()))
        draws = np.interp((np.arange(n_draws) + 0.5) / n_draws, cdf / cdf[-1], grid)
        draws = np.random.default_rng(0).permutation(draws).reshape(2, -1)
        posterior = xr.Dataset(
            {"sigma": (("chain", "draw"), draws)},
            coords={"chain": [0, 1], "draw": np.arange(n_draws // 2)},
        )
        constant = xr.Dataset({"x": ("x_dim_0", data)})
        return xr.DataTree.from_dict({"posterior": posterior, "constant_data": constant})

    def computed(self, model, idata=None, **kwargs):
        """Reference statistics, of few exact draws by default."""
        idata = self.exact_draws(40) if idata is None else idata
        return compute_reference_stats(idata, model=model, progressbar=False, **kwargs)


@pytest.fixture(scope="session")
def paper():
    """The class `PaperGaussian`."""
    return PaperGaussian()


@pytest.fixture(scope="session")
def idata(paper):
    """Statistics of 5000 points of N(2, 4²)."""
    return paper.computed(paper.gaussian(paper.normal_reference()), paper.exact_draws())
