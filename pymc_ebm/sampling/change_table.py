"""What every value of every site changes, as a table of which the parameters are coefficients."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
import scipy
from numpy.typing import NDArray

from pymc_ebm.sampling.local_change import LocalChange

__all__ = ["change_table", "highest_pseudolikelihood"]


def change_table(
    given: LocalChange, states: NDArray, rng: np.random.Generator
) -> Callable[[NDArray], NDArray] | None:
    """The table of an energy that is linear in its parameters, of which each state is one event.

    Parameters
    ----------
    given : LocalChange
        At parameters of any value.
    states : ndarray, shape (B, D)
        Where it is compared, at other parameters, with the changes themselves.
    rng : numpy.random.Generator

    Returns
    -------
    callable or None
        From states ``(N, D)`` to Δ ``(N, D, V, P + 1)``: value v of site i changes the energy by
        Σ_p Δ_p θ_p and the last column. None where the energy bends in θ, or is infinite.
    """
    shapes = [np.shape(value) for value in given.params]
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    at = np.concatenate([np.ravel(value) for value in given.params]).astype("float64")
    values = given.sites.values.astype(states.dtype)

    def changes(rows, theta):
        parts = np.split(theta, ends[:-1])
        params = tuple(p.reshape(s)[()] for p, s in zip(parts, shapes, strict=True))
        out = np.empty((*rows.shape, values.shape[1]))
        _fill(given.kept.make, given.kept.change, rows, values, params, out)
        return out

    def table(rows):
        here = changes(rows, at)
        with np.errstate(invalid="ignore"):  # inf − inf, where a change is impossible
            slopes = np.stack([changes(rows, at + one) - here for one in np.eye(len(at))], axis=-1)
        return np.concatenate([slopes, (here - slopes @ at)[..., None]], axis=-1)

    theta = at + rng.exponential(size=len(at))
    if not np.allclose(changes(states, theta), table(states) @ [*theta, 1.0], rtol=1e-9, atol=1e-9):
        return None
    return table


def highest_pseudolikelihood(table: NDArray, n_values: NDArray, centre: NDArray, sd) -> NDArray:
    """The maximum of Σ_ni log p(x_ni | the other sites) under a normal prior.

    A logistic regression with a ridge, which keeps the maximum finite where the data separate.

    Parameters
    ----------
    table : ndarray, shape (N, D, V, P + 1)
        Of `change_table`.
    n_values : ndarray of int, shape (D,)
        Of `Sites`.
    centre : ndarray, shape (P,)
    sd : float or ndarray, shape (P,)
        Of the prior.

    Returns
    -------
    ndarray, shape (P,)
    """
    known = np.arange(table.shape[2]) < n_values[:, None]

    def loss(theta):
        scores = np.where(known, -(table @ [*theta, 1.0]), -np.inf)
        log_sums = scipy.special.logsumexp(scores, axis=-1, keepdims=True)
        slopes = np.einsum("ndv,ndvp->p", np.exp(scores - log_sums), table[..., :-1])
        away = (theta - centre) / sd
        return log_sums.sum() + away @ away / 2, away / sd - slopes

    return scipy.optimize.minimize(loss, centre, jac=True, method="BFGS").x


@numba.njit
def _fill(make, change, rows, values, params, out):
    """``out[n, i, v]``: what the value v of site i changes in the energy of event n."""
    for n in range(rows.shape[0]):
        tables = make(rows[n])
        for i in range(rows.shape[1]):
            for v in range(values.shape[1]):
                out[n, i, v] = change(rows[n], i, values[i, v], tables, *params)
