"""The observed EBMs of a problem, for methods that need energies and data and no normaliser."""

from pymc_ebm.distribution.energy_rv import EnergyRV
from pymc_ebm.distribution.observed_ebm import ObservedEBM, observed_ebms
from pymc_ebm.fitting.problem import Problem

__all__ = ["energies_and_data"]


def energies_and_data(problem: Problem, method: str) -> list[ObservedEBM]:
    """The observed variables of a problem, all of which must be EBMs; parameters are graphs of u.

    Raises
    ------
    ValueError
        A potential, an observed variable that is no EBM, or one whose bounds move or that has
        missing entries; a prior to be included: `method` minimises no likelihood, so there is
        nothing to add them to.
    """
    model, found = problem.model, observed_ebms(problem.model, problem.in_u)
    known = {ebm.name for ebm in found}
    unknown = [v.name for v in model.observed_RVs if v.name not in known and _is_ebm(v)]
    if unknown:
        raise ValueError(
            f"{method} needs the energy of whatever data there could be, and {', '.join(unknown)} "
            'has bounds that move or missing entries. Use method="geyer".'
        )
    others = [v.name for v in (*model.potentials, *model.observed_RVs) if v.name not in known]
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
    return found


def _is_ebm(variable) -> bool:
    return isinstance(variable.owner.op, EnergyRV)
