"""The references of a hidden field, and of the field given each image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import graph_inputs

from pymc_ebm.distribution.hidden.anchors import anchored_references
from pymc_ebm.distribution.hidden.basis import Basis, basis_of
from pymc_ebm.distribution.hidden.emission import Emission
from pymc_ebm.distribution.hidden.field import (
    EnergyGivenData,
    FieldGivenData,
    HiddenField,
    energy_given_data,
)
from pymc_ebm.distribution.hidden.gibbs_of_field import GibbsOfField
from pymc_ebm.distribution.pilot import Unforeseeable, of_free_values
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.split import VECTORISED, evaluate
from pymc_ebm.partition.checks import check_reference
from pymc_ebm.reference._enumeration import enumeration
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.sites import Sites

__all__ = ["hidden_field"]

# Most numbers of the statistics of all states, and from which on a basis saves time.
_MOST_NUMBERS, _MANY_NUMBERS = 2**25, 2**20


def hidden_field(
    energy: Energy,
    theta: Sequence,
    emission: Emission,
    phi: Sequence,
    observed,
    reference: Reference | None,
    posterior_reference: Reference | None,
    sampler,
    progressbar: bool,
) -> HiddenField:
    """The field with its references: all states where they are few, chains else.

    Parameters
    ----------
    energy, theta, emission, phi
        As of `HiddenField`.
    observed : array_like or TensorVariable
        Data with NaN or the code of what is missing in their holes.
    reference, posterior_reference : Reference, optional
    sampler : callable
    progressbar : bool

    Raises
    ------
    NotImplementedError
        Data that may be set anew, or parameters that are no continuous variables, where chains are
        needed.
    """
    for q in (reference, posterior_reference):
        if q is not None:
            check_reference(q)
    values, layout = emission.values, emission.layout
    n_values, n_sites = len(values), layout.n_sites
    few = n_sites * np.log(n_values) + np.log(n_sites * n_values) <= np.log(_MOST_NUMBERS)
    many = f"{n_sites} sites have {n_values}^{n_sites} states, more than can be summed, and"
    data = None
    if not isinstance(observed, pt.TensorVariable) or isinstance(observed, pt.TensorConstant):
        data = np.asarray(getattr(observed, "data", observed))
    if reference is None and few:
        reference = enumeration(values, shape=layout.event, complete=True)
    listed = reference is not None and reference.states is not None
    if posterior_reference is None and listed:
        posterior_reference = reference
    one = data is not None and not layout.batch
    if posterior_reference is not None and reference is not None:
        basis = None
        if one and posterior_reference.points.size * n_values > _MANY_NUMBERS:
            basis = _basis(emission.log_densities(pt.as_tensor(data), phi))
        of_data = energy_given_data(energy, theta, values, basis)
        of_any = FieldGivenData(of_data, basis, posterior_reference)
        only = None if basis is None else data
        return HiddenField(energy, len(theta), emission, reference, (of_any,), only, sampler)
    if data is None:
        raise NotImplementedError(
            f"{many} chains are for the data that there are. Give the array itself, without "
            "pm.Data."
        )
    gibbs = GibbsOfField(energy, Sites.of(values, layout.event))
    table = emission.log_densities(pt.as_tensor(data), phi).reshape((-1, n_sites, n_values))
    n_images = layout.batch[0] if layout.batch else 1
    images = []
    for n in range(n_images):
        basis = _basis(table[n])
        images.append(EnergyGivenData(energy_given_data(energy, theta, values, basis), basis))
    try:
        field, found = anchored_references(
            images, theta, [i.coefficients(table[n]) for n, i in enumerate(images)], gibbs,
            progressbar=progressbar,
        )  # fmt: skip
    except Unforeseeable as error:
        raise NotImplementedError(
            f"{many} where chains are to run is not known: the parameters are no continuous "
            "variables of the model. Give reference= and posterior_reference=."
        ) from error
    field = field if reference is None else reference
    found = found if posterior_reference is None else [posterior_reference] * n_images
    given = tuple(FieldGivenData(i.energy, i.basis, r) for i, r in zip(images, found, strict=True))
    return HiddenField(energy, len(theta), emission, field, given, data, sampler, gibbs)


def _basis(table) -> Basis | None:
    """Of a graph of log densities ``(D, K)`` of one image."""
    if all(isinstance(v, Constant) for v in graph_inputs([table])):
        [values] = evaluate([table])
        return basis_of(lambda u: values, 0, np.random.default_rng(0))
    try:
        at, start = of_free_values([table], VECTORISED)
    except Unforeseeable:
        return None
    return basis_of(lambda u: at(start + u)[0], start.size, np.random.default_rng(0))
