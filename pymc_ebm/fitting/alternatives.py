"""Events compared with all those that differ from them at one site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import pytensor
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.basic import Variable

from pymc_ebm.distribution.observed_ebm import ObservedEBM
from pymc_ebm.energy.compiled import compiled
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.fitting.loss import Loss
from pymc_ebm.fitting.sandwich import compile_scores
from pymc_ebm.memory import check_memory
from pymc_ebm.sampling.change_table import change_table
from pymc_ebm.sampling.compiled_energies import energy_function
from pymc_ebm.sampling.local_change import local_change_of
from pymc_ebm.space.sites import Sites
from pymc_ebm.weights.normalised import normalise

__all__ = ["Alternatives", "alternatives_of"]

_REMEDY = "Fit fewer observations at a time, or use geyer."


class Alternatives(Protocol):
    """Pseudolikelihood −Σ_ni log p(x_ni | the other sites) of an EBM's events, in nats, by u."""

    def fill(self, events: NDArray, /) -> None:
        """Take in events ``(N, *event)`` of int64."""

    def value_and_gradient(self, u: NDArray, /) -> tuple[Any, NDArray]:
        """The loss and its gradient, ``(K,)``."""

    def hessian(self, u: NDArray, /) -> NDArray:
        """Its second derivatives, ``(K, K)``."""

    def scores(self, u: NDArray, /) -> NDArray:
        """The gradient of each event's part, ``(N, K)``."""


def alternatives_of(ebm: ObservedEBM, sites: Sites, row: list[NDArray], u) -> Alternatives:
    """By the energy's own compiled change, or else by the energies of all changed states.

    Parameters
    ----------
    ebm : ObservedEBM
    sites : Sites
    row : list of ndarray
        The parameters somewhere in their domain.
    u : TensorVariable
        What the parameters are graphs of, ``(K,)``.

    Returns
    -------
    Alternatives
    """
    table = None if ebm.batched else _changes(ebm, sites, row)
    if table is None:
        return _ByStates(ebm, sites, u)
    return _ByChanges(ebm, sites, table, sum(int(np.size(value)) for value in row), u)


def _changes(ebm: ObservedEBM, sites: Sites, row: list[NDArray]):
    """The table of an energy with a `local_change` that is linear in θ; None of others."""
    given = local_change_of(ebm.energy, sites, row)
    if given is None:
        return None
    rng = np.random.default_rng(0)
    some = np.concatenate([ebm.reference.points[:16], ebm.events()[:16]]).astype("int64")
    codes = sites.codes(some)
    known = (codes >= 0).all(axis=1)
    given.check(codes[known], energy_function(ebm.energy, ebm.reference, row), rng)
    return change_table(given, some[known].reshape(known.sum(), -1), rng)


