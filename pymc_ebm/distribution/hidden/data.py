"""Data of a hidden field: which axes are which, what is missing, and what can have been emitted."""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.distribution.hidden.emission import IMPOSSIBLE, Emission, Layout
from pymc_ebm.distribution.missing import CODE
from pymc_ebm.distribution.of_free_values import OfFreeValues, Unforeseeable
from pymc_ebm.energy.calling import in_short
from pymc_ebm.energy.captured import captured_names
from pymc_ebm.energy.initial_values import initial_values
from pymc_ebm.partition.checks import check_reference
from pymc_ebm.reference.base import Reference

__all__ = ["check_emission", "check_reference_of_field", "layout_of", "values_of", "with_holes"]


def values_of(states, reference: Reference | None) -> NDArray:
    """States that a site may have, ``(K,)``.

    Raises
    ------
    ValueError
        Neither given, or fewer than two different ones.
    TypeError
        A continuous reference.
    """
    if reference is None and states is None:
        raise ValueError(
            "what the sites may be is not known. Give the states, for example states=[0, 1]."
        )
    if states is None:
        assert reference is not None
        _check_discrete(reference)
        return np.unique(reference.points)
    values = np.asarray(states)
    if values.ndim != 1 or len(np.unique(values)) != len(values) or len(values) < 2:
        raise ValueError(
            f"states is {states!r}. Give a list of two or more different values, such as [0, 1]."
        )
    return np.sort(values)


def _check_discrete(reference: Reference) -> None:
    check_reference(reference)
    if not reference.discrete:
        raise TypeError(
            "the reference is continuous, and hidden fields have finite states. Give a discrete "
            "one, or states=."
        )


def check_reference_of_field(reference: Reference, values: NDArray, layout: Layout) -> None:
    """Refuse a reference of other fields: its points would emit nothing, in silence.

    Raises
    ------
    ValueError
        Points of another shape, or with states that no site has.
    TypeError
        A continuous reference, or none.
    """
    _check_discrete(reference)
    if reference.event_shape != layout.event:
        shape = (*layout.batch, *layout.event, *layout.channels)
        raise ValueError(
            f"the observed data have shape {shape}, of which the field has {layout.event}, and "
            f"the reference has {reference.event_shape}. Give a reference of that shape."
        )
    others = np.setdiff1d(reference.points, values)
    if others.size:
        raise ValueError(
            f"the reference has sites in state {others[0]:g}, which is not among the states "
            f"{values.tolist()}. Give a reference of these states, or its own as states=."
        )


def layout_of(energy, theta, emission, phi, values, data, reference) -> Layout:
    """Axes of the data, as energy and emission tell.

    Raises
    ------
    ValueError
        Data whose axes do not fit; functions that cannot be called with them.
    """
    placeholders = [t(f"param_{i}") for i, t in enumerate(energy.core_types(theta))]
    n, shape = data.ndim, data.shape
    # The energy eats the axes of the event, and may take no other lengths of them, as of a mask.
    # All axes tell best: of those alone the energy of a lattice might take images for rows.
    parts = [shape[i : i + k] for k in range(n, 0, -1) for i in range(min(n - k, 1) + 1)]
    if reference is not None:
        parts = [reference.event_shape]
    event_ndim = _event_ndim(energy, placeholders, values, parts)
    some = pt.tensor("x", dtype=values.dtype.name, shape=(None,) * event_ndim)
    try:
        found = Emission(emission, values, Layout((), (), ()), data).distribution(some, phi)
    except (IndexError, ValueError) as error:
        raise ValueError(
            f"the emission cannot be called with states of {event_ndim} axes and "
            f"{len(phi)} parameters: {in_short(error)}. Give it those that it takes, in "
            "emission_params=."
        ) from error
    n_channels = found.ndim - event_ndim
    first = data.ndim - event_ndim - n_channels
    if n_channels < 0 or first < 0 or first > 1:
        raise ValueError(
            f"the observed data have shape {data.shape}. The energy takes {event_ndim} axes for "
            f"one field and the emission adds {n_channels}: give one image, or several with "
            "their number first."
        )
    return Layout(shape[:first], shape[first : first + event_ndim], shape[first + event_ndim :])


