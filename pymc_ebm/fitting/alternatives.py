"""Events compared with all those that differ from them at one site."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.basic import Variable

from pymc_ebm.distribution.observed_ebm import ObservedEBM
from pymc_ebm.memory import check_memory
from pymc_ebm.sampling.change_table import change_table
from pymc_ebm.sampling.compiled_energies import energy_function
from pymc_ebm.sampling.local_change import local_change_of
from pymc_ebm.space.sites import Sites

__all__ = ["Alternatives", "alternatives_of"]

_REMEDY = "Fit fewer observations at a time, or use geyer."


class Alternatives(NamedTuple):
    """Pseudolikelihood terms of an EBM's events, which can be exchanged.

    Attributes
    ----------
    terms : Variable
        ``(N,)``: −Σ_i log p(x_i | the other sites), in nats.
    fill : callable
        Takes in events ``(N, *event)`` of int64.
    """

    terms: Variable
    fill: Callable[[NDArray], None]


def alternatives_of(ebm: ObservedEBM, sites: Sites, row: list[NDArray]) -> Alternatives:
    """Terms by the energy's own compiled change, or else by the energies of all changed states.

    Parameters
    ----------
    ebm : ObservedEBM
    sites : Sites
    row : list of ndarray
        The parameters somewhere in their domain.

    Returns
    -------
    Alternatives
    """
    return _by_changes(ebm, sites, row) or _by_states(ebm, sites)


def _by_changes(ebm: ObservedEBM, sites: Sites, row: list[NDArray]) -> Alternatives | None:
    """Of an energy with a `local_change` that is linear in θ: a logistic regression on changes."""
    given = None if ebm.batched else local_change_of(ebm.energy, sites, row)
    if given is None:
        return None
    rng = np.random.default_rng(0)
    some = np.concatenate([ebm.reference.points[:16], ebm.events()[:16]]).astype("int64")
    codes = sites.codes(some)
    known = (codes >= 0).all(axis=1)
    given.check(codes[known], energy_function(ebm.energy, ebm.reference, row), rng)
    some = some[known].reshape(known.sum(), -1)
    table = change_table(given, some, rng)
    if table is None:
        return None

    n_params = sum(np.size(value) for value in row)
    shared = pytensor.shared(np.zeros((1, *sites.values.shape, n_params + 1)), shape=(None,) * 4)
    theta = pt.concatenate([pt.as_tensor(p).ravel() for p in ebm.params] + [np.ones(1)])

    def fill(x):
        check_memory(x.size * sites.values.shape[1], 2 * n_params + 3, _REMEDY)
        shared.set_value(table(x.reshape(len(x), -1)))

    return Alternatives(ebm.within_domain(_log_sums(-pt.dot(shared, theta), sites)), fill)


def _by_states(ebm: ObservedEBM, sites: Sites) -> Alternatives:
    event, (n_sites, n_values) = sites.event_shape, sites.values.shape
    states = pytensor.shared(
        np.zeros((1, n_sites, n_values, *event), dtype="int64"),
        shape=(None, n_sites, n_values, *event),
        name="states",
    )
    x = pytensor.shared(np.zeros((1, *event), dtype="int64"), shape=(None, *event), name="x")
    own = ebm.energies_of_alternatives(x[:, None, None])[:, 0, 0]
    changed = _log_sums(-ebm.energies_of_alternatives(states), sites)

    def fill(events):
        check_memory(events.size * n_values, 2 + 2 * n_sites, _REMEDY)
        all_states = np.repeat(events.reshape(-1, 1, n_sites), n_sites, axis=1)
        all_states = np.repeat(all_states[:, :, None], n_values, axis=2)
        every = np.arange(n_sites)
        all_states[:, every, :, every] = sites.values[:, None]
        states.set_value(all_states.reshape(-1, n_sites, n_values, *event))
        x.set_value(events)

    return Alternatives(ebm.within_domain(n_sites * own + changed), fill)


def _log_sums(scores, sites: Sites) -> Variable:
    """Σ_i log Σ_v exp of ``(N, D, V)``, over the values that each site has."""
    known = np.arange(sites.values.shape[1]) < sites.n_values[:, None]
    return pt.logsumexp(pt.switch(known, scores, -np.inf), axis=-1).sum(axis=-1)
