"""What `compute_reference_stats` stores in a DataTree, written and read here alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import arviz
import numpy as np
import pymc as pm
import pytensor
import xarray as xr
from pymc.backends.arviz import find_constants, find_observations

from pymc_ebm._version import __version__, versions
from pymc_ebm.diagnostics.checks import CHECKS, Check, Draws
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.normalisers.posterior import checksums, labelled
from pymc_ebm.given import group

__all__ = ["CHECKSUM", "STATISTICS", "Record", "check_same_model", "describe"]


_OF_MODEL = ("references", "data_fingerprints", "versions")
# Of each draw and normaliser.
STATISTICS = (
    "log_partition",
    "log_partition_mcse",
    "ess",
    "pareto_k",
    "amplification",
    "loglik_variance",
    "zero_weight_share",
    "edge_weight",
    "quadrature_error",
)
# The statistic of a draw by which it is known again.
CHECKSUM = "draw_checksum"


class Record(NamedTuple):
    """Statistics of a posterior's normalisers, and what the checks measured.

    Attributes
    ----------
    draws : Draws
    measured : dict
        What each check measured, by its name; those that measure nothing are left out.
    attributes : dict of str
        What `describe` says of the model.
    """

    draws: Draws
    measured: Mapping[str, Any]
    attributes: Mapping[str, str]

    def groups(self) -> dict[str, xr.Dataset]:
        """The groups ``reference_stats`` and ``reference_mcse``, which every file format keeps."""
        found = {name: json.dumps(value) for name, value in self.measured.items()}
        attributes = {**self.attributes, **found}
        return {
            "reference_stats": self.draws.statistics.assign_attrs(attributes),
            "reference_mcse": self.draws.mcse.assign_attrs(attributes),
        }

    @classmethod
    def read(cls, idata: xr.DataTree, checks: Sequence[Check] = CHECKS) -> Record:
        """What was stored in a DataTree, and of what checks measured that of these.

        Raises
        ------
        ValueError
            No posterior or reference statistics; these of another version of the package, or of
            draws or parameters that the posterior no longer has.
        """
        posterior = group(idata, "posterior", "Pass what pm.sample returned.")
        first = "Run compute_reference_stats(idata) first."
        statistics, mcse = (group(idata, n, first) for n in ("reference_stats", "reference_mcse"))
        _check_complete(statistics, mcse, posterior)
        texts = statistics.attrs
        of_model = {name: texts[name] for name in _OF_MODEL}
        measured = {c.name: json.loads(texts[c.name]) for c in checks if c.name in texts}
        posterior = labelled(posterior[list(mcse.data_vars)])
        draws = Draws(
            posterior,
            statistics,
            mcse,
            json.loads(of_model["references"]),
            tuple(_changed_data(idata)),
            _changed_draws(posterior, statistics),
            tuple(json.loads(texts.get("left_out", "[]"))),
        )
        return cls(draws, measured, {**of_model, "left_out": texts.get("left_out", "[]")})


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
        ``versions``: those of the packages that made the numbers. Under ``left_out``: normalisers
        of the model that were not asked for.
    """
    references = {
        n.name: {
            "energy_fingerprint": n.nodes[0].op.energy_fingerprint,
            **n.reference.describe(),
        }
        for n in normalisers
    }
    model = normalisers.model
    data = {**find_constants(model), **find_observations(model)}
    return {
        "references": json.dumps(references),
        "data_fingerprints": json.dumps({name: _sha256(array) for name, array in data.items()}),
        "versions": json.dumps(versions(pm, pytensor, arviz)),
        "left_out": json.dumps(normalisers.left_out),
    }


def _check_complete(statistics: xr.Dataset, mcse: xr.Dataset, posterior: xr.Dataset) -> None:
    """Raise ValueError where statistics lack what this version stores, or the posterior draws."""
    kept = {*statistics.attrs, *statistics.data_vars}
    if lost := [name for name in (*_OF_MODEL, *STATISTICS) if name not in kept]:
        made = json.loads(statistics.attrs.get("versions", "{}")).get("pymc_ebm", "another version")
        raise ValueError(
            f"The reference_stats have no {lost[0]}: they were made by pymc_ebm {made}, and this "
            f"is {__version__}. Run compute_reference_stats again."
        )
    if gone := [str(name) for name in mcse.data_vars if name not in posterior]:
        raise ValueError(
            f"The posterior has no {', '.join(gone)}, of which there are reference "
            "statistics. Pass all that pm.sample returned."
        )


def check_same_model(idata: xr.DataTree, attributes: Mapping[str, str]) -> None:
    """Raise ValueError where earlier statistics belong to another energy, reference or data."""
    if "reference_stats" not in idata.children:
        return
    remedy = (
        "Pass the model that was sampled, or, if it is this one, remove the old statistics first: "
        'del idata["reference_stats"].'
    )
    # Those of another version may not say.
    known = {name: json.loads(idata["reference_stats"].attrs.get(name, "{}")) for name in _OF_MODEL}
    data = known["data_fingerprints"]
    now = json.loads(attributes["data_fingerprints"])
    if other := [name for name, digest in data.items() if now.get(name, digest) != digest]:
        raise ValueError(
            f"The reference_stats in this DataTree were made with other data, {', '.join(other)}. "
            f"{remedy}"
        )
    before = known["references"]
    for name, now in json.loads(attributes["references"]).items():
        for key, what in (("energy_fingerprint", "energy"), ("fingerprint", "reference")):
            if before.get(name, {}).get(key, now[key]) != now[key]:
                raise ValueError(
                    f"The reference_stats of {name!r} in this DataTree were made with another "
                    f"{what}. {remedy}"
                )


def _changed_draws(posterior: xr.Dataset, statistics: xr.Dataset) -> int:
    """How many draws of the statistics differ from the posterior's."""
    chosen = {dim: statistics[dim] for dim in ("chain", "draw")}
    gone = sum(int((~np.isin(v, posterior[dim])).sum()) for dim, v in chosen.items())
    if gone or not all(v.size for v in chosen.values()):
        raise ValueError(
            f"The reference statistics are of {chosen['draw'].size} draws a chain, of which the "
            "posterior does not have all. Run compute_reference_stats again."
        )
    if CHECKSUM not in statistics:
        return 0
    now, scale = checksums(posterior.sel(chosen))
    # Files may keep fewer digits.
    return int((np.abs(now - statistics[CHECKSUM]) > 1e-5 * scale + 1e-300).sum())


def _changed_data(idata: xr.DataTree) -> list[str]:
    """Names of data in `idata` that differ from those the statistics were computed with."""
    recorded = json.loads(idata["reference_stats"].attrs["data_fingerprints"])
    changed = []
    for of_data in ("observed_data", "constant_data"):
        if of_data not in idata.children:
            continue
        for name, array in idata[of_data].data_vars.items():
            if name in recorded and recorded[name] != _sha256(array.to_numpy()):
                changed.append(str(name))
    return changed


def _sha256(array: Any) -> str:
    """Digest of shape and values, the same before and after a file changed the number type."""
    values = np.ascontiguousarray(array)
    if values.dtype.kind in "biuf":
        values = values.astype("<f8")
    digest = hashlib.sha256(repr(np.shape(array)).encode())
    digest.update(values.tobytes())
    return digest.hexdigest()
