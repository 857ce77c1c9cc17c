"""`Case`: a posterior with an exact answer, and the one that an estimated normaliser implies."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pymc as pm
from numpy.typing import NDArray

from pymc_ebm.energy.split import VECTORISED

__all__ = ["CHAINS", "Case", "Posterior", "axis", "on_grid"]

CHAINS = 4


class Posterior(NamedTuple):
    """Means and sds of K parameters, and draws of them by name."""

    mean: NDArray
    sd: NDArray
    draws: dict[str, NDArray]


@dataclass(frozen=True)
class Case:
    """One set-up with its data.

    Attributes
    ----------
    exact : Posterior
        By a closed form, quadrature or enumeration that share nothing with the package.
    build : callable
        ``build(reference)`` is the model.
    reference : callable
        ``reference(seed)``, None for the default reference.
    estimated : callable
        ``estimated(model, rng, n)``, the posterior of that model with n draws.
    """

    exact: Posterior
    build: Callable[[Any], pm.Model]
    reference: Callable[[int], Any]
    estimated: Callable[[pm.Model, np.random.Generator, int], Posterior]


def axis(log_likelihood: Callable, low: float, high: float, places: int = 301) -> NDArray:
    """A grid of a parameter over all that its exact posterior under a flat prior holds.

    It reaches ten sds around the mean and is the parameter's prior too, so that a wrong
    posterior has somewhere to go.
    """
    left, right = low, high
    for _ in range(4):
        grid = np.linspace(left, right, 201)
        p, log_p = _density(log_likelihood(grid))
        near = np.flatnonzero(log_p > -30)
        left, right = grid[max(near[0] - 1, 0)], grid[min(near[-1] + 1, 200)]
    mean = p @ grid
    sd = np.sqrt(p @ (grid - mean) ** 2)
    return np.linspace(max(mean - 10 * sd, low), min(mean + 10 * sd, high), places)


def on_grid(
    axes: dict[str, NDArray],
    log_likelihood: NDArray,
    observe: Callable,
    reference: Callable[[int], Any],
) -> Case:
    """A case of one or two parameters, with flat priors over a grid.

    Parameters
    ----------
    axes : dict of ndarray
        Grids by the names of the parameters.
    log_likelihood : ndarray
        The exact one, ``(n1,)`` or ``(n1, n2)``.
    observe : callable
        ``observe(reference, *parameters)`` puts the data into the model of the context.
    reference : callable
    """

    def build(q):
        with pm.Model() as model:
            t = [pm.Uniform(n, g[0], g[-1], default_transform=None) for n, g in axes.items()]
            observe(q, *t)
        return model

    def estimated(model, rng, n):
        logp = model.compile_fn(
            model.logp(), inputs=model.value_vars, mode=VECTORISED, point_fn=False
        )
        places = np.stack(np.meshgrid(*axes.values(), indexing="ij"), axis=-1)
        flat = places.reshape(-1, len(axes))
        values = np.array([logp(**dict(zip(axes, row, strict=True))) for row in flat])
        return _posterior(axes, values.reshape(places.shape[:-1]), rng, n)

    exact = _posterior(axes, log_likelihood, np.random.default_rng(0), 0)
    return Case(exact, build, reference, estimated)


def _density(log_p: NDArray) -> tuple[NDArray, NDArray]:
    """Probabilities of places, and log densities below the highest."""
    log_p = np.where(np.isfinite(log_p), log_p, -np.inf)
    log_p = log_p - log_p.max()
    p = np.exp(log_p)
    return p / p.sum(), log_p


def _posterior(axes: dict[str, NDArray], log_p: NDArray, rng, n: int) -> Posterior:
    """Of places on a grid; draws are systematic ones for each of four chains, spread over cells."""
    p, _ = _density(log_p.ravel())
    places = np.stack(np.meshgrid(*axes.values(), indexing="ij"), axis=-1).reshape(-1, len(axes))
    mean = p @ places
    sd = np.sqrt(p @ (places - mean) ** 2)
    chosen = np.searchsorted(np.cumsum(p), (np.arange(n) + rng.random(n)) / max(n, 1))
    order = rng.permuted(np.arange(n).reshape(-1, CHAINS).T, axis=1).ravel()
    found = places[chosen.clip(0, len(p) - 1)[order]]
    cells = np.array([g[1] - g[0] for g in axes.values()])
    found = found + cells * (rng.random(found.shape) - 0.5)
    ends = np.array([(g[0], g[-1]) for g in axes.values()]).T
    draws = np.clip(found, ends[0] + 1e-9 * cells, ends[1] - 1e-9 * cells)
    return Posterior(mean, sd, dict(zip(axes, draws.T, strict=True)))
