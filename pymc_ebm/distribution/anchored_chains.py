"""Chains at anchors over what data and prior allow: states too many to enumerate."""

from __future__ import annotations

from functools import partial

import numpy as np
import pymc as pm
from pytensor.graph.utils import MissingInputError

from pymc_ebm.distribution.events import Events
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.initial_values import initial_values
from pymc_ebm.reference._from_draws import from_draws
from pymc_ebm.reference.annealing.level import level_of_sites
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.chains._pooled import pooled
from pymc_ebm.reference.chains.anchor import unravel
from pymc_ebm.space.sites import Sites

__all__ = ["anchored_chains"]


def anchored_chains(energy: Energy, params, events: Events, progressbar: bool) -> Reference:
    """Gibbs chains at anchors over what the data and the prior allow."""
    n_first = 32
    start = initial_values(params)
    if start is None:
        raise ValueError(
            "the parameters have no initial values from which to place chains. Give reference=, "
            "for example ebm.reference.pooled(...)."
        )
    from pymc_ebm.sampling._gibbs import gibbs  # brings numba and ArviZ

    rng = np.random.default_rng(0)
    space = events.space
    assert isinstance(space, Sites)
    codes = rng.integers(space.n_values, size=(n_first, len(space.values)))
    first = from_draws(space.points(codes), np.zeros(n_first), support=space)
    size = len(space.values)
    of_prior = _prior_draws(params)
    # Numbers in the points of one anchor, 32 MiB, and the sites that its chains visit for them.
    sweeps = max(2**22 // (4 * size), 100)
    draws = min(sweeps, 4000)
    sampler = partial(
        gibbs, reference=first, draws=draws, thin=sweeps // draws, tune=500,
        clusters=True, return_inferencedata=False,
    )  # fmt: skip
    # Of few sites more particles: what their runs spread is then no lognormal's.
    level_at = partial(level_of_sites, particles=max(2**15 // size, 64))
    return pooled(
        energy,
        observed=events.flat,
        start=start,
        leap=_nearer(energy, space, events.flat, start, of_prior),
        bounds=of_prior and [(d.min(axis=0), d.max(axis=0)) for d in of_prior],
        sampler=sampler,
        support=space,
        level=lambda theta: level_at(energy, theta, events.flat, space, rng),
        # The same data give the same reference: fits are reproducible without a seed.
        random_seed=rng,
        progressbar=progressbar,
    )


def _nearer(energy: Energy, space: Sites, data, start, of_prior: list | None) -> list | None:
    """Where pseudolikelihood and prior are highest together, if a table of changes tells it.

    Few steps of the pilot lead from there to the maximum of the likelihood.
    """
    from pymc_ebm.sampling.change_table import change_table, highest_pseudolikelihood
    from pymc_ebm.sampling.local_change import local_change_of

    row = energy.row(start)
    given = local_change_of(energy, space, row)
    n_params = sum(np.size(value) for value in row)
    # Numbers of a table that is worth its time: 128 MiB.
    if given is None or data.size * space.values.shape[1] * (n_params + 1) > 2**24:
        return None
    states = np.ascontiguousarray(data.reshape(len(data), -1), dtype=space.values.dtype)
    table = change_table(given, states[:4], np.random.default_rng(0))
    if table is None:
        return None
    flat = lambda values: np.concatenate([np.ravel(value) for value in values])
    sd = 5.0 if of_prior is None else np.maximum(flat(d.std(axis=0) for d in of_prior), 1e-8)
    theta = highest_pseudolikelihood(table(states), space.n_values, flat(row), sd)
    return unravel(theta, [np.shape(value) for value in row])


def _prior_draws(variables) -> list | None:
    """1000 draws from the prior of each parameter, where it has draws."""
    try:
        return [np.asarray(d) for d in pm.draw(variables, draws=1000, random_seed=0)]
    except (MissingInputError, NotImplementedError):  # a flat prior
        return None
