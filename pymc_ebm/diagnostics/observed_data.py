"""Observed data by the names of the normalisers that they have."""

from dataclasses import dataclass

import pymc as pm
from numpy.typing import NDArray

from pymc_ebm.diagnostics.normalisers import find_log_partitions
from pymc_ebm.distribution import EnergyRV
from pymc_ebm.energy import evaluate

__all__ = ["Data", "data_by_name"]


@dataclass(frozen=True)
class Data:
    """Data of an observed variable; `whole` where all of them have the one energy."""

    values: NDArray
    whole: bool


def data_by_name(model: pm.Model) -> dict[str, Data]:
    """Data of the observed variables, by the names of their normalisers."""
    found = {}
    for rv in model.observed_RVs:
        values = evaluate([model.rvs_to_values[rv]])[0]
        for name, node in find_log_partitions(model):
            if name == rv.name or name.startswith(f"{rv.name}["):
                event = node.op.reference.event_shape
                if values.shape[values.ndim - len(event) :] == event:
                    found[name] = Data(
                        values.reshape(-1, *event), isinstance(rv.owner.op, EnergyRV)
                    )
    return found
