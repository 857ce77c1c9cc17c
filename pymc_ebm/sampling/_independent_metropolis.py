"""Independent Metropolis–Hastings: fresh proposals from the reference's q."""

from __future__ import annotations

import itertools
import math

import numba
import numpy as np
import xarray as xr

from pymc_ebm.energy.energy import Energy, EnergyFunction, as_energy
from pymc_ebm.memory import check_memory
from pymc_ebm.progress import progress
from pymc_ebm.reference.base import Reference
from pymc_ebm.sampling.checks import check_sampling
from pymc_ebm.sampling.compiled_energies import BLOCK, energy_function, spell, start_points
from pymc_ebm.sampling.output import chain_ess, datatree
from pymc_ebm.weights.normalised import normalise

__all__ = ["independent_metropolis"]

# Proposals among which the chains find their first states, each chosen with its weight.
_STARTS = 1000


def independent_metropolis(
    energy: Energy | EnergyFunction,
    *params,
    reference: Reference,
    draws: int = 1000,
    chains: int = 4,
    random_seed=None,
    signature: str | None = None,
    progressbar: bool = True,
    tune: int = 1000,
    initvals=None,
    return_inferencedata: bool = True,
) -> xr.DataTree | np.ndarray:
    r"""Markov chains that target p(x|θ), with proposals from q (section 6 of the paper).

    A proposal y' ~ q replaces the state y with probability

    .. math:: \min\Bigl(1, \frac{φ(y' \mid θ)\, q(y)}{φ(y \mid θ)\, q(y')}\Bigr),
        \qquad φ = e^{-E}

    Unlike `importance_resampling`, the stationary distribution is p itself and not its
    approximation on the reference's points: with a poor q the chains stand still for long, and
    the attribute ``ess`` says how few draws they are worth.

    Parameters
    ----------
    energy : callable
        ``energy(x, *params)`` in nats, ``(*batch, *event) -> (*batch,)``.
    *params : array_like
        One row of parameter values, each of its core shape.
    reference : Reference
        With a `proposal`: `independent`, `fitted`, or a complete enumeration. Independent draws
        given by `from_draws` are used up instead, each as one proposal.
    draws, chains : int
    random_seed : optional
        As for ``numpy.random.default_rng``.
    signature : str, optional
        Core dimensions of the parameters, as in `log_partition`; scalars by default.
    progressbar : bool
    tune : int
        First steps of each chain, not returned. The default first states come from one pool of
        proposals, which chains forget in about max φ/(q Z) steps.
    initvals : array_like, optional
        First states, ``(chains, *event)``; by default proposals chosen with their weights.
    return_inferencedata : bool
        False returns the draws alone, ``(chain, draw, *event)``.

    Returns
    -------
    xr.DataTree
        Group ``samples`` with x; ``sample_stats`` with ``energy`` and ``log_weight`` (−E − log q)
        of each draw, whether its proposal was ``accepted``, and the ``acceptance_rate`` of each
        chain. The attribute ``ess`` is the smallest over the energy and the coordinates of x.

    Raises
    ------
    ValueError
        A reference without proposals, or with too few; an energy of NaN or −inf; no state of
        finite energy found; several rows of parameters or a reference of rows; numbers below the
        least.
    TypeError
        No reference.

    Examples
    --------
    >>> import pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(0, 4), random_seed=1)
    >>> draws = ebm.sampling.independent_metropolis(
    ...     lambda x, s: x**2 / (2 * s**2), 2.0, reference=q, random_seed=2, progressbar=False
    ... )
    >>> 0.5 < draws["sample_stats"]["acceptance_rate"].mean().item() < 0.7
    True
    """
    check_sampling(reference, draws=draws, chains=chains, tune=tune)
    rng = np.random.default_rng(random_seed)
    energy = as_energy(energy, signature)
    row = energy.row(params)
    steps = tune + draws
    take, log_density = _proposals(reference, rng, row, chains, steps)
    weigh = _weigher(energy_function(energy, reference, row), reference, row)
    if initvals is None:
        state = _first_states(weigh(*take(max(_STARTS, chains))), rng, chains)
    else:
        points = start_points(initvals, chains, reference)
        state = weigh(points, log_density(points))
    size = math.prod(reference.event_shape)
    check_memory(chains * draws, 3 + 2 * size, "Use fewer draws.")
    x = np.empty((chains, draws, *reference.event_shape), dtype=reference.points.dtype)
    energies, log_weights = np.empty((chains, draws)), np.empty((chains, draws))
    accepted = np.empty((chains, draws), dtype=bool)
    at_once = max(BLOCK // (chains * max(size, 1)), 1)
    with progress(progressbar) as bar:
        task = bar.add_task("Independent Metropolis", total=steps)
        for start in range(0, steps, at_once):
            stop = min(start + at_once, steps)
            n = stop - start
            proposed = weigh(*take(n * chains))
            # Row 0 is the state that each chain brings along.
            rows = [
                np.concatenate([now[None], new.reshape(n, *now.shape)])
                for now, new in zip(state, proposed, strict=True)
            ]
            source = _walk(rows[2], np.log1p(-rng.random((n, chains))))
            path = [values[source, np.arange(chains)] for values in rows]
            state = [values[-1] for values in path]
            if stop > tune:
                kept, into = (
                    slice(max(tune - start, 0), n),
                    slice(max(start - tune, 0), stop - tune),
                )
                x[:, into], energies[:, into], log_weights[:, into] = (
                    np.moveaxis(values[kept], 0, 1) for values in path
                )
                accepted[:, into] = (source == np.arange(1, n + 1)[:, None])[kept].T
            bar.advance(task, n)
    if not np.isfinite(energies).all():
        raise ValueError(
            f"No state of finite energy was found among {chains * steps} proposals at parameters "
            f"{spell(row)}. Choose a reference that covers these parameter values."
        )
    if not return_inferencedata:
        return x
    return datatree(
        "independent_metropolis",
        x,
        sample_stats={
            "energy": energies,
            "log_weight": log_weights,
            "accepted": accepted,
            "acceptance_rate": accepted.mean(axis=1),
        },
        ess=chain_ess(energies, x),
        reference=reference,
        random_seed=random_seed,
    )


def _proposals(reference, rng, row, chains, steps):
    """``take(n)`` gives n new points and their log q; ``log_density`` that of any point."""
    q = reference.proposal

    def log_density(points):
        if q is None:
            raise ValueError(
                f"{reference} knows its log density at its own points only, and initvals were "
                "given. Leave initvals out, or use a reference made by independent or fitted."
            )
        return q.log_density(points, *row)

    draw = None if q is None else q.draw
    if draw is None:
        return _given_draws(reference, rng, chains, steps), log_density

    def take(n):
        points = draw(rng, n, *row)
        return points, log_density(points)

    return take, log_density


def _given_draws(reference, rng, chains, steps):
    """The reference's own points as proposals, for which they must be independent draws."""
    own = reference.independent_draws()
    if own is None:
        raise ValueError(
            f"{reference} has no proposals: its {reference.n_points} points are fixed or depend on "
            "one another. Use importance_resampling, or a reference made by independent or fitted."
        )
    # Independent draws serve once each: a second time they would target the finite set.
    needed = max(_STARTS, chains) + chains * steps
    if reference.n_points < needed:
        raise ValueError(
            f"{reference} has {reference.n_points} draws, and {chains} chains of {steps} steps "
            f"propose {needed}, each once. Give more draws, or lower draws, tune or chains."
        )
    points, log_q = own
    order = iter(rng.permutation(reference.n_points))

    def take(n):
        index = list(itertools.islice(order, n))
        return points[index], log_q[index]

    return take


def _weigher(energy_of, reference, row):
    """Points, energies and log weights −E − log q; p is zero outside the reference's support."""

    def weigh(points, log_q):
        inside = reference.space.contains(points)
        energies = np.where(inside, energy_of(points), np.inf)
        bad = np.isnan(energies) | np.isneginf(energies) | np.isnan(log_q)
        if bad.any():
            first = int(np.argmax(bad))
            raise ValueError(
                f"The energy is {energies[first]} and log q is {log_q[first]} at "
                f"{np.asarray(points[first]).tolist()}, one of {bad.sum()} such proposals, at "
                f"parameters {spell(row)}. Correct the energy, or state its support."
            )
        return [points, energies, np.where(np.isposinf(energies), -np.inf, -energies - log_q)]

    return weigh


def _first_states(pool, rng, chains):
    """One of a pool of proposals for each chain, chosen with its weight where any has one."""
    log_z, weights = normalise(pool[2])
    index = rng.choice(len(weights), size=chains, p=weights if np.isfinite(log_z) else None)
    return [values[index] for values in pool]


@numba.njit(cache=True)
def _walk(log_weights, log_u):
    """The row of each chain after every step, ``(n, chains)``; step t proposes row t + 1."""
    n, chains = log_u.shape
    source = np.empty((n, chains), dtype=np.int64)
    at = np.zeros(chains, dtype=np.int64)
    for t in range(n):
        for c in range(chains):
            # Compared so that a state of weight zero is left for any other.
            if log_u[t, c] + log_weights[at[c], c] < log_weights[t + 1, c]:
                at[c] = t + 1
            source[t, c] = at[c]
    return source
