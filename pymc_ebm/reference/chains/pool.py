"""Chains at several anchors as one set of points: what the pool knows of its points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.reference.laws.site_law import SiteLaw
from pymc_ebm.weights.normalised import normalise

__all__ = ["Pool"]


class Pool(NamedTuple):
    """Chains at K anchors θ_k pooled into one set of M points.

    Where J distributions of independent sites, whose log Z is 0, tie them to each other, these
    come after the anchors.

    Attributes
    ----------
    anchors : ndarray
        Parameters of each anchor, flattened, ``(K, P)``.
    log_partitions : ndarray
        log Ẑ(θ_k) in nats, ``(K,)``; relative to the first where none is known.
    overlap : ndarray
        ``(K + J, K + J)``: the probability that a point of anchor k belongs to anchor l. Rows sum
        to 1; neighbours below about 0.03 are too far apart.
    probabilities : ndarray
        p_mk, the probability that point m belongs to anchor k, ``(M, K + J)``.
    response : ndarray
        ``(M, K + J)``: with φ_m the influence of the point weights on a result, that of the points,
        which also made the log Ẑ(θ_k), is φ + response · (probabilitiesᵀ φ).
    counts : ndarray of int
        Points of each anchor and law, ``(K + J,)``.
    laws : tuple of SiteLaw
    """

    anchors: NDArray
    log_partitions: NDArray
    overlap: NDArray
    probabilities: NDArray
    response: NDArray
    counts: NDArray
    laws: tuple[SiteLaw, ...] = ()

    def influence(self, of_weights: NDArray) -> NDArray:
        """Influence of the points on a result, from that of their weights, ``(..., M)``."""
        return of_weights + (of_weights @ self.probabilities) @ self.response.T

    def strata(self) -> NDArray:
        """The anchor or law that made each point, ``(M,)``."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def log_base(
        self,
        x: NDArray,
        shapes: Sequence[tuple[int, ...]],
        energy: Callable[[Sequence[NDArray]], NDArray],
    ) -> NDArray:
        r"""Log base weight of any places ``(N, *event)``, ``(N,)`` in nats.

        .. math:: a(x) = −\log \Bigl[\sum_k n_k \exp(−E(x \mid θ_k) − \log \hat Z(θ_k))
                  + \sum_j n_j q_j(x)\Bigr]

        Parameters
        ----------
        x : ndarray
        shapes : sequence of tuple
            Of the energy's parameters.
        energy : callable
            ``energy(theta)`` gives E(x | θ), ``(N,)``.
        """
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
        terms = []
        for row, log_z in zip(self.anchors, self.log_partitions, strict=True):
            parts = zip(np.split(row, ends), shapes, strict=True)
            terms.append(-energy([part.reshape(shape) for part, shape in parts]) - log_z)
        terms += [law.log_density(x) for law in self.laws]
        return -normalise(np.stack(terms, axis=1) + np.log(self.counts))[0]
