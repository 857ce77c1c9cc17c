"""The values that a chain may change sites to."""

from __future__ import annotations

import numpy as np

from pymc_ebm.reference.base import Reference
from pymc_ebm.space.sites import Sites

__all__ = ["sites_of"]


def sites_of(reference: Reference, values=None) -> Sites:
    """Values as the caller gives them, or those that occur among the reference's points.

    Parameters
    ----------
    reference : Reference
    values : array_like or sequence of array_like, optional
        ``(K,)`` for all sites, or one sequence for each site.

    Returns
    -------
    Sites

    Raises
    ------
    TypeError
        A continuous reference without `values`.
    ValueError
        Values outside the support, or not one sequence for each site; states of an exact
        reference that are not all the combinations of the sites' values.
    """
    space = reference.space
    if values is None:
        return space.sites(reference.points)
    sites = Sites.of(values, reference.event_shape)
    table = sites.values.astype(reference.points.dtype)
    if (table != sites.values).any():
        raise ValueError(
            f"Some values change in the reference's dtype {reference.points.dtype}. Give values "
            "of the kind that the reference has."
        )
    events = np.moveaxis(table.reshape(*reference.event_shape, -1), -1, 0)
    if not reference.support.contains(events, len(reference.event_shape)).all():
        raise ValueError(
            f"Some values, from {table.min()} to {table.max()}, lie outside the support "
            f"{reference.support}. Remove them."
        )
    return Sites(table, sites.n_values, reference.event_shape)
