"""The likelihood of an `EBM` before it is part of a model: where it is largest, and how wide."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
import pymc as pm
import pytensor
from numpy.typing import NDArray
from pytensor.compile.mode import Mode
from pytensor.graph.traversal import ancestors
from pytensor.graph.utils import MissingInputError
from pytensor.tensor.random.op import RandomVariable
from scipy import optimize, special

from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.point_energies import PointEnergies
from pymc_ebm.energy.split import RUN_ONCE
from pymc_ebm.reference.base import Reference

__all__ = ["PilotLikelihood", "PilotRow", "Unforeseeable", "of_free_values"]


class Unforeseeable(Exception):
    """Raised where nothing can be said before sampling."""


class PilotRow(NamedTuple):
    """One row of parameters: its data, and what their log-likelihood is at u."""

    amplification: float
    energy: float  # of its data, summed
    energy_slopes: NDArray  # (K,)
    log_partition: float
    weights: NDArray  # (M,), normalised
    slopes: NDArray  # T = ∂E/∂u, (M, K)


class PilotLikelihood:
    """The likelihood as a function of the unconstrained values u of a model's parameters.

    Of a regression, some observations stand for all.

    Parameters
    ----------
    energy : Energy
    params : sequence of TensorVariable
    data : ndarray
        ``(*batch, *event)``.
    event_ndim : int
    seen : tuple of Energy and ndarray, optional
        The energy of the data and these, where they are on another space than points.

    Raises
    ------
    Unforeseeable
        Parameters other than continuous variables of the model on the context stack, or more than
        200 of them; parameters that do not fit the data, and energies that capture variables.
    """

    def __init__(
        self,
        energy: Energy,
        params,
        data: NDArray,
        event_ndim: int,
        seen: tuple[Energy, NDArray] | None = None,
    ):
        self._energy = energy
        self._theta, self.start = of_free_values(params)
        n_batch = data.ndim - event_ndim
        self._batch = data.shape[:n_batch]
        rows = energy.batch_shapes(self._theta(self.start))
        self._shared = not any(rows)
        if not _fit(rows, self._batch):
            raise Unforeseeable
        self.data = data.reshape(-1, *data.shape[n_batch:])
        # Observations that stand for all of a regression, fewer where there are many parameters.
        n_rows = np.clip(1000 // self.start.size, 16, 32)
        chosen = np.unique(np.linspace(0, len(self.data) - 1, n_rows).astype(int))
        self._rows = [0] if self._shared else chosen.tolist()
        # How many observations each of these stands for.
        self.times = 1.0 if self._shared else len(self.data) / len(chosen)
        self._energies = partial(energy.of_points, self.data.shape[1:], data.dtype, params)
        n_data = len(self.data) if self._shared else 1
        event = self.data.shape[1:]
        of_data, values = (energy, data) if seen is None else seen
        self._seen = values.reshape(-1, *event)
        try:
            self._of_points = self._energies(n_data)
            self._of_data = of_data.of_points(event, data.dtype, params, n_data)
        except MissingInputError as error:
            raise Unforeseeable from error
        if self._of_points.split.captured:
            raise Unforeseeable

    @property
    def n_rows(self) -> int:
        """Rows of parameters that stand for all of them."""
        return len(self._rows)

    @property
    def point_energies(self) -> PointEnergies | None:
        """E of any number of points; None where the energy takes one number only."""
        return None if self._of_points.split.x.type.shape[0] is not None else self._of_points

    def maximum(self, reference: Reference, start: NDArray | None = None) -> NDArray:
        """The u at which the likelihood is largest, with log Ẑ of a reference."""
        log_weights = self.log_weights(reference)

        def objective(u):
            value, slope = 0.0, np.zeros(u.size)
            for row in self._at(u, log_weights):
                value += row.energy + row.amplification * row.log_partition
                slope += row.energy_slopes - row.amplification * (row.weights @ row.slopes)
            return value / len(self.data), slope / len(self.data)

        with np.errstate(all="ignore"):
            return optimize.minimize(
                objective,
                self.start if start is None else start,
                jac=True,
                method="L-BFGS-B",
                options={"maxiter": 50},
            ).x

    def at(self, u: NDArray, reference: Reference) -> list[PilotRow]:
        """What each row contributes at u, with slopes by central differences."""
        with np.errstate(all="ignore"):
            return list(self._at(u, self.log_weights(reference)))

    def information(self, u: NDArray, reference: Reference) -> NDArray:
        """Fisher's, ``(K, K)``, at u."""
        information = np.zeros((u.size, u.size))
        with np.errstate(all="ignore"):
            for row in self._at(u, self.log_weights(reference)):
                centred = row.slopes - row.weights @ row.slopes
                information += row.amplification * (row.weights[:, None] * centred).T @ centred
        return information

    def log_likelihood(self, us: Sequence[NDArray], reference: Reference) -> NDArray:
        """At each of several u."""
        log_weights = self.log_weights(reference)
        found = np.zeros(len(us))
        with np.errstate(all="ignore"):
            for i, u in enumerate(us):
                for of_data, theta in zip(self._energies_of_data, self.chosen_rows(u), strict=True):
                    energies, log_z = of_data(theta), special.logsumexp(log_weights(theta))
                    found[i] -= self.times * (energies.sum() + len(energies) * log_z)
        return found

    def chosen_rows(self, u: NDArray) -> list[list[NDArray]]:
        """Rows of parameters at u that stand for all."""
        theta = self._flat_theta(u)
        return [self._row(theta, row) for row in self._rows]

    def parameter_rows(self, u: NDArray, most: int) -> list[list[NDArray]]:
        """Rows of parameters at u: the extreme ones, and `most` that are evenly spaced."""
        theta = self._flat_theta(u)
        if not self._shared:
            cores = self._energy.cores(len(theta))
            scalars = [v for v, n in zip(theta, cores, strict=True) if not n]
            ends = [f(v) for v in scalars for f in (np.argmin, np.argmax)]
            even = np.linspace(0, len(self.data) - 1, most).astype(int)
            chosen = np.unique([*ends, *even])
            theta = [v[chosen] for v in theta]
        rows = self._energy.rows_of(theta)
        return [rows.row(k) for k in range(len(rows))]

    @cached_property
    def _energies_of_data(self) -> list[Callable]:
        data = [self._seen] if self._shared else [self._seen[r : r + 1] for r in self._rows]
        return [self._of_data.at(points) for points in data]

    def log_weights(self, reference: Reference) -> Callable[[Sequence[NDArray]], NDArray]:
        """a_m − E(y_m | θ) of the points as a function of a row of parameters."""
        energy = self._energies(reference.n_points).at(reference.points)
        return lambda theta: reference.log_weights - energy(theta)

    def _at(self, u: NDArray, log_weights) -> Iterator[PilotRow]:
        # Steps of central differences in unconstrained parameters.
        step = 1e-4
        steps = step * np.eye(u.size)
        here, *around = map(self._flat_theta, [u, *(u + steps), *(u - steps)])
        for data, row in zip(self._energies_of_data, self._rows, strict=True):
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
                slopes[k] = np.where(np.isneginf(at), 0.0, (low - high) / (2 * step))
                high, low = (data(end).sum() for end in ends)
                data_slopes[k] = (high - low) / (2 * step)
            log_z = special.logsumexp(at)
            yield PilotRow(
                self.times * len(of_data),
                self.times * of_data.sum(),
                self.times * data_slopes,
                log_z,
                np.exp(at - log_z),
                slopes.T,
            )

    def _flat_theta(self, u: NDArray) -> list[NDArray]:
        """Parameters ``(N, *core)``, or of their core shapes where the data share them."""
        theta = self._theta(u)
        if self._shared:
            return theta
        return [
            np.broadcast_to(v, (*self._batch, *core)).reshape(-1, *core)
            for v, core in zip(theta, self._energy.core_shapes(theta), strict=True)
        ]

    def _row(self, theta: Sequence[NDArray], row: int) -> list[NDArray]:
        cores = self._energy.cores(len(theta))
        return [v if np.ndim(v) == n else v[row] for v, n in zip(theta, cores, strict=True)]


def _fit(rows: Sequence[tuple[int, ...]], batch: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(*rows, batch) == batch
    except ValueError:
        return False


def of_free_values(
    variables, mode: Mode = RUN_ONCE
) -> tuple[Callable[[NDArray], list[NDArray]], NDArray]:
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
    if not values or not known or random or sum(sizes) > 200:
        raise Unforeseeable
    function = pytensor.function(values, graphs, mode=mode)
    ends = np.cumsum(sizes)[:-1]

    def theta(u):
        parts = zip(np.split(u, ends), first, strict=True)
        return function(*(part.reshape(a.shape).astype(a.dtype) for part, a in parts))

    return theta, np.concatenate([a.ravel() for a in first]).astype(float)
