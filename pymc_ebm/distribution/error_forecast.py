"""What the draws of a reference would add to a posterior, foretold before it is sampled."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pymc as pm
import pytensor
from numpy.typing import NDArray
from pytensor.graph.traversal import ancestors
from pytensor.graph.utils import MissingInputError
from pytensor.tensor.random.op import RandomVariable
from scipy import optimize, special

from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.split import RUN_ONCE
from pymc_ebm.reference.base import Reference

__all__ = ["ErrorForecast", "Unforeseeable"]

# Observations that stand for all of a regression, fewer where there are many parameters.
_MOST_ROWS, _FEWEST_ROWS = 32, 16
_MOST_DIFFERENCES = 1000
_MOST_PARAMETERS = 200
# Steps of central differences in unconstrained parameters.
_STEP = 1e-4
_MOST_ITERATIONS = 50
# Directions of which the data know less than this share of the best known are left to the prior.
_UNKNOWN = 1e-8


class Unforeseeable(Exception):
    """Raised where nothing can be said before sampling."""


class _Row(NamedTuple):
    """One row of parameters: its data, and what their log-likelihood is at u."""

    amplification: float
    energy: float  # of its data, summed
    energy_slopes: NDArray  # (K,)
    log_partition: float
    weights: NDArray  # (M,), normalised
    slopes: NDArray  # T, (M, K)


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
    energy : Energy
    params : sequence of TensorVariable
    data : ndarray
        ``(*batch, *event)``.
    event_ndim : int

    Raises
    ------
    Unforeseeable
        Parameters other than continuous variables of the model on the context stack, or more than
        200 of them; parameters that do not fit the data, and energies that capture variables.

    References
    ----------
    C. J. Geyer (1994), "On the convergence of Monte Carlo maximum likelihood calculations".
    """

    def __init__(self, energy: Energy, params, data: NDArray, event_ndim: int):
        self._cores = energy.cores(len(params))
        self._theta, self._start = _of_free_values(params)
        n_batch = data.ndim - event_ndim
        self._batch = data.shape[:n_batch]
        theta = self._theta(self._start)
        rows = energy.batch_shapes(theta)
        shared = not any(rows)
        if not _fit(rows, self._batch):
            raise Unforeseeable
        flat = data.reshape(-1, *data.shape[n_batch:])
        n_rows = np.clip(_MOST_DIFFERENCES // self._start.size, _FEWEST_ROWS, _MOST_ROWS)
        chosen = np.unique(np.linspace(0, len(flat) - 1, n_rows).astype(int))
        self._rows = [0] if shared else chosen.tolist()
        self._times = 1.0 if shared else len(flat) / len(chosen)
        self._n_data = len(flat)
        self._energies = partial(energy.of_points, flat.shape[1:], data.dtype, params)
        try:
            of_data = self._energies(len(flat) if shared else 1)
        except MissingInputError as error:
            raise Unforeseeable from error
        if of_data.split.captured:
            raise Unforeseeable
        self._data = [of_data.at(flat if shared else flat[row : row + 1]) for row in self._rows]
        self._fitted: NDArray | None = None

    def __call__(self, reference: Reference) -> tuple[float, float]:
        """Largest share δ, and the bits lost.

        The first reference also serves to find the maximum.

        Raises
        ------
        Unforeseeable
            A likelihood that has no maximum at which the points have finite weights.
        """
        log_weights = self._log_weights(reference)
        size, n_groups = self._start.size, reference.n_groups
        information, sums = np.zeros((size, size)), np.zeros((size, n_groups))
        with np.errstate(all="ignore"):
            for row in self._at(self._maximum(log_weights), log_weights):
                centred = row.slopes - row.weights @ row.slopes
                influence = row.amplification * row.weights[:, None] * centred
                information += centred.T @ influence
                sums += [np.bincount(reference.groups, part, n_groups) for part in influence.T]
        values, axes = _known_axes(information)
        inverse = (axes / values) @ axes.T
        centred = (sums - sums.mean(axis=1, keepdims=True)) * np.sqrt(n_groups / (n_groups - 1))
        variance = np.diag(inverse)
        added = ((inverse @ centred) ** 2).sum(axis=1)[variance > 0]
        share = np.sqrt((added / variance[variance > 0]).max())
        return float(share), float((centred * (inverse @ centred)).sum() / (2 * np.log(2)))

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
        log_weights = self._log_weights(reference)
        with np.errstate(all="ignore"):
            at = self._maximum(log_weights)
            information = np.zeros((at.size, at.size))
            for row in self._at(at, log_weights):
                centred = row.slopes - row.weights @ row.slopes
                weights = row.amplification * row.weights[:, None]
                information += centred.T @ (weights * centred)
            values, axes = _known_axes(information)
            steps = sds * (axes / np.sqrt(values)).T
            shares = [
                np.exp(special.logsumexp(found[points]) - special.logsumexp(found))
                for theta in map(self._flat_theta, [at, *(at + steps), *(at - steps)])
                for found in (log_weights(self._row(theta, row)) for row in self._rows)
            ]
        # What is not a number says nothing, and may be anything.
        return 1.0 if np.isnan(shares).any() else float(max(shares))

    def _log_weights(self, reference: Reference):
        energy = self._energies(reference.n_points).at(reference.points)
        return lambda theta: reference.log_weights - energy(theta)

    def _maximum(self, log_weights) -> NDArray:
        """Unconstrained parameters at which the likelihood by the first reference is largest."""
        if self._fitted is not None:
            return self._fitted

        def objective(u):
            value, slope = 0.0, np.zeros(u.size)
            for row in self._at(u, log_weights):
                value += row.energy + row.amplification * row.log_partition
                slope += row.energy_slopes - row.amplification * (row.weights @ row.slopes)
            return value / self._n_data, slope / self._n_data

        found = optimize.minimize(
            objective,
            self._start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _MOST_ITERATIONS},
        )
        self._fitted = found.x
        return found.x

    def _at(self, u: NDArray, log_weights) -> Iterator[_Row]:
        """What each row contributes at u, with slopes by central differences."""
        steps = _STEP * np.eye(u.size)
        here, *around = map(self._flat_theta, [u, *(u + steps), *(u - steps)])
        for data, row in zip(self._data, self._rows, strict=True):
            theta = self._row(here, row)
            at = log_weights(theta)
            of_data = data(theta)
            slopes = np.zeros((u.size, at.size))
            data_slopes = np.zeros(u.size)
            for k in range(u.size):
                ends = [self._row(around[i], row) for i in (k, u.size + k)]
                if all(np.array_equal(a, b) for a, b in zip(*ends, strict=True)):
                    continue
                high, low = (log_weights(end) for end in ends)
                # A point without weight has no say, whatever its energy.
                slopes[k] = np.where(np.isneginf(at), 0.0, (low - high) / (2 * _STEP))
                high, low = (data(end).sum() for end in ends)
                data_slopes[k] = (high - low) / (2 * _STEP)
            log_z = special.logsumexp(at)
            yield _Row(
                self._times * len(of_data),
                self._times * of_data.sum(),
                self._times * data_slopes,
                log_z,
                np.exp(at - log_z),
                slopes.T,
            )

    def _flat_theta(self, u: NDArray) -> list[NDArray]:
        """Parameters ``(N, *core)``, or of their core shapes where the data share them."""
        theta = self._theta(u)
        if len(self._rows) == 1 and self._times == 1.0:
            return theta
        cores = [np.shape(v)[np.ndim(v) - n :] for v, n in zip(theta, self._cores, strict=True)]
        return [
            np.broadcast_to(v, (*self._batch, *core)).reshape(-1, *core)
            for v, core in zip(theta, cores, strict=True)
        ]

    def _row(self, theta: Sequence[NDArray], row: int) -> list[NDArray]:
        shared = zip(theta, self._cores, strict=True)
        return [v if np.ndim(v) == n else v[row] for v, n in shared]


