"""The base weight that any place would have as a point of a reference."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.reference.base import Reference

__all__ = ["log_base_weights"]

# Points at which log q is compared with the base weights, to see whether it made them.
_POINTS_TO_COMPARE = 200


def log_base_weights(
    reference: Reference,
    x: NDArray,
    params: Sequence[NDArray],
    shapes: Sequence[tuple[int, ...]],
    energy: Callable[[Sequence[NDArray]], NDArray],
) -> NDArray | None:
    r"""a(x) = −log q(x) − log M, or that of the mixture behind pooled chains.

    .. math:: a(x) = −\log \Bigl[\sum_k n_k \exp(−E(x \mid θ_k) − \log \hat Z(θ_k))
              + \sum_j n_j q_j(x)\Bigr]

    Parameters
    ----------
    reference : Reference
    x : ndarray
        ``(N, *event)``.
    params : sequence of ndarray
        Where q depends on them.
    shapes : sequence of tuple
        Core shapes of the parameters.
    energy : callable
        ``energy(theta)`` gives E(x | θ), ``(N,)``, at the parameters of an anchor.

    Returns
    -------
    ndarray or None
        ``(N,)`` in nats; None where the law behind the points is not known.
    """
    pool = reference.pool
    if pool is not None:
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
        terms = []
        for row, log_z in zip(pool.anchors, pool.log_partitions, strict=True):
            parts = zip(np.split(row, ends), shapes, strict=True)
            terms.append(-energy([part.reshape(shape) for part, shape in parts]) - log_z)
        terms += [law.log_density(x) for law in pool.laws]
        counts = pool.probabilities.sum(axis=0)
        return -np.logaddexp.reduce(np.stack(terms, axis=1) + np.log(counts), axis=1)
    if reference.proposal is None:
        return None
    if reference.transport is not None:
        return -reference.proposal.log_density(x, *params) - np.log(reference.n_points)
    some = np.linspace(0, reference.n_points - 1, _POINTS_TO_COMPARE).astype(int)
    own = reference.log_weights[some] + reference.proposal.log_density(reference.points[some])
    own = own[np.isfinite(own)]
    # −log M, or that of all draws where a support has dropped some; else another law made them.
    if own.size == 0 or np.ptp(own) > 1e-6:
        return None
    return own[0] - reference.proposal.log_density(x)
