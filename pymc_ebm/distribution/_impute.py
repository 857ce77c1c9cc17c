"""Draws of the missing entries of events, given those that were seen."""

from __future__ import annotations

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from pymc_ebm.distribution.conditional_draws import (
    add_to_predictive,
    function_of_draw,
    posterior_points,
)
from pymc_ebm.distribution.energy_rv import EnergyRV
from pymc_ebm.distribution.missing import Completions
from pymc_ebm.energy.parameters import without_unit_batch
from pymc_ebm.given import datatree_given, model_given
from pymc_ebm.partition._log_partition import log_partition
from pymc_ebm.weights.normalised import normalise

__all__ = ["impute"]


def impute(idata: xr.DataTree, *, model: pm.Model | None = None, random_seed=None) -> xr.DataTree:
    """Draw the missing entries of observed events from their posterior predictive distribution.

    At each draw of the posterior one completion z of every event with holes, from
    p(z | what was seen, θ): among all of them on finite sites, among the points that estimate the
    likelihood of what was seen on others.

    Parameters
    ----------
    idata : xr.DataTree
        With a posterior group.
    model : pm.Model, optional
        The model of the context by default.
    random_seed : optional
        As for ``numpy.random.default_rng``.

    Returns
    -------
    xr.DataTree
        `idata`, whose group ``posterior_predictive`` has ``x_imputed`` for each variable ``x``
        with holes: the data of each draw, ``(chain, draw, *data)``, completed.

    Raises
    ------
    ValueError
        No posterior, or one that lacks a parameter, or no observed EBM with missing entries.

    Examples
    --------
    >>> import arviz as az, pymc_ebm as ebm
    >>> field = lambda s, h: -h * s.sum(-1)
    >>> with pm.Model() as model:
    ...     h = pm.Normal("h")
    ...     spins = ebm.reference.enumeration([-1, 1], shape=3, complete=True)
    ...     x = ebm.EBM("x", h, energy=field, reference=spins, observed=[[1, np.nan, -1.0]])
    >>> idata = az.from_dict({"posterior": {"h": np.full((1, 200), 0.5)}})
    >>> drawn = ebm.impute(idata, model=model, random_seed=1)["posterior_predictive"]["x_imputed"]
    >>> drawn.shape, 0.3 < float(drawn[..., 1].mean()) < 0.6  # tanh 0.5 = 0.46
    ((1, 200, 1, 3), True)
    """
    model = model_given(model)
    holed = [
        rv
        for rv in model.observed_RVs
        if isinstance(rv.owner.op, EnergyRV) and rv.owner.op.spec.missing is not None
    ]
    if not holed or "posterior" not in datatree_given(idata).children:
        raise ValueError(
            "There are no missing entries to draw, or no posterior. Give an EBM observed data with "
            "NaN or masked entries, and pass what pm.sample returned."
        )
    rng = np.random.default_rng(random_seed)
    inputs, shape, points = posterior_points(idata, model)
    found = {}
    for rv in holed:
        missing = rv.owner.op.spec.missing
        params = without_unit_batch(rv.owner.op.dist_params(rv.owner), rv.owner.op.ndims_params)
        groups = []
        for group in missing.groups:
            given = group.params(params, rv.owner.op.ndims_params)
            node = log_partition(group.energy, *given, reference=group.reference).owner
            groups.append(node.op.log_weights(*node.inputs))
        log_weights = function_of_draw(inputs, groups, model)
        drawn = np.broadcast_to(missing.filled, (*shape, *missing.filled.shape)).copy()
        for index, values in points:
            of_draw = log_weights(*values)
            for group, log_w in zip(missing.groups, of_draw, strict=True):
                flat = drawn[index].reshape(len(missing.filled), -1)
                flat[group.rows] = _completed(group, log_w, rng)
        dims = model.named_vars_to_dims.get(rv.name)
        names = dims or [f"{rv.name}_dim_{i}" for i in range(missing.filled.ndim)]
        found[f"{rv.name}_imputed"] = (tuple(names), drawn)
    return add_to_predictive(idata, found, model)


def _completed(group: Completions, log_weights: NDArray, rng: np.random.Generator) -> NDArray:
    """Events ``(n, D)`` with a completion drawn by its weight."""
    weights = normalise(np.broadcast_to(log_weights, (len(group.rows), log_weights.shape[-1])))[1]
    cumulative = weights.cumsum(axis=1)
    u = rng.random((len(weights), 1)) * cumulative[:, -1:]
    z = group.reference.points[(cumulative <= u).sum(axis=1)]
    return group.seen + np.einsum("nd,ndk->nk", z, group.places)
