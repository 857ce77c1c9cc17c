"""What the draws of a reference would add to a posterior, foretold before it is sampled."""

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.distribution.of_free_values import Unforeseeable
from pymc_ebm.distribution.pilot import PilotLikelihood
from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.normalised import normalise

__all__ = ["ErrorForecast", "known_axes"]


class ErrorForecast:
    r"""Errors that references would add to the posterior of the parameters of an `EBM`.

    At the maximum of the likelihood, with T = ∂E/∂u for unconstrained parameters u, the Fisher
    information I and the variance V of its score by groups of
    :math:`φ_m = \sum_r c_r \bar w_{mr} (T_{mr} − \bar T_r)`,

    .. math:: δ_k^2 = (I^{-1} V I^{-1})_{kk} / (I^{-1})_{kk}, \qquad
              b = \operatorname{tr}(I^{-1} V) / (2 \log 2)

    are the shares that the reference adds to posterior means, and the bits lost, priors left out.

    Parameters
    ----------
    pilot : PilotLikelihood

    References
    ----------
    C. J. Geyer (1994), "On the convergence of Monte Carlo maximum likelihood calculations".
    """

    def __init__(self, pilot: PilotLikelihood):
        self._pilot = pilot
        self._fitted: NDArray | None = None

    def __call__(self, reference: Reference) -> tuple[float, float]:
        """Largest share δ, and the bits lost.

        The first reference also serves to find the maximum.

        Raises
        ------
        Unforeseeable
            A likelihood that has no maximum at which the points have finite weights.
        """
        size, n_groups = self._pilot.start.size, reference.n_groups
        information, sums = np.zeros((size, size)), np.zeros((size, n_groups))
        with np.errstate(all="ignore"):
            for row in self._pilot.at(self._maximum(reference), reference):
                centred = row.slopes - row.weights @ row.slopes
                influence = row.amplification * row.weights[:, None] * centred
                information += centred.T @ influence
                sums += [np.bincount(reference.groups, part, n_groups) for part in influence.T]
        values, axes, known = known_axes(information)
        values, axes = values[known], axes[:, known]
        inverse = (axes / values) @ axes.T
        centred = (sums - sums.mean(axis=1, keepdims=True)) * np.sqrt(n_groups / (n_groups - 1))
        variance = np.diag(inverse)
        added = ((inverse @ centred) ** 2).sum(axis=1)[variance > 0]
        share = np.sqrt((added / variance[variance > 0]).max())
        return float(share), float((centred * (inverse @ centred)).sum() / (2 * np.log(2)))

    def effective_points(self, reference: Reference) -> float:
        """Effective number of points at the maximum, the smallest of all rows.

        Raises
        ------
        Unforeseeable
            As for the error.
        """
        with np.errstate(all="ignore"):
            rows = self._pilot.at(self._maximum(reference), reference)
            return float(min(1 / (row.weights**2).sum() for row in rows))

    def largest_share(self, reference: Reference, points: NDArray, sds: float = 4.0) -> float:
        """Largest share of a row's model that some of the points have.

        Parameters
        ----------
        reference : Reference
        points : ndarray of bool, shape (M,)
        sds : float
            How far from the maximum, along each axis of the information.

        Raises
        ------
        Unforeseeable
            As for the error.
        """
        at = self._maximum(reference)
        values, axes, known = known_axes(self._pilot.information(at, reference))
        steps = sds * (axes[:, known] / np.sqrt(values[known])).T
        log_weights = self._pilot.log_weights(reference)
        with np.errstate(all="ignore"):
            shares = [
                np.exp(normalise(found[:, points])[0] - normalise(found)[0])
                for rows in self._pilot.chosen_rows([at, *(at + steps), *(at - steps)])
                for found in [log_weights(rows)]
            ]
        # What is not a number says nothing, and may be anything.
        return 1.0 if np.isnan(shares).any() else float(np.max(shares))

    def plausible(self, nats: float = 10.0) -> bool:
        """Whether the prior allows the maximum, so that the posterior may be near.

        Not if its log density there is lower than at the start by this and half a nat a parameter,
        as it is where a likelihood has no maximum: one datum of each mean and scale, for example.
        Nor where no reference has found a maximum yet.
        """
        if self._fitted is None:
            return False
        there, here = self._pilot.log_prior([self._fitted, self._pilot.start])
        return bool(there > here - nats - self._pilot.start.size / 2)

    def _maximum(self, reference: Reference) -> NDArray:
        if self._fitted is None:
            self._fitted = self._pilot.maximum(reference)
        return self._fitted


def known_axes(information: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """Eigenvalues and axes of information, and which of them the data know.

    Directions of which they know less than 1e-8 of the best known are left to the prior.

    Raises
    ------
    Unforeseeable
        Where nothing is known.
    """
    if not (np.isfinite(information).all() and information.any()):
        raise Unforeseeable
    values, axes = np.linalg.eigh(information)
    return values, axes, values > 1e-8 * values[-1]