def _known_axes(information: NDArray) -> tuple[NDArray, NDArray]:
    """Eigenvalues and axes of the directions that the data know."""
    if not (np.isfinite(information).all() and information.any()):
        raise Unforeseeable
    values, axes = np.linalg.eigh(information)
    known = values > _UNKNOWN * values[-1]
    return values[known], axes[:, known]


def _fit(rows: Sequence[tuple[int, ...]], batch: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(*rows, batch) == batch
    except ValueError:
        return False


def _of_free_values(variables) -> tuple[Callable[[NDArray], list[NDArray]], NDArray]:
    """Parameters as a function of the model's unconstrained values that they use; the start."""
    model = pm.modelcontext(None)
    graphs = model.replace_rvs_by_values(variables)
    above = set(ancestors(graphs))
    values = [v for v in model.value_vars if v in above]
    known = all(v.dtype.startswith("float") for v in values)
    random = any(v.owner and isinstance(v.owner.op, RandomVariable) for v in above)
    start = model.initial_point(random_seed=0)
    first = [np.asarray(start[v.name]) for v in values]
    sizes = [a.size for a in first]
    if not values or not known or random or sum(sizes) > _MOST_PARAMETERS:
        raise Unforeseeable
    function = pytensor.function(values, graphs, mode=RUN_ONCE)
    ends = np.cumsum(sizes)[:-1]

    def theta(u):
        parts = zip(np.split(u, ends), first, strict=True)
        return function(*(part.reshape(a.shape).astype(a.dtype) for part, a in parts))

    return theta, np.concatenate([a.ravel() for a in first]).astype(float)
