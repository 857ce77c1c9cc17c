"""How strongly a model's log-probability leans on each of its estimated normalisers."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor.graph.basic import Variable

from pymc_ebm.diagnostics.normalisers.find import Normaliser, normaliser_graphs

__all__ = ["amplification", "amplification_graphs"]


def amplification(
    model: pm.Model | None = None, point: dict[str, np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    r"""Sensitivity of the model's log-probability to each log normaliser.

    .. math:: c_r = -\partial \log p(\text{model}) / \partial \log \hat Z_r

    An error of ε nats in log Ẑ_r moves the log-likelihood by −c_r ε nats.

    Parameters
    ----------
    model : pm.Model, optional
        The model of the context by default.
    point : dict, optional
        Values of ``model.value_vars``, on the transformed scale, as ``model.initial_point()``
        returns them, which is the default.

    Returns
    -------
    dict of ndarray
        c by name, of the normaliser's batch shape, dimensionless: N for N independent
        observations, the expected count of a mixture's component, 1 per row in a regression.

    Examples
    --------
    >>> import pymc_ebm as ebm
    >>> grid = ebm.reference.quadrature(-np.inf, np.inf)
    >>> gaussian = lambda x, s: x**2 / (2 * s**2)
    >>> with pm.Model() as model:
    ...     sigma = pm.HalfNormal("sigma", 5)
    ...     x = ebm.EBM("x", sigma, energy=gaussian, reference=grid, observed=[-1.0, 0.5, 2.0])
    >>> amplification(model)["x"].round(6).item()
    3.0
    """
    model = pm.modelcontext(model)
    factors, normalisers = normaliser_graphs(model)
    function = model.compile_fn(
        amplification_graphs(factors, normalisers), on_unused_input="ignore", point_fn=True
    )
    values = function(model.initial_point() if point is None else point)
    return {n.name: c for n, c in zip(normalisers, values, strict=True)}


def amplification_graphs(factors: list[Variable], normalisers: list[Normaliser]) -> list[Variable]:
    """Graphs of c, one for each normaliser; equal nodes act together, so their c add."""
    outputs = list(dict.fromkeys(node.outputs[0] for n in normalisers for node in n.nodes))
    if not outputs:
        return []
    total = pt.add(*[pt.sum(factor) for factor in factors], 0.0)
    gradients = cast(
        Sequence[Variable], pytensor.grad(total, wrt=outputs, disconnected_inputs="ignore")
    )
    by_output = dict(zip(outputs, gradients, strict=True))
    return [
        n.of_batch(-pt.add(*[by_output[node.outputs[0]] for node in n.nodes], 0.0))
        for n in normalisers
    ]