class _ByChanges:
    """A logistic regression on change statistics, whose derivatives are known in closed form.

    A class, as it holds the events.
    """

    def __init__(
        self, ebm: ObservedEBM, sites: Sites, table: Callable[[NDArray], NDArray], n_params: int, u
    ):
        self._make, self._sites, self._n_params = table, sites, n_params
        self._table = np.zeros((0, *sites.values.shape, n_params + 1))
        self._known = np.arange(sites.values.shape[1]) < sites.n_values[:, None]
        theta = pt.concatenate([pt.as_tensor(p).ravel() for p in ebm.params])
        weights, along = pt.dvector("weights"), pt.dvector("along")
        pulled = pt.grad((weights * theta).sum(), u, disconnected_inputs="ignore")
        bent = pt.grad((pulled * along).sum(), u, disconnected_inputs="ignore")
        inside = pt.constant(np.array(True))
        for condition in ebm.conditions:
            inside = pt.and_(inside, pt.all(pt.as_tensor(condition)))
        self._of_u = compiled(
            [u, weights, along],
            [theta, pulled, bent, inside],
            VECTORISED,
        )

    def fill(self, events: NDArray) -> None:
        check_memory(events.size * self._sites.values.shape[1], 2 * self._n_params + 3, _REMEDY)
        self._table = self._make(events.reshape(len(events), -1))

    def value_and_gradient(self, u: NDArray) -> tuple[float, NDArray]:
        theta, inside = self._theta(u)
        if not inside:
            return np.inf, np.zeros(len(u))
        log_sums, shares = self._shares(theta)
        slope = np.einsum("ndv,ndvp->p", shares, -self._table[..., :-1])
        return float(log_sums.sum()), self._pulled(u, slope)

    def hessian(self, u: NDArray) -> NDArray:
        shares, changes = self._shares(self._theta(u)[0])[1], self._table[..., :-1]
        means = np.einsum("ndv,ndvp->ndp", shares, changes).reshape(-1, changes.shape[-1])
        flat = changes.reshape(-1, changes.shape[-1])
        of_theta = (shares.ravel()[:, None] * flat).T @ flat - means.T @ means
        jacobian = self._jacobian(u)
        slope = -means.sum(axis=0)
        bent = np.stack([self._of_u(u, slope, e)[2] for e in np.eye(len(u))])
        return jacobian.T @ of_theta @ jacobian + (bent + bent.T) / 2

    def scores(self, u: NDArray) -> NDArray:
        shares = self._shares(self._theta(u)[0])[1]
        return np.einsum("ndv,ndvp->np", shares, -self._table[..., :-1]) @ self._jacobian(u)

    def _shares(self, theta: NDArray) -> tuple[NDArray, NDArray]:
        """Log Σ_v exp(−Δ_v) at each site, and the probability of each value."""
        scores = np.where(self._known, -(self._table @ [*theta, 1.0]), -np.inf)
        return normalise(scores)

    def _theta(self, u: NDArray) -> tuple[NDArray, bool]:
        theta, _, _, inside = self._of_u(u, np.zeros(self._n_params), np.zeros(len(u)))
        return theta, bool(inside)

    def _pulled(self, u: NDArray, slope: NDArray) -> NDArray:
        return self._of_u(u, slope, np.zeros(len(u)))[1]

    def _jacobian(self, u: NDArray) -> NDArray:
        return np.stack([self._pulled(u, e) for e in np.eye(self._n_params)])


class _ByStates:
    """The energies of all states that differ from the events at one site.

    A class, as it holds the events.
    """

    def __init__(self, ebm: ObservedEBM, sites: Sites, u):
        event, (n_sites, n_values) = sites.event_shape, sites.values.shape
        self._sites = sites
        self._states = pytensor.shared(
            np.zeros((1, n_sites, n_values, *event), dtype="int64"),
            shape=(None, n_sites, n_values, *event),
            name="states",
        )
        self._x = pytensor.shared(
            np.zeros((1, *event), dtype="int64"), shape=(None, *event), name="x"
        )
        own = ebm.energies_of_alternatives(self._x[:, None, None])[:, 0, 0]
        changed = _log_sums(-ebm.energies_of_alternatives(self._states), sites)
        terms = ebm.within_domain(n_sites * own + changed)
        loss = Loss(terms.sum(), u)
        self.value_and_gradient, self.hessian = loss.value_and_gradient, loss.hessian
        self.scores = compile_scores(terms, u)

    def fill(self, events: NDArray) -> None:
        n_sites, n_values = self._sites.values.shape
        check_memory(events.size * n_values, 2 + 2 * n_sites, _REMEDY)
        all_states = np.repeat(events.reshape(-1, 1, n_sites), n_sites, axis=1)
        all_states = np.repeat(all_states[:, :, None], n_values, axis=2)
        every = np.arange(n_sites)
        all_states[:, every, :, every] = self._sites.values[:, None]
        shape = (-1, n_sites, n_values, *self._sites.event_shape)
        self._states.set_value(all_states.reshape(shape))
        self._x.set_value(events)


def _log_sums(scores, sites: Sites) -> Variable:
    """Σ_i log Σ_v exp of ``(N, D, V)``, over the values that each site has."""
    known = np.arange(sites.values.shape[1]) < sites.n_values[:, None]
    return pt.logsumexp(pt.switch(known, scores, -np.inf), axis=-1).sum(axis=-1)