def _event_ndim(energy, placeholders, values: NDArray, parts: list[tuple[int, ...]]) -> int:
    """Axes that the energy eats of states of the first shape that it takes."""
    errors = []
    for part in parts:
        x = pt.constant(np.full((1, *part), values[0]))
        try:
            return x.ndim - energy(x, *placeholders).ndim
        except (IndexError, ValueError, TypeError) as error:
            errors.append(error)
    raise ValueError(
        f"the energy cannot be called with states of shape {(1, *parts[0])} and "
        f"{len(placeholders)} parameters: {in_short(errors[0])}. Give it those that it takes."
    ) from errors[0]


def with_holes(data: NDArray, holes: NDArray, emission: Emission, phi) -> NDArray:
    """Data in the type of the emission, with NaN or `CODE` in their holes.

    Raises
    ------
    NotImplementedError
        Vectors of which a part is missing.
    """
    x = pt.constant(np.full(emission.layout.event, emission.values[0]))
    distribution = emission.distribution(x, phi)
    own = tuple(range(-distribution.owner.op.ndim_supp, 0))
    if own and (holes.any(axis=own) != holes.all(axis=own)).any():
        raise NotImplementedError(
            "some channels of a vector are missing, whose density without them is not known. "
            "Leave out all channels of that site, or emit independent channels."
        )
    code = np.nan if distribution.dtype.startswith("float") else CODE
    coded = np.where(holes, code, data)
    if code is CODE and not np.array_equal(coded, coded.round()):
        raise TypeError(
            f"the emission is of {distribution.dtype}, but the data have fractions. Emit a "
            "continuous distribution, or correct the data."
        )
    return coded.astype(distribution.dtype)


def check_emission(emission: Emission, y, phi) -> None:
    """Refuse densities that are no numbers, data that cannot be, and what is not given.

    Warns
    -----
    UserWarning
        States that emit alike whatever the parameters.
    """
    log_densities = emission.log_densities(y, phi)
    if names := captured_names([log_densities], [y, *phi]):
        raise ValueError(
            f"the emission uses {', '.join(sorted(names))} of the model without getting it. Make "
            "it a parameter of the emission and give it in emission_params=."
        )
    try:
        values = initial_values([log_densities])
    except IndexError as error:
        raise ValueError(
            f"the emission takes parameters at an index that they do not have: {error}. Give one "
            f"for each of the states {emission.values.tolist()}."
        ) from error
    if values is None:
        return
    [table] = values
    if table.shape != (*emission.layout.batch, emission.layout.n_sites, len(emission.values)):
        raise ValueError(
            f"the emission of one field has log densities of shape {table.shape}, for data of "
            f"{emission.layout.n_sites} sites. Return a distribution of the shape of x."
        )
    for bad, what in (
        (np.isnan(table).any(axis=-1), "is NaN"),
        ((table < IMPOSSIBLE / 2).all(axis=-1), "is zero in every state"),
    ):
        if bad.any():
            shape = (*emission.layout.batch, *emission.layout.event)
            place = tuple(int(i) for i in np.argwhere(bad.reshape(shape))[0])
            raise ValueError(
                f"the density of {bad.sum()} observed values {what} where the parameters start, "
                f"the first at {place}. Correct the data or the emission, or give initval=."
            )
    _tell_of_alike(emission, log_densities)


def _tell_of_alike(emission: Emission, log_densities) -> None:
    """Warn where an index of −1 means the last state, for example."""
    try:
        at = OfFreeValues([log_densities])
    except Unforeseeable:
        return
    rng = np.random.default_rng(0)
    tables = np.stack([at(at.start + rng.normal(size=at.start.size))[0] for _ in range(2)])
    tables = np.moveaxis(tables, -1, 0).reshape(len(emission.values), -1)
    for i, j in combinations(range(len(tables)), 2):
        if np.array_equal(tables[i], tables[j]):
            a, b = emission.values[[i, j]].tolist()
            warnings.warn(
                f"The states {a} and {b} emit alike whatever the parameters, so that data do not "
                "tell them apart. If they index a parameter, −1 takes its last entry: write "
                "mu[(x + 1) // 2] for the states −1 and 1.",
                UserWarning,
                stacklevel=4,
            )
