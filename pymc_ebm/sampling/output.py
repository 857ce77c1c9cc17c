"""What every sampler returns: a DataTree of one layout."""

from __future__ import annotations

import json
import numbers

import numpy as np
import pymc as pm
import pytensor
import xarray as xr
from arviz_stats.base import array_stats

from pymc_ebm._version import versions
from pymc_ebm.reference.base import Reference

__all__ = [
    "chain_ess",
    "datatree",
]


def datatree(
    sampler: str,
    draws: np.ndarray,
    *,
    sample_stats: dict[str, np.ndarray],
    ess: float,
    reference: Reference,
    random_seed,
    **groups: xr.Dataset,
) -> xr.DataTree:
    """Groups ``samples`` and ``sample_stats`` with attributes that say where they come from.

    Parameters
    ----------
    sampler : str
        Name of the public function.
    draws : ndarray, shape (chain, draw, *event)
    sample_stats : dict of ndarray
        Statistics of shape ``(chain, draw)`` or ``(chain,)``.
    ess : float
    reference : Reference
    random_seed
        Kept where it is an integer.
    **groups : xr.Dataset
        Further groups.

    Returns
    -------
    xr.DataTree
    """
    attributes = {
        "sampler": sampler,
        "ess": float(ess),
        "reference_fingerprint": reference.fingerprint,
        "versions": json.dumps(versions(pm, pytensor, np, xr)),
    }
    if isinstance(random_seed, numbers.Integral):
        attributes["random_seed"] = int(random_seed)
    sample_dims = ("chain", "draw")
    event_dims = [f"x_dim_{i}" for i in range(draws.ndim - 2)]
    coords = {
        dim: np.arange(n) for dim, n in zip((*sample_dims, *event_dims), draws.shape, strict=True)
    }
    samples = xr.Dataset({"x": ((*sample_dims, *event_dims), draws)}, coords=coords)
    stats = xr.Dataset(
        {name: (sample_dims[: values.ndim], values) for name, values in sample_stats.items()},
        coords={dim: coords[dim] for dim in sample_dims},
    )
    tree = xr.DataTree.from_dict({"samples": samples, "sample_stats": stats, **groups})
    for node in (tree, *tree.children.values()):
        node.attrs = dict(attributes)
    return tree


def chain_ess(energies: np.ndarray, draws: np.ndarray) -> float:
    """Effective number of draws: the smallest of the energy and of the coordinates of x.

    Of a large event, 64 coordinates are looked at.

    Parameters
    ----------
    energies : ndarray, shape (chain, draw)
    draws : ndarray, shape (chain, draw, *event)

    Returns
    -------
    float
        One per chain where there are fewer than 4 draws, or where nothing ever moved.
    """
    n_chains, n_draws = energies.shape
    coordinates = draws.reshape(n_chains, n_draws, -1)
    n_coordinates = coordinates.shape[-1]
    some = np.unique(np.linspace(0, n_coordinates - 1, 64).astype(int))
    columns = np.concatenate([energies[..., None], coordinates[..., some]], axis=-1)
    columns = columns[..., (columns != columns[:1, :1]).any(axis=(0, 1))]
    if n_draws < 4 or columns.shape[-1] == 0:
        return float(n_chains)
    return float(np.min(array_stats.ess(columns, chain_axis=0, draw_axis=1)))
