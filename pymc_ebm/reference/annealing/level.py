"""Log Z at one row of parameters, by annealing independent sites to it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from pymc_ebm.energy.energy import Energy
from pymc_ebm.reference.annealing.runs import run
from pymc_ebm.reference.annealing.schedule import schedule
from pymc_ebm.reference.annealing.sites import SitesByGibbs
from pymc_ebm.space.sites import Sites

__all__ = ["level_of_sites"]


def level_of_sites(
    energy: Energy,
    theta: Sequence[NDArray],
    data: NDArray,
    sites: Sites,
    rng: np.random.Generator,
    *,
    pilot: int = 512,
    runs: int = 16,
    particles: int = 64,
    most_sites: int = 450,
    most_by_energy: int = 100,
) -> tuple[float, float] | None:
    """Log Z and its standard error in nats, by independent runs from a product law of the sites.

    Parameters
    ----------
    energy : Energy
    theta : sequence of ndarray
        One row of parameter values.
    data : ndarray, shape ``(N, *event)``
        Whose frequencies the law has.
    sites : Sites
    rng : numpy.random.Generator
    pilot, runs, particles : int
        Particles of the pilot, runs, and particles of each.
    most_sites : int
        Of an energy that is no sum over pairs, as a change may depend on all of them.
    most_by_energy : int
        Sites of one that does not say either what a new value changes: each then costs an energy,
        and `pilot` and `particles` are at most 128 and 64.

    Returns
    -------
    tuple of float, or None
        None beyond so many sites.
    """
    space = SitesByGibbs(energy, [list(theta)], data, sites, rng)
    by_energy = not (space.by_pairs or space.by_changes)
    if not space.by_pairs and space.n_dim > (most_by_energy if by_energy else most_sites):
        return None
    if by_energy:
        pilot, particles = min(pilot, 128), min(particles, 64)
    nothing = lambda part: None
    legs = schedule(space, 1, pilot, rng, nothing)
    log_z = run(space, legs, runs, particles, 1, rng, nothing).log_partitions[1]
    value = float(logsumexp(log_z) - np.log(runs))
    return value, float(np.exp(log_z - value).std(ddof=1) / np.sqrt(runs))
