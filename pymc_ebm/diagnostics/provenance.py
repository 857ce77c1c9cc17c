"""What reference statistics were computed from, as attributes that every file format keeps."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import arviz
import numpy as np
import pymc as pm
import pytensor
import xarray as xr
from pymc.backends.arviz import find_constants, find_observations

from pymc_ebm._version import versions
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.distributed import ShardedReference
from pymc_ebm.reference.base import Reference

__all__ = ["check_same_model", "describe", "stale_data"]


def describe(normalisers: Normalisers) -> dict[str, str]:
    """Attributes of the group ``reference_stats``.

    Parameters
    ----------
    normalisers : Normalisers

    Returns
    -------
    dict of str
        JSON text under ``references``, by name: fingerprints of reference and energy,
        description, n_points, n_groups, exact, complete, edge_known, quadrature, absolute, and
        the anchors and overlap of pooled chains. Under
        ``data_fingerprints``: SHA-256 of every observed or constant array of the model. Under
        ``versions``: those of the packages that made the numbers.
    """
    references = {
        n.name: {
            "energy_fingerprint": n.nodes[0].op.energy_fingerprint,
            **_described(n.reference),
        }
        for n in normalisers
    }
    model = normalisers.model
    data = {**find_constants(model), **find_observations(model)}
    return {
        "references": json.dumps(references),
        "data_fingerprints": json.dumps({name: _sha256(array) for name, array in data.items()}),
        "versions": json.dumps(versions(pm, pytensor, arviz)),
    }


def _described(reference: Reference) -> dict[str, Any]:
    return {
        "fingerprint": reference.fingerprint,
        "description": reference.description,
        "n_points": int(reference.n_points) * _shards(reference),
        "n_groups": int(reference.n_groups) * _shards(reference),
        "exact": bool(reference.exact),
        "complete": bool(reference.complete),
        "remade": reference.remake is not None,
        "selected": reference.selected,
        "edge_known": reference.edge is not None,
        "absolute": bool(reference.absolute),
        **_pool(reference),
        "quadrature": reference.coarse_log_weights is not None,
    }


def _shards(reference: Reference) -> int:
    return reference.shards if isinstance(reference, ShardedReference) else 1


def _pool(reference: Reference) -> dict[str, Any]:
    if reference.pool is None:
        return {}
    return {
        "anchors": reference.pool.anchors.tolist(),
        "overlap": reference.pool.overlap.round(4).tolist(),
    }


def check_same_model(idata: xr.DataTree, attributes: Mapping[str, str]) -> None:
    """Raise ValueError where earlier statistics belong to another energy or reference."""
    if "reference_stats" not in idata.children:
        return
    before = json.loads(idata["reference_stats"].attrs["references"])
    for name, now in json.loads(attributes["references"]).items():
        for key, what in (("energy_fingerprint", "energy"), ("fingerprint", "reference")):
            if name in before and before[name][key] != now[key]:
                raise ValueError(
                    f"The reference_stats of {name!r} in this DataTree were made with another "
                    f"{what}. Pass the model that was sampled, or, if it is this one, remove the "
                    'old statistics first: del idata["reference_stats"].'
                )


def stale_data(idata: xr.DataTree) -> list[str]:
    """Names of data in `idata` that differ from those the statistics were computed with."""
    recorded = json.loads(idata["reference_stats"].attrs["data_fingerprints"])
    stale = []
    for group in ("observed_data", "constant_data"):
        if group not in idata.children:
            continue
        for name, array in idata[group].data_vars.items():
            if name in recorded and recorded[name] != _sha256(array.to_numpy()):
                stale.append(str(name))
    return stale


def _sha256(array: Any) -> str:
    """Digest of shape and values, the same before and after a file changed the number type."""
    values = np.ascontiguousarray(array)
    if values.dtype.kind in "biuf":
        values = values.astype("<f8")
    digest = hashlib.sha256(repr(np.shape(array)).encode())
    digest.update(values.tobytes())
    return digest.hexdigest()
