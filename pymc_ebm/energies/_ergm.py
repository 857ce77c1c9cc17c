"""Exponential random graph models."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energies.combining import combined_change, name_of
from pymc_ebm.energies.local_change import with_local_change

__all__ = ["ergm"]


def ergm(
    statistics: Sequence[Callable], *, offsets: Sequence[tuple[Callable, float]] = ()
) -> Callable[..., TensorVariable]:
    r"""Make the energy of an exponential random graph model with these statistics.

    .. math:: E(x \mid θ) = −\sum_k θ_k T_k(x) − \sum_j c_j O_j(x)

    The event is the vector of dyads of `to_dyads`. Each function T_k takes dyads
    ``(*batch, n(n − 1)/2)``, or ``(*batch, n(n − 1))`` of directed networks, to ``(*batch,)``:
    `edges`, `nodematch`, `gwesp`, `mutual` and the others, or one's own. Offsets O_j have
    coefficients c_j that are known. With edges alone, log Z = n(n − 1)/2 · log(1 + exp θ).

    A statistic may have an attribute ``local_change(x, site, value, *options)``, compiled by
    numba: T_k(x with x[site] = value) − T_k(x) for the dyads x of one network, which it leaves as
    they are. The ready ones have it. If all of them do, so has the energy, and
    `pymc_ebm.sampling.gibbs` counts what a tie changes instead of evaluating the energy.

    Parameters
    ----------
    statistics : sequence of callable
        T_1, …, T_K. What a statistic needs to know is given by `functools.partial`.
    offsets : sequence of (callable, float), optional
        Statistics with fixed coefficients, beside θ: ``[(edges, -np.log(n))]``, for example, in
        networks whose mean degree does not grow with their n nodes.

    Returns
    -------
    callable
        ``energy(x, theta)`` with theta ``(K,)``, in nats for each unit of T_k; use it with
        ``signature="(k)"``.

    Raises
    ------
    ValueError
        No statistics; one without an option that it needs; a coefficient of an offset that is not
        finite. From the energy, a theta of another length than there are statistics.
    TypeError
        A `local_change` that numba has not compiled.

    References
    ----------
    Frank and Strauss (1986), doi:10.1080/01621459.1986.10478342. Hunter and Handcock (2006),
    doi:10.1198/106186006X133069.

    Examples
    --------
    >>> from functools import partial
    >>> import pymc_ebm as ebm
    >>> from pymc_ebm.energies import edges, gwesp, triangles
    >>> graphs = ebm.reference.enumeration([0, 1], shape=6, complete=True)  # 4 nodes
    >>> energy = ergm((edges, triangles))
    >>> log_z = ebm.log_partition(energy, [-1, 0.3], reference=graphs, signature="(k)")
    >>> log_z.eval().round(4).item()
    1.9075
    >>> energy = ergm((edges, partial(gwesp, decay=0.5)), offsets=[(triangles, -0.2)])

    A statistic of one's own, here ties between nodes of one kind (`nodematch`), with its change:

    >>> import numba, numpy as np
    >>> same = np.array([1.0, 0.0, 0.0, 0.0, 0.0, 1.0])  # the kinds of the nodes are 0, 0, 1, 1
    >>> matches = lambda x: (x * same).sum(-1)
    >>> matches.local_change = numba.njit(lambda x, site, value: same[site] * (value - x[site]))
    >>> energy = ergm((edges, triangles, matches))
    >>> theta = np.array([-1.0, 0.3, 0.5])
    >>> energy.local_change(np.array([1, 1, 0, 0, 0, 0]), 5, 1, theta)
    0.5
    """
    statistics, offsets = tuple(statistics), tuple(offsets)
    if not statistics:
        raise ValueError("The model has 0 statistics. Give at least one, for example (edges,).")
    for statistic, coefficient in offsets:
        if not np.isfinite(coefficient):
            raise ValueError(
                f"The coefficient of the offset {name_of(statistic)} is {coefficient}. Give a "
                "finite number; -50 forbids what it counts."
            )
    every = (*statistics, *(statistic for statistic, _ in offsets))
    fixed = np.array([coefficient for _, coefficient in offsets], dtype="float64")

    def energy(x, theta):
        theta = pt.as_tensor(theta)
        if theta.type.shape[-1] not in (None, len(statistics)):
            raise ValueError(
                f"theta has length {theta.type.shape[-1]}, and there are {len(statistics)} "
                "statistics. Give one parameter for each."
            )
        values = pt.stack([statistic(x) for statistic in every], axis=-1)
        return -pt.dot(values, pt.concatenate([theta, fixed]) if offsets else theta)

    change = combined_change(statistics, offsets)
    return energy if change is None else with_local_change(change)(energy)
