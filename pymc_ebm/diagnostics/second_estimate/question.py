"""What a second estimate is of, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.numbers import number
from pymc_ebm.space.base import Space
from pymc_ebm.space.box_map import BoxMap
from pymc_ebm.space.coordinates import Coordinates
from pymc_ebm.weights.normalised import normalise

__all__ = ["Answer", "CannotTell", "NotThisWay", "Question", "TooLong"]


class CannotTell(Exception):
    """Raised where no second estimate can be made; the message says why, as a sentence."""


class NotThisWay(CannotTell):
    """Raised before the first answer where one way does not serve, and another may."""


class TooLong(CannotTell):
    """Raised where a way takes longer than is allowed."""

    def __init__(self, n_dim: int, seconds: float):
        super().__init__(
            f"Annealing events of {n_dim} numbers takes more than the {number(seconds)} s that are "
            "allowed. Give compute_reference_stats a larger second_estimate_seconds."
        )


@dataclass(frozen=True, eq=False)
class Question:
    """The normalisers log Z_j = log ∫ exp(−E(x | θ_j)) dx of J rows of parameters.

    Parameters
    ----------
    energy : callable
        ``energy(x, rows)``, events ``(B, D)`` and row numbers ``(k,)`` to energies ``(k, B)`` in
        nats.
    rows : ndarray
        ``(J, K)``, numbers that tell the rows apart: their parameters.
    lower, upper : ndarray
        Bounds of the stated space, ``(D,)``.
    data : ndarray
        ``(N, D)``, none where the data are not known.
    starts : ndarray
        ``(M, D)``, other places worth a look, such as points of the first estimate.
    slope : callable, optional
        ``slope(x, rows)``, gradients in x of event b under row b, ``(B, D)``.
    values : tuple of ndarray, optional
        What each coordinate of a discrete space may be, where that is known.
    space : Space, optional
        What is integrated or summed over, where it is neither a box nor one of sites.
    local_change : callable, optional
        ``local_change(row)`` gives the energy's own function of what a new value of a site changes,
        compiled, and the parameters that it takes at a row.
    """

    energy: Callable[[NDArray, NDArray], NDArray]
    rows: NDArray
    lower: NDArray
    upper: NDArray
    data: NDArray
    starts: NDArray
    slope: Callable[[NDArray, NDArray], NDArray] | None = None
    values: tuple[NDArray, ...] | None = None
    space: Space | None = None
    local_change: Callable[[int], tuple[Callable, tuple]] | None = None

    @property
    def coordinates(self) -> Coordinates:
        """The map of all of R^K onto the space."""
        found = None if self.space is None else self.space.coordinates
        return BoxMap(self.lower, self.upper) if found is None else found

    @property
    def n_rows(self) -> int:
        """J."""
        return len(self.rows)

    @property
    def n_dim(self) -> int:
        """D."""
        return len(self.lower)

    @cached_property
    def known(self) -> NDArray:
        """Places of which something is known: the data, or else the starts."""
        return self.data if len(self.data) > 1 else np.concatenate([self.data, self.starts])

    @cached_property
    def centre(self) -> NDArray:
        """Where the middle of what is known is, ``(D,)``."""
        return np.median(self.known, axis=0)

    @cached_property
    def scale(self) -> NDArray:
        """How wide the middle half of what is known is, as a normal sd, ``(D,)``."""
        low, high = np.quantile(self.known, [0.25, 0.75], axis=0)
        wide = np.where(high > low, (high - low) / 1.35, self.known.std(axis=0))
        return np.where(wide > 0, wide, np.maximum(np.abs(self.centre), 1.0))

    def log_densities(self, x: NDArray, rows: NDArray) -> NDArray:
        """−E, ``(k, B)``; −inf where E is not a number or infinite either way."""
        with np.errstate(all="ignore"):
            energies = np.asarray(self.energy(x, rows), dtype=float)
        return np.where(np.isfinite(energies), -energies, -np.inf)

    def far_apart(self, number: int) -> NDArray:
        """Rows, the first nearest to the mean and each later one farthest from those before."""
        sd = self.rows.std(axis=0)
        # What differs by rounding alone does not tell rows apart.
        moves = sd > 1e-12 * np.abs(self.rows).max(axis=0, initial=0)
        flat = (self.rows - self.rows.mean(axis=0))[:, moves] / sd[moves]
        picked = [int(np.linalg.norm(flat, axis=1).argmin())]
        distance = np.full(len(flat), np.inf)
        while len(picked) < min(number, len(flat)):
            distance = np.minimum(distance, np.linalg.norm(flat - flat[picked[-1]], axis=1))
            if not distance.max() > 0:
                break
            picked.append(int(distance.argmax()))
        return np.array(picked)


@dataclass(frozen=True, eq=False)
class Answer:
    """Estimates of log Z with the structure of their error.

    Attributes
    ----------
    log_z : ndarray
        ``(J,)`` in nats; −inf where the model has no mass.
    noise : ndarray
        ``(G, J)``, what leaving out each of G independent runs tells of the error of `log_z`, in
        nats: its variance is G/(G − 1) Σ_g noise². A single line is a bound of the error instead,
        that of a rule by the difference to a coarser one.
    way : str
        How it was made, as words that follow "by".
    unseen : str
        What it cannot see, as a sentence.
    doubt : str
        Why it is not to be trusted, empty where it is.
    growth : float
        At most so many times what it took does the next answer take.
    """

    log_z: NDArray
    noise: NDArray
    way: str
    unseen: str = ""
    doubt: str = ""
    growth: float = 4.0

    @classmethod
    def of_runs(
        cls, log_runs: NDArray, way: str, unseen: str = "", doubt: str = "", growth: float = 4.0
    ) -> Answer:
        """The mean of independent runs without bias, whose log Ẑ are ``(G, J)``.

        Raises
        ------
        CannotTell
            A row of which no run has found mass.
        """
        runs = len(log_runs)
        log_sums, shares = normalise(log_runs.T)
        if not np.isfinite(log_sums).all():
            raise CannotTell("The second estimate found no mass of the model at some draws.")
        return cls(log_sums - np.log(runs), shares.T - 1 / runs, way, unseen, doubt, growth)

    @property
    def runs(self) -> int:
        """G, and 1 for a rule."""
        return len(self.noise)

    @property
    def scaled_noise(self) -> NDArray:
        """The noise so that the sum of its squares is the variance."""
        return self.noise * np.sqrt(self.runs / max(self.runs - 1, 1))
