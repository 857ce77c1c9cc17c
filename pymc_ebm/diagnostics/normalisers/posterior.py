"""Draws of a model's free parameters, as its functions take them."""

import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from pymc_ebm.given import datatree_given

__all__ = ["flat_draws", "free_posterior"]


def free_posterior(idata: xr.DataTree, model: pm.Model) -> xr.Dataset:
    """Draws of the free parameters of a model, in the number types of its functions.

    Raises
    ------
    ValueError
        No posterior, or one that lacks a parameter.
    """
    if "posterior" not in datatree_given(idata).children:
        raise ValueError("There is no posterior group. Pass what pm.sample returned.")
    posterior = idata["posterior"].to_dataset()
    missing = [rv.name for rv in model.free_RVs if rv.name not in posterior]
    if missing:
        raise ValueError(
            f"The posterior has no {', '.join(missing)}. Pass the model that was sampled."
        )
    types = {rv.name: rv.dtype for rv in model.free_RVs}
    return posterior[list(types)].astype(types, copy=False)


def flat_draws(posterior: xr.Dataset) -> dict[str, NDArray]:
    """Values ``(S, ...)`` by name, chain after chain."""
    n_draws = posterior.sizes["chain"] * posterior.sizes["draw"]
    draws = {name: posterior[name].transpose("chain", "draw", ...).to_numpy() for name in posterior}
    return {str(name): v.reshape(n_draws, *v.shape[2:]) for name, v in draws.items()}
