"""References of a hidden field too large to sum: chains at anchors around the posterior's mode."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, special

from pymc_ebm.distribution.hidden.field import EnergyGivenData
from pymc_ebm.distribution.hidden.gibbs_of_field import GibbsOfField
from pymc_ebm.distribution.hidden.pilot import Pilot
from pymc_ebm.energy.energy import Energy
from pymc_ebm.progress import progress
from pymc_ebm.reference.annealing.level import level_of_sites
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.chains._pooled import pooled
from pymc_ebm.reference.uniforms import uniforms

__all__ = ["anchored_references"]


def anchored_references(
    images: Sequence[EnergyGivenData],
    theta: Sequence,
    coefficients: Sequence,
    gibbs: GibbsOfField,
    *,
    anchors: int = 12,
    spread: float = 1.5,
    most_sites_of_level: int = 1024,
    random_seed=0,
    progressbar: bool = True,
) -> tuple[Reference, list[Reference]]:
    """References of the field, and of the field given each image.

    A pilot finds the mode of the posterior and its covariance. Anchors are the mode and draws of a
    normal law around it, wider than the posterior; the chains at all of them are pooled.

    Parameters
    ----------
    images : sequence of EnergyGivenData
    theta, coefficients : sequence of TensorVariable
        As of `Pilot`.
    gibbs : GibbsOfField
    anchors : int
    spread : float
        Of the anchors, in posterior sds.
    most_sites_of_level : int
        Up to which log Z is absolute, by annealing at the mode.
    random_seed : optional
        As for ``numpy.random.default_rng``; fixed, so that fits are reproducible.
    progressbar : bool
    """
    rng = np.random.default_rng(random_seed)
    pilot = Pilot(images, theta, coefficients, gibbs, rng)
    sites = gibbs.sites
    size = len(sites.values)
    with progress(progressbar) as bar:
        task = bar.add_task("Pilot", total=1)
        mode, covariance = pilot.mode()
        bar.update(task, description="Anchors", completed=0, total=anchors)
        u, _ = uniforms("iid", anchors - 1, mode.size, rng)
        around = mode + spread * special.ndtri(u) @ linalg.cholesky(covariance, lower=True).T
        # Points of all anchors together.
        n_points = int(np.clip(2**23 // size, 2**11, 2**14))
        draws = max(n_points // (anchors * pilot.n_fields), 4)
        thin = int(np.clip(2**13 // size, 2, 8))
        rows, points = [], []
        for place in (mode, *around):
            row = pilot.at(place)
            if all(np.isfinite(c).all() for c in (*row.theta, *row.coefficients)):
                rows.append(row)
                points.append(pilot.draw(row, 8, draws, thin))
            bar.advance(task)
    of_field = _pooled(gibbs.energy, [r.theta for r in rows], [p[0] for p in points], sites, rng,
                       size <= most_sites_of_level)  # fmt: skip
    given = [
        _pooled(
            image.energy, [[*r.theta, r.coefficients[k]] for r in rows],
            [p[k + 1] for p in points], sites, rng, size <= most_sites_of_level,
        )
        for k, image in enumerate(images)
    ]  # fmt: skip
    return of_field, given


def _pooled(energy: Energy, rows: list, points: list[NDArray], sites, rng, absolute) -> Reference:
    """Chains at all anchors together, their level by annealing at the first."""
    level = None
    if absolute:
        data = points[0].reshape(-1, *sites.event_shape)
        particles = int(np.clip(2**15 // len(sites.values), 16, 512))
        level = level_of_sites(energy, energy.row(rows[0]), data, sites, rng, particles=particles)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*independent batches", category=UserWarning)
        return pooled(
            energy,
            rows,
            draws=points,
            log_partitions=None if level is None else [level, *[None] * (len(rows) - 1)],
            support=sites,
            random_seed=rng,
            progressbar=False,
        )
