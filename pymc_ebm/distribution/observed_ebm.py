"""An `EBM` with its data: energy, reference, parameters and observed values of a variable."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.distributions.dist_math import check_parameters
from pytensor.graph.basic import Variable

from pymc_ebm.distribution.energy_rv import EnergyRV
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.parameters import without_unit_batch
from pymc_ebm.energy.split import evaluate
from pymc_ebm.reference.base import Reference

__all__ = ["ObservedEBM", "observed_ebms"]


@dataclass(frozen=True, eq=False)
class ObservedEBM:
    """One observed `EBM` variable.

    Attributes
    ----------
    name : str
    energy : Energy
    reference : Reference
    params : list of Variable
        Graphs of the model's values, each of its core shape behind any batch dimensions.
    conditions : list of Variable
        Under which the parameters lie in their domain.
    value : Variable
        The data, ``(*batch, *event)``: a constant, or a graph of ``pm.Data``.
    """

    name: str
    energy: Energy
    reference: Reference
    params: list[Variable]
    conditions: list[Variable]
    value: Variable

    @property
    def event_ndim(self) -> int:
        """Rank of one event."""
        return len(self.reference.event_shape)

    @property
    def batched(self) -> bool:
        """Whether parameters differ from observation to observation."""
        return any(self.energy.batched(self.params))

    def within_domain(self, terms) -> Variable:
        """Terms of a loss where the parameters are in the EBM's domain, +inf elsewhere."""
        if not self.conditions:
            return terms
        message = f"domain of the parameters of {self.name}"
        return -check_parameters(-terms, *self.conditions, msg=message)

    def data(self) -> NDArray:
        """The data at present, ``(*batch, *event)``."""
        return evaluate([self.value])[0]

    def events(self) -> NDArray:
        """The data at present, ``(N, *event)``."""
        return self.data().reshape(-1, *self.reference.event_shape)

    def energies(self, x) -> Variable:
        """Graph of E(x | θ), ``(*batch,)``, for x ``(*batch, *event)``."""
        return self.energy.of_data(x, self.params, self.reference.event_shape)

    def energies_of_alternatives(self, x) -> Variable:
        """Graph of E, ``(N, D, K)``, for x ``(N, D, K, *event)``; row n has parameters n."""
        cores = self.energy.cores(len(self.params))
        batch = [self.value.shape[i] for i in range(self.value.ndim - self.event_ndim)]
        params = []
        for p, n in zip(self.params, cores, strict=True):
            if p.type.ndim > n:
                core = [p.shape[p.ndim - n + i] for i in range(n)]
                p = pt.broadcast_to(p, (*batch, *core)).reshape((-1, 1, 1, *core))
            params.append(p)
        return self.energy.of_data(x, params, self.reference.event_shape)


def observed_ebms(
    model: pm.Model,
    in_values: Callable[[Sequence[Variable]], Sequence[Variable]] | None = None,
) -> list[ObservedEBM]:
    """The observed variables of a model that are EBMs, each with its data.

    Parameters
    ----------
    model : pm.Model
    in_values : callable, optional
        Turns graphs of the model's random variables into graphs of what is to be varied; of its
        value variables by default.

    Returns
    -------
    list of ObservedEBM
    """
    in_values = in_values or model.replace_rvs_by_values
    found = []
    for rv in model.observed_RVs:
        op = rv.owner.op
        # Of a support that moves, the energy of points is not that of data; and with holes that
        # of data is not known.
        if isinstance(op, EnergyRV) and op.spec.moving is None and op.spec.missing is None:
            params = list(in_values(without_unit_batch(op.dist_params(rv.owner), op.ndims_params)))
            found.append(
                ObservedEBM(
                    rv.name,
                    op.spec.energy,
                    op.spec.reference,
                    params,
                    op.spec.conditions(params),
                    model.rvs_to_values[rv],
                )
            )
    return found
