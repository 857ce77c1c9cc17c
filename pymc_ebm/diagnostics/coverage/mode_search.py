"""Where a search for the modes of an energy starts, and in which space it moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.coverage.continuous_landscape import ContinuousLandscape
from pymc_ebm.diagnostics.coverage.discrete_landscape import DiscreteLandscape
from pymc_ebm.diagnostics.coverage.modes import Mode, find_modes
from pymc_ebm.reference.base import Reference
from pymc_ebm.sampling.sites import sites_of
from pymc_ebm.space.box import Support

__all__ = ["search_modes"]


def search_modes(
    reference: Reference,
    points: NDArray,
    data: NDArray | None,
    energy: Callable[[NDArray], NDArray],
    slope: Callable[[NDArray], NDArray] | None,
    rng: np.random.Generator,
) -> tuple[list[Mode], NDArray]:
    """Modes of an energy, from starts at points, at data and at dispersed places.

    Parameters
    ----------
    reference : Reference
    points : ndarray
        Its points at these parameters, ``(M, *event)``.
    data : ndarray or None
        ``(N, *event)``.
    energy : callable
        ``(B, *event)`` to ``(B,)``, in nats.
    slope : callable or None
        Its gradient, ``(B, *event)`` to ``(B, *event)``.
    rng : Generator

    Returns
    -------
    modes : list of Mode
        None in more than 20 dimensions or 200 sites, nor where discrete sites are bound to one
        another, so that changing one may leave the space.
    events : ndarray
        The points as the modes' windows take them, ``(M, D)``.
    """
    starts_of_each = 12
    event = reference.event_shape
    n_dim = int(np.prod(event))
    events = points.reshape(-1, n_dim)
    # In more numbers or sites, a search of this kind finds nothing.
    if n_dim > (200 if reference.discrete else 20):
        return [], events
    parts = [events] if data is None else [events, data.reshape(-1, n_dim)]
    parts = [part[np.isfinite(part).all(axis=1)] for part in parts]
    starts = np.concatenate([part[rng.integers(len(part), size=starts_of_each)] for part in parts])
    known = np.concatenate(parts)
    if reference.discrete:
        if _bound(known, rng):
            return [], events
        sites = sites_of(reference, [np.unique(column) for column in known.T])
        discrete = DiscreteLandscape(energy, sites)
        codes = sites.codes(starts.reshape(-1, *event))
        found = find_modes(
            discrete, np.vstack([codes, discrete.random(rng, 2 * starts_of_each)]), rng
        )
        modes = [replace(mode, place=sites.points(mode.place[None])[0]) for mode in found]
        return modes, sites.codes(points)
    if not isinstance(reference.space, Support):
        return [], events
    centre, scale = np.median(known, axis=0), known.std(axis=0) + 1e-300
    lower, upper = reference.space.bounds_of(n_dim)
    shaped = lambda x: x.reshape(-1, *event)
    continuous = ContinuousLandscape(
        lambda x: energy(shaped(x)),
        slope and (lambda x: slope(shaped(x)).reshape(x.shape).astype(float)),
        lower,
        upper,
        scale,
    )
    # Between these many widths of all that is known.
    radius = np.exp(rng.uniform(np.log(1.5), np.log(30.0), size=(2 * starts_of_each, 1)))
    dispersed = centre + radius * scale * rng.normal(size=(2 * starts_of_each, n_dim))
    found = find_modes(continuous, np.vstack([starts, dispersed]), rng)
    return [replace(mode, place=mode.place.reshape(event)) for mode in found], events


def _bound(events: NDArray, rng: np.random.Generator) -> bool:
    """Whether sites obey a linear equation, as in symmetric matrices or at a fixed sum."""
    some = events[rng.integers(len(events), size=20 * events.shape[1])].astype(float)
    free = some[:, np.ptp(some, axis=0) > 0]
    if free.shape[1] < 2:
        return False
    spread = np.linalg.eigvalsh(np.cov(free.T))
    return bool(spread[0] < 1e-9 * spread[-1])
