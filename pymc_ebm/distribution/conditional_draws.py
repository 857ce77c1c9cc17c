"""What draws given data take from a posterior, and where they are put."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray
from pytensor.graph.traversal import ancestors

from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.split import VECTORISED

__all__ = ["add_to_predictive", "function_of_draw", "posterior_points"]


def posterior_points(idata: xr.DataTree, model: pm.Model) -> tuple[list, tuple[int, int], list]:
    """The model's free variables in a posterior, its shape, and their values draw by draw.

    Returns
    -------
    inputs : list of TensorVariable
    shape : tuple of int
        Chains and draws.
    points : list
        Of pairs of (chain, draw) and the list of the values there.
    """
    posterior = idata["posterior"].to_dataset()
    shape = posterior.sizes["chain"], posterior.sizes["draw"]
    inputs = [rv for rv in model.free_RVs if rv.name in posterior]
    values = [
        posterior[rv.name].transpose("chain", "draw", ...).to_numpy().astype(rv.dtype)
        for rv in inputs
    ]
    return inputs, shape, [(index, [v[index] for v in values]) for index in np.ndindex(shape)]


def function_of_draw(inputs: list, graphs: list, model: pm.Model) -> Callable:
    """Graphs as a function of the values of a draw, as `posterior_points` has them.

    Raises
    ------
    ValueError
        A posterior that lacks a variable: it would be a new random number at every draw.
    """
    above = set(ancestors(graphs, blockers=inputs))
    lacking = [rv.name for rv in model.free_RVs if rv in above and rv not in inputs]
    if lacking:
        raise ValueError(
            f"The posterior lacks {', '.join(lacking)}, on which the draws depend. Give all that "
            "pm.sample returned of the model."
        )
    return compiled(inputs, graphs, VECTORISED)


def add_to_predictive(
    idata: xr.DataTree, found: Mapping[str, tuple[Sequence[str], NDArray]], model: pm.Model
) -> xr.DataTree:
    """`idata` with variables ``(chain, draw, *dims)`` in its group ``posterior_predictive``."""
    posterior = idata["posterior"].to_dataset()
    known = {dim: c for dim, c in model.coords.items() if c is not None}
    group = xr.Dataset(
        {name: (("chain", "draw", *dims), drawn) for name, (dims, drawn) in found.items()},
        coords={d: posterior[d] for d in ("chain", "draw")}
        | {d: list(known[d]) for dims, _ in found.values() for d in dims if d in known},
    )
    if "posterior_predictive" in idata.children:
        group = idata["posterior_predictive"].to_dataset().merge(group, compat="override")
    idata["posterior_predictive"] = xr.DataTree(group)
    return idata
