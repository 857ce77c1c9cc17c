"""The references of a hidden field, and of the field given each image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import graph_inputs

from pymc_ebm.distribution.hidden.anchors import anchored_references
from pymc_ebm.distribution.hidden.basis import Basis, basis_of, coefficients_at
from pymc_ebm.distribution.hidden.emission import Emission
from pymc_ebm.distribution.hidden.field import (
    EnergyGivenData,
    FieldGivenData,
    HiddenField,
    energy_given_data,
)
from pymc_ebm.distribution.hidden.gibbs_of_field import GibbsOfField
from pymc_ebm.distribution.of_free_values import OfFreeValues, Unforeseeable
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.split import VECTORISED, evaluate
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
    if posterior_reference is not None and reference is not None:
        basis = None
        many_numbers = posterior_reference.points.size * n_values > _MANY_NUMBERS
        if data is not None and not layout.batch and many_numbers:
            basis = _basis(emission, data, phi, 0)
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
    y = pt.as_tensor(data)
    n_images = layout.batch[0] if layout.batch else 1
    images = []
    for n in range(n_images):
        basis = _basis(emission, data, phi, n)
        images.append(EnergyGivenData(energy_given_data(energy, theta, values, basis), basis))
    coefficients = [coefficients_at(i.basis, emission, y, phi, n) for n, i in enumerate(images)]
    try:
        field, found = anchored_references(
            images, theta, coefficients, gibbs, progressbar=progressbar
        )
    except Unforeseeable as error:
        raise NotImplementedError(
            f"{many} where chains are to run is not known: the parameters are no continuous "
            "variables of the model. Give reference= and posterior_reference=."
        ) from error
    field = field if reference is None else reference
    found = found if posterior_reference is None else [posterior_reference] * n_images
    given = tuple(FieldGivenData(i.energy, i.basis, r) for i, r in zip(images, found, strict=True))
    return HiddenField(energy, len(theta), emission, field, given, data, sampler, gibbs)


def _basis(emission: Emission, data: NDArray, phi: Sequence, image: int) -> Basis | None:
    """Of the log densities of one image."""
    layout = emission.layout
    found = basis_of(emission, data.reshape(-1, *layout.event, *layout.channels)[image], phi)
    if found is None:
        return None
    y = pt.as_tensor(data)
    both = [coefficients_at(b, emission, y, phi, image) for b in (None, found)]
    at, size = _function_of_free_values(both)
    if at is None:
        return None
    for u in np.random.default_rng(0).normal(size=(2, size)):
        table, few = at(u)
        largest = np.abs(table).max()
        # Sums of far densities lose digits.
        if not largest < 1e8 or np.abs(found.weights @ few - table).max() > 1e-9 * largest:
            return None
    return found


def _function_of_free_values(graphs: list) -> tuple[Callable | None, int]:
    """Values of graphs around where the parameters start, and how many numbers it takes."""
    if all(isinstance(v, Constant) for v in graph_inputs(graphs)):
        values = evaluate(graphs)
        return lambda u: values, 0
    try:
        at = OfFreeValues(graphs, VECTORISED)
    except Unforeseeable:
        return None, 0
    return lambda u: at(at.start + u), at.start.size
