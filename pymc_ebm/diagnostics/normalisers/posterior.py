"""Draws of a model's free parameters, as its functions take them."""

import numpy as np
import pymc as pm
import xarray as xr
from numpy.typing import NDArray

from pymc_ebm.given import group

__all__ = ["checksums", "flat_draws", "free_posterior", "labelled"]


def free_posterior(idata: xr.DataTree, model: pm.Model) -> xr.Dataset:
    """Draws of the free parameters of a model, in the number types of its functions.

    Raises
    ------
    ValueError
        No posterior, or one that lacks a parameter, chains or draws, or has draws that are not
        finite.
    """
    posterior = group(idata, "posterior", "Pass what pm.sample returned.")
    missing = [rv.name for rv in model.free_RVs if rv.name not in posterior]
    if missing:
        raise ValueError(
            f"The posterior has no {', '.join(missing)}. Pass the model that was sampled."
        )
    types = {rv.name: rv.dtype for rv in model.free_RVs}
    posterior = labelled(posterior[list(types)])
    _check_finite(posterior)
    return posterior.astype(types, copy=False)


def labelled(posterior: xr.Dataset) -> xr.Dataset:
    """Draws of which chain and draw number each one, where labels are missing or come twice.

    Raises
    ------
    ValueError
        No dimension of chains or of draws.
    """
    for dim in ("chain", "draw"):
        if dim not in posterior.dims:
            there = ", ".join(map(str, posterior.dims)) or "none"
            raise ValueError(
                f"The posterior has no dimension {dim!r}; it has {there}. Unstack it, or add "
                f'one: idata["posterior"].to_dataset().expand_dims("{dim}").'
            )
        index = posterior.indexes.get(dim)
        if index is None or not index.is_unique:
            posterior = posterior.drop_vars(dim, errors="ignore")
            posterior = posterior.assign_coords({dim: np.arange(posterior.sizes[dim])})
    return posterior


def _check_finite(posterior: xr.Dataset) -> None:
    n_draws = posterior.sizes["chain"] * posterior.sizes["draw"]
    for name, array in posterior.items():
        if array.dtype.kind not in "fiub":
            raise ValueError(
                f"The draws of {name} are of dtype {array.dtype}, not real numbers. Convert them."
            )
        values = array.transpose("chain", "draw", ...).to_numpy()
        bad = ~np.isfinite(values).reshape(*values.shape[:2], -1).all(axis=2)
        if bad.any():
            chain, draw = np.argwhere(bad)[0]
            # Chains of different length are filled up when they are joined.
            ends = (bad[:, 1:] >= bad[:, :-1]).all() and not bad[:, 0].any()
            what = "Chains of different length were joined" if ends else "The sampler went astray"
            first = int(np.flatnonzero(bad.any(axis=0))[0])
            remedy = f"isel(draw=slice({first}))" if ends else 'dropna("draw")'
            raise ValueError(
                f"{bad.sum()} of {n_draws} draws of {name} are not finite, the first in chain "
                f"{chain} at draw {draw}. {what}: drop such draws, "
                f'idata["posterior"].to_dataset().{remedy}.'
            )


def checksums(posterior: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """A number that tells each draw from others, and the scale of what rounding does to it."""
    total, scale = 0.0, 0.0
    for i, name in enumerate(sorted(map(str, posterior.data_vars))):
        array = posterior[name].transpose("chain", "draw", ...)
        values = np.nan_to_num(array.to_numpy().astype(float))
        flat = values.reshape(*values.shape[:2], -1)
        weights = 1 + np.sin(1 + i + np.sqrt(2) * np.arange(flat.shape[2]))
        total, scale = total + flat @ weights, scale + np.abs(flat) @ weights
    coords = {dim: posterior[dim] for dim in ("chain", "draw")}
    wrap = lambda values: xr.DataArray(values, dims=("chain", "draw"), coords=coords)
    return wrap(total), wrap(scale)


def flat_draws(posterior: xr.Dataset) -> dict[str, NDArray]:
    """Values ``(S, ...)`` by name, chain after chain."""
    n_draws = posterior.sizes["chain"] * posterior.sizes["draw"]
    draws = {name: posterior[name].transpose("chain", "draw", ...).to_numpy() for name in posterior}
    return {str(name): v.reshape(n_draws, *v.shape[2:]) for name, v in draws.items()}
