"""The estimated normalisers of a model, and how strongly its log-probability leans on each."""

import numpy as np
import pymc as pm
from pytensor.graph.basic import Apply

from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers

__all__ = ["amplification", "find_log_partitions"]


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
    normalisers = Normalisers(model, transformed=True)
    return normalisers.amplification(normalisers.model.initial_point() if point is None else point)


def find_log_partitions(model: pm.Model | None = None) -> list[tuple[str, Apply]]:
    """The estimated normalisers of a model.

    Parameters
    ----------
    model : pm.Model, optional
        The model of the context by default.

    Returns
    -------
    list of (str, Apply)
        Name and `LogPartition` node. The name is that of the variable or potential whose
        log-probability holds the node. A component of a mixture follows in brackets: its
        coordinate where the weights have a dimension with coordinates (``x[short]``), its number
        otherwise (``x[0]``). The normalisers of a potential are numbered as they come. Nodes
        that compute the same thing within one variable are listed once.
    """
    return [(n.name, n.nodes[0]) for n in Normalisers(model, transformed=True)]
