"""The observed EBMs of a problem, for methods that need energies and data and no normaliser."""

from dataclasses import dataclass

import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.distributions.dist_math import check_parameters
from pytensor.graph.basic import Variable

from pymc_ebm.distribution.ebm import EnergyRV
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.parameters import without_unit_batch
from pymc_ebm.energy.split import evaluate
from pymc_ebm.fitting.problem import Problem
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
        Graphs of u.
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


def observed_ebms(problem: Problem, method: str) -> list[ObservedEBM]:
    """The observed variables of a problem, all of which must be EBMs.

    Raises
    ------
    ValueError
        A potential, an observed variable that is no EBM, or a prior to be included: `method`
        minimises no likelihood, so there is nothing to add them to.
    """
    model = problem.model
    others = [
        *[p.name for p in model.potentials],
        *[rv.name for rv in model.observed_RVs if not isinstance(rv.owner.op, EnergyRV)],
    ]
    if others:
        raise ValueError(
            f"{method} needs the energy and the data apart, and {', '.join(others)} is no observed "
            'EBM. Use method="geyer".'
        )
    if problem.include_prior:
        raise ValueError(
            f"{method} minimises no likelihood that a prior could be added to. Use "
            'method="geyer", or leave out include_prior.'
        )
    found = []
    for rv in model.observed_RVs:
        op, spec = rv.owner.op, rv.owner.op.spec
        params = without_unit_batch(op.dist_params(rv.owner), op.ndims_params)
        params = problem.in_u(params)
        found.append(
            ObservedEBM(
                rv.name,
                spec.energy,
                spec.reference,
                params,
                spec.conditions(params),
                model.rvs_to_values[rv],
            )
        )
    return found
