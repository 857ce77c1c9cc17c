"""What every tie adds to every statistic of a network, as an array."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numba
import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray

from pymc_ebm.energies.combining import change_and_options, name_of

__all__ = ["change_statistics"]


def change_statistics(statistics: Sequence[Callable], x) -> NDArray:
    r"""What the tie of each dyad adds to each statistic, the rest of the network as it is.

    .. math:: Δ_k(x)_{ij} = T_k(x \text{ with the tie } ij) − T_k(x \text{ without it})

    The log odds of a tie given all others are Σ_k θ_k Δ_k,ij, so that a logistic regression of the
    dyads on these columns, without an intercept, gives the maximum pseudolikelihood estimate, which
    is that of maximum likelihood where no column depends on the other ties.

    Parameters
    ----------
    statistics : sequence of callable
        T_1, …, T_K, as for `ergm`: the ready ones, with their options by `functools.partial`, or
        one's own that have a `local_change`.
    x : array_like
        Dyads, ``(*batch, D)``, as `to_dyads` makes them.

    Returns
    -------
    ndarray
        ``(*batch, D, K)``, in units of T_k.

    Raises
    ------
    ValueError
        Dyads other than 0 and 1, or not those of a network of the statistics' kind and nodes; a
        statistic without a `local_change`, or without an option that it needs.

    References
    ----------
    Strauss and Ikeda (1990), doi:10.1080/01621459.1990.10475327.

    Examples
    --------
    >>> from pymc_ebm.energies import edges, triangles
    >>> change_statistics((edges, triangles), [1, 0, 1])
    array([[1., 0.],
           [1., 1.],
           [1., 0.]])
    """
    x = np.ascontiguousarray(x)
    if (other := ~np.isin(x, (0, 1))).any():
        raise ValueError(
            f"{other.sum()} of {x.size} dyads are neither 0 nor 1, the first is {x[other][0]}. "
            "Give 1 where two nodes are tied and 0 elsewhere."
        )
    rows = x.reshape(-1, x.shape[-1])
    found = np.empty((*rows.shape, len(statistics)))
    for k, statistic in enumerate(statistics):
        part = change_and_options(statistic)
        if part is None:
            raise ValueError(
                f"The statistic {name_of(statistic)} has no local_change. Give it one, compiled by "
                "numba: see the docstring of ergm."
            )
        statistic(pt.constant(rows))  # refuses dyads that are not those of its nodes
        try:
            fill = _filler(*part)
        except TypeError:  # an option without a hash, such as an array
            fill = _filler.__wrapped__(*part)
        fill(rows, found[..., k])
    return found.reshape(*x.shape, len(statistics))


@lru_cache
def _filler(kept, options):
    """Function that fills ``out[n, d]`` with what the tie of dyad d adds to network n."""
    make, change = kept.make, kept.change

    @numba.njit
    def fill(rows, out):
        for n in range(len(rows)):
            x = rows[n]
            tables = make(x)
            for d in range(rows.shape[1]):
                # One of the two is 0, that of the value which the dyad has.
                tied = change(x, d, 1, tables, *options)
                out[n, d] = tied - change(x, d, 0, tables, *options)

    return fill
