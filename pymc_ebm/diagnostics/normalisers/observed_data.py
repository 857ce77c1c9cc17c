"""Observed data by the names of the normalisers that they have."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from pymc_ebm.diagnostics.normalisers.find import Normaliser
from pymc_ebm.distribution.energy_rv import EnergyRV
from pymc_ebm.distribution.hidden.hidden_rv import HiddenRV
from pymc_ebm.distribution.observed_ebm import observed_ebms
from pymc_ebm.energy.split import evaluate

__all__ = ["Data", "data_of_normalisers"]


@dataclass(frozen=True)
class Data:
    """Data of an observed variable.

    Attributes
    ----------
    values : ndarray
        ``(N, *event)``.
    whole : bool
        Whether all of them have the one energy, as in no mixture.
    row : ndarray of int
        ``(N,)``, which of the distinct rows of parameters each has.
    """

    values: NDArray
    whole: bool
    row: NDArray

    def of_row(self, row: int, n_rows: int) -> NDArray | None:
        """Data with one of the rows of parameters; None where that is not known."""
        if not self.whole:
            return None
        if n_rows == 1:
            return self.values
        if len(self.row) != len(self.values) or self.row.max() + 1 != n_rows:
            return None
        return self.values[self.row == row]


def data_of_normalisers(model: pm.Model, normalisers: Sequence[Normaliser]) -> dict[str, Data]:
    """Data of the observed variables, by the names of their normalisers."""
    found, ebms = {}, {ebm.name for ebm in observed_ebms(model)}
    for rv in model.observed_RVs:
        if isinstance(rv.owner.op, HiddenRV):
            continue  # what is seen of a field is no state of it
        # On a support that moves, points are no places of data.
        ops = [v.owner.op for v in [rv, *rv.owner.inputs] if v.owner is not None]
        if any(isinstance(op, EnergyRV) and op.spec.moving is not None for op in ops):
            continue
        mine = [n for n in normalisers if n.variable == rv.name]
        values = evaluate([model.rvs_to_values[rv]])[0] if mine else np.empty(0)
        if mine and isinstance(rv.owner.op, EnergyRV) and rv.owner.op.spec.missing is not None:
            values = values[rv.owner.op.spec.missing.complete]
        for normaliser in mine:
            event = normaliser.reference.event_shape
            if len(values) and values.shape[values.ndim - len(event) :] == event:
                events = values.reshape(-1, *event)
                row = normaliser.row_of_data(len(events))
                found[normaliser.name] = Data(events, rv.name in ebms, row)
    return found
