"""Fixtures of the tests of diagnostics."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytensor
import pytest
from pytensor.graph.replace import graph_replace

from pymc_ebm.diagnostics.normalisers.amplification_graphs import amplification_graphs
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers


@pytest.fixture
def interpreted():
    """For tests that evaluate small graphs a few hundred times: compiling them takes longer."""
    with pytensor.config.change_flags(mode="FAST_COMPILE"):
        yield


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
