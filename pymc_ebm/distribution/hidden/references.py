"""The references of a hidden field where the user gives none."""

from __future__ import annotations

from pymc_ebm.distribution.hidden.emission import Emission
from pymc_ebm.distribution.hidden.field import FieldGivenData, energy_given_data
from pymc_ebm.energy.energy import Energy
from pymc_ebm.partition.checks import check_reference
from pymc_ebm.reference._enumeration import enumeration
from pymc_ebm.reference.base import Reference

__all__ = ["references_for"]

# Most numbers of the statistics of all states, one for each site and state of it.
_MOST_NUMBERS = 2**25


def references_for(
    energy: Energy,
    theta,
    emission: Emission,
    phi,
    observed,
    reference: Reference | None,
    posterior_reference: Reference | None,
    progressbar: bool,
) -> tuple[Reference, FieldGivenData]:
    """References of the field and of the field given the data: all states where they are few."""
    values, layout = emission.values, emission.layout
    n_states = float(len(values)) ** layout.n_sites
    few = n_states * layout.n_sites * len(values) <= _MOST_NUMBERS
    if reference is None and few:
        reference = enumeration(values, shape=layout.event, complete=True)
    for given in (reference, posterior_reference):
        if given is not None:
            check_reference(given)
    if posterior_reference is None and reference is not None and reference.states is not None:
        posterior_reference = reference
    if reference is None or posterior_reference is None:
        raise NotImplementedError(
            f"{layout.n_sites} sites have {n_states:.3g} states, more than can be summed. Give "
            "reference= and posterior_reference=."
        )
    of_data = energy_given_data(energy, theta, values)
    return reference, FieldGivenData(of_data, posterior_reference)
