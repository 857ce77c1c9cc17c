"""Places where a model has mass, how much there is, and whether a reference's points carry it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.space.law import Law
from pymc_ebm.weights.normalised import ess, normalise

__all__ = ["Landscape", "Mode", "find_modes"]

# Draws that weigh a mode.
_DRAWS = 2000


class Landscape(Protocol):
    """Events of one energy, ``(B, D)``, and how to move among them."""

    def energies(self, events: NDArray) -> NDArray:
        """In nats, ``(B,)``; +inf outside the support."""

    def descend(self, starts: NDArray, rng: np.random.Generator) -> NDArray:
        """Where short chains and descents end, ``(B, D)``."""

    def path(self, start: NDArray, end: NDArray) -> NDArray:
        """Events from one to the other, ``(B, D)``."""

    def law_by_differences(self, end: NDArray) -> Law | None:
        """From the energy next to an end."""

    def law_by_chains(self, end: NDArray, rng: np.random.Generator) -> Law | None:
        """From short chains that start at an end."""


@dataclass(frozen=True, eq=False)
class Mode:
    """A mode, and a window on it: the half of a law's mass where its density is highest.

    Attributes
    ----------
    place : ndarray
        Its lowest energy.
    log_mass : float
        Log of the integral (or sum) of exp(−E) over the mode, in nats, from that over the window.
    within : float
        Share of the law in the window; more than half where a single discrete state has more.
    law : Law
    least : float
        Log density of the law at the border of the window.
    """

    place: NDArray
    log_mass: float
    within: float
    law: Law
    least: float

    def holds(self, events: NDArray) -> NDArray:
        """Whether events ``(B, D)`` lie in the window."""
        return self.law.log_density(events) >= self.least - 1e-9

    def draws_of(self, log_density: Callable[[NDArray], NDArray], rng) -> float:
        """Share of the draws of another density, in nats of events ``(B, D)``, in the window."""
        events = self.law.draw(rng, _DRAWS)
        events = events[self.holds(events)]
        ratios = np.exp(log_density(events) - self.law.log_density(events))
        return self.within * float(ratios.mean())


def find_modes(
    landscape: Landscape,
    starts: NDArray,
    rng: np.random.Generator,
    *,
    most_modes: int = 6,
    most_tries: int = 10,
) -> list[Mode]:
    r"""Modes whose mass a local law measures, from the lowest energy upwards.

    .. math:: \int_W e^{−E(x)} dx \approx \frac1J \sum_{j: x_j \in W} \frac{e^{−E(x_j)}}{g(x_j)}

    with J draws of a law g. That of the energy's differences next to the mode comes first, that of
    short chains where the energy is not like its differences: flat tops, edges, dependent sites.
    The mass counts where the draws in the window W are effective enough; it needs nothing of the
    reference.

    Parameters
    ----------
    landscape : Landscape
    starts : ndarray
        ``(B, D)``.
    rng : Generator
    most_modes, most_tries : int
        Modes that are kept, and places that are looked at.

    Returns
    -------
    list of Mode
    """
    with np.errstate(all="ignore"):
        ends = landscape.descend(starts, rng)
        energies = landscape.energies(ends)
        known: list[tuple[NDArray, Law, float]] = []
        found: list[Mode] = []
        for i in np.argsort(energies):
            enough = len(found) >= most_modes or len(known) >= most_tries
            if enough or not np.isfinite(energies[i]):
                break
            if any(_joined(landscape, ends[i], *earlier) for earlier in known):
                continue
            for law in _laws(landscape, ends[i], rng):
                mode, reach = _measured(landscape, ends[i], law, rng)
                known.append((ends[i], law, reach))
                if mode is not None:
                    found.append(mode)
                    break
    return found


def _laws(landscape: Landscape, end: NDArray, rng: np.random.Generator) -> Iterator[Law]:
    by_differences = landscape.law_by_differences(end)
    if by_differences is not None:
        yield by_differences
    by_chains = landscape.law_by_chains(end, rng)
    if by_chains is not None:
        yield by_chains


def _joined(landscape: Landscape, end: NDArray, place: NDArray, law: Law, reach: float) -> bool:
    """Whether an end is of the mode at a place that has been looked at."""
    if not law.log_density(end[None])[0] >= reach:
        return False
    energies = landscape.energies(landscape.path(end, place))
    # A lower barrier parts no modes.
    return bool(energies.max() <= max(energies[0], energies[-1]) + 1.0)


def _measured(landscape, place, law, rng) -> tuple[Mode | None, float]:
    """The window of a law with its mass, if the draws tell it, and the reach of the law."""
    events = law.draw(rng, _DRAWS)
    log_g = law.log_density(events)
    # The law reaches all but this share of its own draws.
    least, reach = np.median(log_g), np.quantile(log_g, 0.005) - 1e-9
    within = log_g >= least - 1e-9
    log_weights = -landscape.energies(events[within]) - log_g[within]
    log_sum, weights = normalise(log_weights)
    efficiency = ess(weights) / within.sum()
    # Chains may have gone to another mode.
    its_own = law.log_density(place[None])[0] >= reach
    # With fewer effective draws the weight is not to be believed.
    if not (its_own and np.isfinite(log_sum) and efficiency >= 0.25):
        return None, reach
    log_mass = float(log_sum - np.log(within.sum()))
    return Mode(place, log_mass, within.mean(), law, float(least)), reach
