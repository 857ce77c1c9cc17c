"""The likelihood of an `EBM` before it is part of a model: where it is largest, and how wide."""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pytensor.graph.utils import MissingInputError

from pymc_ebm.distribution.of_free_values import OfFreeValues, Unforeseeable
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.point_energies import PointEnergies
from pymc_ebm.reference.base import Reference
from pymc_ebm.weights.normalised import normalise

__all__ = ["PilotLikelihood", "PilotRow"]


class PilotRow(NamedTuple):
    """One row of parameters: its data, and what their log-likelihood is at u."""

    amplification: float
    energy: float  # of its data, summed
    energy_slopes: NDArray  # (K,)
    log_partition: float
    weights: NDArray  # (M,), normalised
    slopes: NDArray  # T = ∂E/∂u, (M, K)


class _Expansion(NamedTuple):
    """The log-likelihood around u."""

    log_likelihood: float
    score: NDArray  # (K,)
    information: NDArray  # Fisher's, (K, K)


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
    whole : ndarray of bool, shape (N,), optional
        Which observations have a likelihood: those of which no entry is missing.

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
        whole: NDArray | None = None,
    ):
        self._energy = energy
        self._theta = OfFreeValues(params)
        self.start = self._theta.start
        n_batch = data.ndim - event_ndim
        self._batch = data.shape[:n_batch]
        rows = energy.batch_shapes(self._theta(self.start))
        self._shared = not any(rows)
        if not _fit(rows, self._batch):
            raise Unforeseeable
        flat = data.reshape(-1, *data.shape[n_batch:])
        self.n_data = len(flat)
        told = np.arange(self.n_data) if whole is None else np.flatnonzero(whole)
        self.data = flat[told]
        # Observations that stand for all of a regression, fewer where there are many parameters.
        n_rows = np.clip(1000 // self.start.size, 16, 32)
        chosen = told[np.unique(np.linspace(0, len(told) - 1, n_rows).astype(int))]
        self._rows = [0] if self._shared else chosen.tolist()
        # How many observations each of these stands for.
        self.times = 1.0 if self._shared else len(self.data) / len(chosen)
        self._data_of_a_row = len(self.data) if self._shared else self.times
        self._energies = partial(energy.of_points, self.data.shape[1:], data.dtype, params)
        n_data = len(self.data) if self._shared else 1
        event = self.data.shape[1:]
        of_data, values = (energy, data) if seen is None else seen
        seen_flat = values.reshape(-1, *event)
        self._seen = seen_flat[told] if self._shared else seen_flat[chosen]
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

    def maximum(
        self, reference: Reference, start: NDArray | None = None, most_steps: int = 50
    ) -> NDArray:
        """The u at which the likelihood is largest, with log Ẑ of a reference.

        By Fisher's scoring, damped as Levenberg and Marquardt do.
        """
        energies = self._energies_at(reference)
        at, damping = self.start if start is None else start, 0.1
        with np.errstate(all="ignore"):
            here, scale = self._expansion(at, energies), np.zeros(at.size)
            for _ in range(most_steps):
                # The largest so far: where nothing is known no step goes far.
                scale = np.maximum(scale, np.diag(here.information))
                scale = np.maximum(scale, 1e-8 * scale.max())
                if not (np.isfinite(here.information).all() and scale.all()):
                    break
                step = np.linalg.solve(here.information + damping * np.diag(scale), here.score)
                # A gain that nobody sees, and a step of some hundredths of an sd.
                if here.score @ step < 1e-3:
                    break
                foreseen = here.score @ step - step @ here.information @ step / 2
                there = self._expansion(at + step, energies)
                # Far from where the expansion holds it may lead to where nothing is known.
                holds = there.log_likelihood - here.log_likelihood > foreseen / 4
                if holds:
                    at, here = at + step, there
                damping = np.clip(damping * (0.1 if holds else 10.0), 1e-6, 1e12)
        return at

    def at(self, u: NDArray, reference: Reference) -> list[PilotRow]:
        """What each row contributes at u, with slopes by central differences."""
        with np.errstate(all="ignore"):
            return list(self._at(u, self._energies_at(reference)))

    def information(self, u: NDArray, reference: Reference) -> NDArray:
        """Fisher's, ``(K, K)``, at u."""
        with np.errstate(all="ignore"):
            return self._expansion(u, self._energies_at(reference)).information

    def log_likelihood(self, us: Sequence[NDArray], reference: Reference) -> NDArray:
        """At each of several u."""
        found = np.zeros(len(us))
        with np.errstate(all="ignore"):
            at = self._energies_at(reference)(self.chosen_rows(us))
            for i, (log_weights, of_data) in enumerate(at):
                log_z = normalise(log_weights)[0]
                energies = self.times * np.trace(of_data)
                found[i] = -energies - self._data_of_a_row * log_z.sum()
        return found

    def log_prior(self, us: Sequence[NDArray]) -> NDArray:
        """Log density at each of several u, with all other parameters where the model starts."""
        return self._theta.log_prior(us)

    def chosen_rows(self, us: Sequence[NDArray]) -> list[list[list[NDArray]]]:
        """Rows of parameters that stand for all, at each of several u."""
        return [[self._row(theta, row) for row in self._rows] for theta in self.values_at(us)]

    def parameter_rows(self, us: Sequence[NDArray], most: int) -> list[list[NDArray]]:
        """Rows of parameters at several u: the extreme ones, and `most` that are evenly spaced."""
        found = []
        for theta in self.values_at(us):
            if self._shared:
                found.append(theta)
                continue
            cores = self._energy.cores(len(theta))
            scalars = [v for v, n in zip(theta, cores, strict=True) if not n]
            ends = [f(v) for v in scalars for f in (np.argmin, np.argmax)]
            even = np.linspace(0, self.n_data - 1, most).astype(int)
            chosen = np.unique([*ends, *even])
            rows = self._energy.rows_of([v[chosen] for v in theta])
            found += [rows.row(k) for k in range(len(rows))]
        return found

    def log_weights(self, reference: Reference) -> Callable[[Sequence], NDArray]:
        """a_m − E(y_m | θ) of the points, ``(J, M)``, as a function of rows of parameters."""
        energies = self._energies(reference.n_points).at_rows(reference.points)
        return lambda rows: reference.log_weights - energies(rows)

    def _energies_at(
        self, reference: Reference
    ) -> Callable[[Sequence[Sequence]], Iterator[tuple[NDArray, NDArray]]]:
        """`log_weights` ``(J, M)`` and those of the data, ``(J, R)``, at groups of rows in turn."""
        log_weights, of_data = self.log_weights(reference), self._sums_of_data

        def each(groups):
            # As many groups as fit in memory, since a call costs as much as hundreds of points.
            together = max(2**20 // (reference.n_points * max(map(len, groups), default=1)), 1)
            for i in range(0, len(groups), together):
                some = groups[i : i + together]
                rows = [row for group in some for row in group]
                ends = np.cumsum([len(group) for group in some])[:-1]
                yield from zip(
                    np.split(log_weights(rows), ends), np.split(of_data(rows), ends), strict=True
                )

        return each

    def _sums_of_data(self, rows: Sequence[Sequence]) -> NDArray:
        """Summed energies of data at rows, ``(J, 1)``; of a regression, each row's ``(J, R)``."""
        if not self._shared:
            return self._of_chosen_data(rows)
        together = max(2**20 // len(self._seen), 1)
        starts = range(0, len(rows), together)
        sums = [self._of_chosen_data(rows[i : i + together]).sum(axis=1) for i in starts]
        return np.concatenate(sums)[:, None]

    @cached_property
    def _of_chosen_data(self) -> Callable[[Sequence], NDArray]:
        return self._of_data.at_rows(self._seen)

    def _at(self, u: NDArray, energies) -> Iterator[PilotRow]:
        # Steps of central differences in unconstrained parameters.
        step = 1e-4
        steps = step * np.eye(u.size)
        here, *around = self.chosen_rows([u, *(u + steps), *(u - steps)])
        pairs = list(zip(around[: u.size], around[u.size :], strict=True))
        # Rows of parameters move with some of the u only.
        moved = [
            [k for k, ends in enumerate(pairs) if _differ(*(end[row] for end in ends))]
            for row in range(self.n_rows)
        ]
        groups = [
            [here[row], *(pairs[k][0][row] for k in some), *(pairs[k][1][row] for k in some)]
            for row, some in enumerate(moved)
        ]
        for row, (log_weights, of_data) in enumerate(energies(groups)):
            some, at = moved[row], log_weights[0]
            high, low = np.split(log_weights[1:], 2)
            slopes = np.zeros((u.size, at.size))
            # A point without weight has no say, whatever its energy.
            slopes[some] = np.where(np.isneginf(at), 0.0, (low - high) / (2 * step))
            high, low = np.split(of_data[1:, row], 2)
            data_slopes = np.zeros(u.size)
            data_slopes[some] = (high - low) / (2 * step)
            log_z = float(normalise(at)[0])
            yield PilotRow(
                self._data_of_a_row,
                self.times * of_data[0, row],
                self.times * data_slopes,
                log_z,
                np.exp(at - log_z),
                slopes.T,
            )

    def _expansion(self, u: NDArray, energies) -> _Expansion:
        found, score = 0.0, np.zeros(u.size)
        information = np.zeros((u.size, u.size))
        for row in self._at(u, energies):
            mean = row.weights @ row.slopes
            centred = row.slopes - mean
            found -= row.energy + row.amplification * row.log_partition
            score += row.amplification * mean - row.energy_slopes
            information += row.amplification * (row.weights[:, None] * centred).T @ centred
        return _Expansion(found, score, information)

    def values_at(self, us: Sequence[NDArray]) -> Iterator[list[NDArray]]:
        """Parameters ``(N, *core)`` at each u; of their core shapes where the data share them."""
        for theta in self._theta.of_many(us):
            if self._shared:
                yield theta
                continue
            yield [
                np.broadcast_to(v, (*self._batch, *core)).reshape(-1, *core)
                for v, core in zip(theta, self._energy.core_shapes(theta), strict=True)
            ]

    def _row(self, theta: Sequence[NDArray], row: int) -> list[NDArray]:
        cores = self._energy.cores(len(theta))
        return [v if np.ndim(v) == n else v[row] for v, n in zip(theta, cores, strict=True)]


def _differ(one: Sequence[NDArray], other: Sequence[NDArray]) -> bool:
    return not all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def _fit(rows: Sequence[tuple[int, ...]], batch: tuple[int, ...]) -> bool:
    try:
        return np.broadcast_shapes(*rows, batch) == batch
    except ValueError:
        return False
