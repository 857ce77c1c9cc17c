"""A reference by annealing: points of p(x | θ0), and the level of log Z with them."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from pymc_ebm.energy.energy import Energy, EnergyFunction, as_energy
from pymc_ebm.memory import check_memory
from pymc_ebm.progress import progress
from pymc_ebm.reference.annealing.forecast import added_error
from pymc_ebm.reference.annealing.runs import log_weights, moves_of, run
from pymc_ebm.reference.annealing.schedule import schedule
from pymc_ebm.reference.annealing.spaces import annealed_space
from pymc_ebm.reference.base import Reference
from pymc_ebm.space.guess import space_of


def annealed(
    energy: Energy | EnergyFunction,
    *params,
    data,
    support=None,
    anchors: Sequence[Sequence[Any]] = (),
    starts=None,
    event_ndim: int | None = None,
    runs: int = 16,
    particles: int | None = None,
    draws: int = 16,
    wanted_error: float = 0.05,
    most_points: int = 2**20,
    amplification: float | None = None,
    signature: str | None = None,
    random_seed=None,
    progressbar: bool = True,
) -> Reference:
    r"""Independent runs of sequential Monte Carlo from a law whose Z is 1 to p(x | θ0).

    Particles of the base law q go through p_β ∝ q^{1−β} exp(−β E), β from 0 to 1: they are
    weighted, resampled and moved at each level. Run r estimates Z(θ0) without bias by the product
    of its mean weights, and its particles, moved on at θ0, are the points:

    .. math:: a_m = E(y_m \mid θ_0) + \log \hat Z_r - \log (\text{points of a run}) - \log R

    Points of the base law and of further anchors count for each other by the balance heuristic. A
    pilot chooses the levels and how the particles move, and the runs adapt nothing: that would bias
    them. Where the energy has a slope the moves are Hamiltonian trajectories of random length, on
    the whole line; elsewhere they are random walks.

    Parameters
    ----------
    energy : callable
        ``energy(x, *params)`` in nats.
    *params : array_like
        θ0, one row of parameter values, near the maximum of the likelihood.
    data : array_like, shape ``(N, *event)``
        The base law is a Student t with twice their spread and kernels at up to 64 of them. It
        must cover all that has mass: what neither data nor `starts` show in a narrow place may be
        missed by all runs alike.
    support : optional
        As in `Reference`.
    anchors : sequence of sequences, optional
        Further rows of parameters to put points at, where a posterior is wide.
    starts : array_like, shape ``(S, *event)``, optional
        Places of further modes, for the base law.
    event_ndim : int, optional
        Rank of an event; all axes of the data but the first by default.
    runs : int
        Independent runs, R. They are the groups: their spread is the error of all results.
    particles : int, optional
        Particles of each run. By default as many as a first attempt forecasts for `wanted_error`.
    draws : int
        States kept of each particle at each anchor, as many moves apart as it takes to forget.
    wanted_error : float
        Error that the points may add to a posterior mean, in posterior sds.
    most_points : int
        No forecast makes more points than this.
    amplification : float, optional
        Number of data that share the normaliser; the number in `data` by default.
    signature : str, optional
        Core dimensions of the parameters, as in `log_partition`; scalars by default.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    progressbar : bool

    Returns
    -------
    Reference
        Its level is absolute, and `groups` are the runs.

    Raises
    ------
    ValueError
        Runs none of whose particles has a finite energy; a way that 500 levels do not lead along.
    MemoryError
        More points than fit in memory.

    Warns
    -----
    UserWarning
        More error than wanted with the most points allowed.

    References
    ----------
    R. M. Neal (2001), Statistics and Computing 11, 125–139; P. Del Moral, A. Doucet, A. Jasra
    (2006), J. R. Statist. Soc. B 68, 411–436; H.-D. Dau, N. Chopin (2022), J. R. Statist. Soc. B
    84, 114–148.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(1).normal(0, 2, size=(100, 5))
    >>> energy = lambda x, s: (x**2).sum(-1) / (2 * s**2)
    >>> q = annealed(energy, 2.0, data=x, particles=64, random_seed=1, progressbar=False)
    >>> log_z = np.logaddexp.reduce(q.log_weights - (q.points**2).sum(-1) / 8)
    >>> bool(abs(log_z - 2.5 * np.log(2 * np.pi * 4)) < 0.2)
    True
    """
    rng = np.random.default_rng(random_seed)
    data = np.asarray(data)
    event_ndim = data.ndim - 1 if event_ndim is None else event_ndim
    data = data.reshape(-1, *data.shape[data.ndim - event_ndim :])
    support = space_of(data, support)
    energy = as_energy(energy, signature)
    rows = energy.alike([params, *anchors])
    space = annealed_space(energy, rows, data, support, starts, rng)
    states_of_run = 1 + draws * len(rows)
    most = max(most_points // (runs * states_of_run), 2)
    amplification = len(data) if amplification is None else amplification
    with progress(progressbar) as bar:
        task = bar.add_task("Annealing: pilot", total=1.0)
        legs = schedule(space, len(rows), 2048, rng, partial(bar.advance, task))
        # Until the forecast says how many are needed.
        n = particles or min(128, most)
        while True:
            check_memory(
                runs * n * states_of_run,
                3 * math.prod(space.event_shape) + 4 + 2 * len(rows),
                "Use fewer particles.",
            )
            task = bar.add_task(
                f"Annealing: {runs} runs of {n}", total=runs * moves_of(legs, draws)
            )
            made = run(space, legs, runs, n, draws, rng, partial(bar.advance, task))
            points, a, groups = _weighted(space, made, support)
            if particles is not None:
                break
            energies = energy.of_points(space.event_shape, points.dtype, rows[0], len(points))
            error = added_error(energies, points, a, groups, rows[0], amplification)
            # 16 runs know their spread to a fifth.
            needed = math.ceil(min(n * 1.3 * (error / wanted_error) ** 2, most))
            if error <= wanted_error or needed <= n:
                break
            n = needed
    if particles is None and error > wanted_error:
        warnings.warn(
            f"The runs' spread would add {error:.2g} posterior sds to a mean, with the most points "
            f"allowed, {most_points:.3g}. Give a larger most_points, or data= and starts= nearer "
            "to all modes.",
            UserWarning,
            stacklevel=2,
        )
    settings = {
        "data": data, "support": support, "anchors": anchors, "starts": starts, "runs": runs,
        "draws": draws,
    }  # fmt: skip
    return Reference(
        points=points,
        log_weights=a,
        groups=groups,
        support=support,
        description=f"annealed, {runs} runs of {n}",
        remake=partial(_remake, energy, params, settings, runs * states_of_run),
    )


def _remake(energy, params, settings, points_of_particle, draws, random_seed, model_draws):
    """Other runs, of as many particles as make enough points."""
    return annealed(
        energy,
        *params,
        particles=-(-draws // points_of_particle),
        random_seed=random_seed,
        progressbar=False,
        **settings,
    )


def _weighted(space, made, support):
    """Points, a_m and groups; without weight where rounding left the space."""
    states, a, groups = log_weights(space, made)
    points = space.points(states)
    event_axes = tuple(range(1, points.ndim))
    usable = np.isfinite(points).all(axis=event_axes) & support.contains(points, points.ndim - 1)
    usable &= np.isfinite(a)
    points[~usable] = points[np.argmax(usable)]
    return points, np.where(usable, a, -np.inf), groups
