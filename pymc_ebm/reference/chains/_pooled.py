"""Markov chains at several anchors, pooled by bridge weights."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from pymc_ebm.energy.energy import Energy, EnergyFunction, as_energy
from pymc_ebm.memory import check_memory
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.chains import mbar
from pymc_ebm.reference.chains.anchor import slopes
from pymc_ebm.reference.chains.anchors import chain_draws, place_anchors
from pymc_ebm.reference.chains.batches import batches
from pymc_ebm.reference.chains.estimated_likelihood import given_by_laws
from pymc_ebm.reference.chains.mbar import LEAST_OVERLAP
from pymc_ebm.reference.chains.pool import Pool
from pymc_ebm.reference.laws.site_law import SiteLaw
from pymc_ebm.reference.sizes import most_points


def pooled(
    energy: Energy | EnergyFunction,
    thetas: Sequence[Sequence[Any]] | None = None,
    *,
    observed=None,
    start: Sequence[Any] | None = None,
    leap: Sequence[Any] | None = None,
    bounds: Sequence[Any] | None = None,
    sampler: Callable[..., Any] | None = None,
    draws: Sequence[Any] | None = None,
    log_partitions: Sequence[float | tuple[float, float] | None] | None = None,
    signature: str | None = None,
    support=None,
    random_seed=None,
    points_of_placed: int = 2**16,
    level: Callable[[Sequence[Any]], tuple[float, float] | None] | None = None,
    progressbar: bool = True,
) -> Reference:
    r"""Chains at anchors θ_1..θ_K pooled: points wherever one of them goes.

    .. math:: a_m = -\log \sum_k n_k \exp(-E(y_m \mid θ_k) - \log \hat Z(θ_k))

    The log Ẑ(θ_k) are the solution of the multistate Bennett acceptance ratio. They are absolute
    when one is known, that of θ = 0 on a lattice for example, and otherwise relative to the first
    anchor's, which is all that a posterior needs.

    Parameters
    ----------
    energy : callable
        ``energy(x, *params)``.
    thetas : sequence of sequences, optional
        The parameters of each anchor, in the order of the energy's. Neighbours must overlap. By
        default they are placed over all that `observed` allows, as `place_anchors` says.
    observed : array_like, optional
        Data ``(*batch, *event)``, where anchors are placed; they share one row of parameters.
    start : sequence, optional
        Parameters at which the search for the data's begins, and the model's states vary.
    leap : sequence, optional
        Parameters where the search goes on if chains there are nearer to the data than at `start`.
    bounds : sequence of pairs, optional
        ``(lower, upper)`` of each parameter, beyond which no anchor is placed.
    sampler : callable, optional
        A function of `pymc_ebm.sampling` with its own options set by ``functools.partial``, the
        reference above all: ``partial(ebm.sampling.gibbs, reference=space, draws=2000)``.
    draws : sequence of array_like, optional
        Instead of `sampler`: draws of each anchor's p(x | θ_k), by chain and draw,
        ``(chain, draw, *event)``, or a DataTree of `pymc_ebm.sampling`.
    log_partitions : sequence of float, pairs or None, optional
        log Z of the anchors where it is known, in nats. A pair ``(value, standard error)`` is an
        estimate: where no anchor's is exact, the most precise one sets the level, and its error is
        counted in that of log Ẑ and of the elpd. The posterior does not depend on it.
    signature : str, optional
        Core dimensions of the parameters, as in `log_partition`; scalars by default.
    support : optional
        As in `Reference`.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    points_of_placed : int
        Where anchors are placed, chains are thinned to so many points of all together. The default
        is enough for an error below a percent of a posterior sd.
    level : callable, optional
        ``level(theta)`` gives log Z of the first anchor and its standard error, or None, where
        neither `log_partitions` nor a law of independent sites that ties the chains tells it.
    progressbar : bool

    Returns
    -------
    Reference
        Groups are batches that are long against the autocorrelation time. `Reference.pool` holds
        the anchors, their log Ẑ and their overlap; `Reference.absolute` says whether log Ẑ is.

    Raises
    ------
    ValueError
        Neither or both of `sampler` and `draws`; neither anchors nor what to place them by;
        numbers of anchors that disagree; a search that does not arrive.
    MemoryError
        Matrices of points and anchors that do not fit in memory.

    Warns
    -----
    UserWarning
        Neighbouring anchors that hardly overlap; chains with too few independent batches; data
        that allow more than 64 anchors cover; anchors that `place_anchors` leaves out.

    References
    ----------
    C. J. Geyer (1994), technical report 568, University of Minnesota; M. R. Shirts, J. D. Chodera
    (2008), J. Chem. Phys. 129, 124105; Z. Tan (2004), J. Am. Statist. Assoc. 99, 1027–1036.

    Examples
    --------
    >>> import pymc_ebm as ebm
    >>> rng = np.random.default_rng(1)
    >>> q = ebm.reference.pooled(
    ...     lambda x, s: x**2 / (2 * s**2),
    ...     [(1.0,), (2.0,), (4.0,)],
    ...     draws=[rng.normal(0, s, size=(4, 500)) for s in (1.0, 2.0, 4.0)],
    ...     log_partitions=[np.log(np.sqrt(2 * np.pi)), None, None],
    ... )
    >>> truth = np.log(np.sqrt(2 * np.pi) * np.array([1.0, 2.0, 4.0]))
    >>> bool(abs(q.pool.log_partitions - truth).max() < 0.2)
    True
    """
    if (sampler is None) == (draws is None):
        both = "neither sampler= nor" if draws is None else "both sampler= and"
        raise ValueError(f"There are {both} draws=. Give one: how to draw at the anchors.")
    energy = as_energy(energy, signature)
    rng = np.random.default_rng(random_seed)
    settings = {"signature": energy.signature, "random_seed": rng}
    guess = None
    laws: list[SiteLaw] = []
    if thetas is None:
        if sampler is None or observed is None or start is None:
            raise ValueError(
                "There are no anchors. Give thetas=, or sampler=, observed= and start= to place "
                "them."
            )
        thetas, draws, laws, guess = place_anchors(
            energy, observed, start, sampler, leap=leap, bounds=bounds, random_seed=rng,
            progressbar=progressbar,
        )  # fmt: skip
        # More runs at the anchor nearest to the maximum, on which the estimate and most of the
        # posterior rest. It may keep half of the points.
        more = [sampler(energy, *thetas[0], **settings, progressbar=False) for _ in range(3)]
        joined = [np.concatenate([draws[0], *map(chain_draws, more)]), *draws[1:]]
        draws = _thinned(joined, most_points(points=points_of_placed))
    anchors = [[np.asarray(p, dtype=float) for p in energy.row(theta)] for theta in thetas]
    if draws is None:
        draws = [
            sampler(energy, *theta, **settings, progressbar=progressbar)  # type: ignore[misc]
            for theta in anchors
        ]
    if level is not None and not laws and log_partitions is None:
        first = level(anchors[0])
        log_partitions = None if first is None else [first, *[None] * (len(anchors) - 1)]
    chains = [chain_draws(d) for d in draws]
    if len(chains) != len(anchors):
        raise ValueError(
            f"There are draws of {len(chains)} anchors, and {len(anchors)} anchors. Give the draws "
            "of each."
        )
    return _of_chains(
        chains,
        energy,
        anchors,
        laws,
        log_partitions,
        support,
        sampler=sampler,
        guess=guess,
        rng=rng,
    )


def _of_chains(
    chains, energy: Energy, anchors, laws, log_partitions, support, *, sampler, guess, rng
) -> Reference:
    """Chains at anchors, and draws of the laws that tie them, as one reference."""
    event_shape = chains[0].shape[2:]
    # Matrices of points and anchors: energies, probabilities, and those of the equations for f.
    check_memory(
        sum(c.shape[0] * c.shape[1] for c in chains) * (1 if not laws else 2),
        4 * math.prod(event_shape) + 9 * (len(anchors) + len(laws)),
        "Use fewer anchors, or fewer draws of each.",
    )
    points = np.concatenate([c.reshape(-1, *event_shape) for c in chains])
    counts = np.array([c.shape[0] * c.shape[1] for c in chains])
    of_laws = [law.draw(rng, int(counts[-1])) for law in laws]
    points = np.concatenate([points, *of_laws])
    energies, series = _energies(energy, points, anchors)
    if not np.isfinite(energies).all():
        raise ValueError(
            f"The energy is not finite at {(~np.isfinite(energies)).any(axis=1).sum()} of "
            f"{len(points)} points, at one of the anchors. Anchors must share their support."
        )
    groups, first_group = [], 0
    for c, part in zip(chains, np.split(series, np.cumsum(counts)), strict=False):
        labels = batches(part.reshape(*c.shape[:2], -1)) + first_group
        first_group = int(labels.max()) + 1
        groups.append(labels.ravel())
    groups.append(first_group + np.arange(len(points) - counts.sum()))
    energies = np.column_stack([energies, *(-law.log_density(points) for law in laws)])
    counts = np.concatenate([counts, np.array([len(y) for y in of_laws], dtype=int)])
    given = given_by_laws(len(anchors), len(laws))
    known, level_mcse = _known(log_partitions, len(anchors))
    if not np.isnan(known).all() and not (laws and level_mcse):
        given[: len(anchors)] = known
    f = mbar.solve(energies, counts, given, guess)
    p = mbar.probabilities(f, energies, counts)
    remake = None
    if sampler is not None:
        n_chains = sum(c.shape[0] for c in chains)
        remake = partial(_remake, sampler, n_chains, energy, anchors, laws, log_partitions, support)
    pool = Pool(
        anchors=np.array([np.concatenate([np.ravel(v) for v in theta]) for theta in anchors]),
        log_partitions=f[: len(anchors)],
        overlap=p.T @ p / counts[:, None],
        probabilities=p,
        response=mbar.response(p, counts, given),
        counts=counts,
        laws=tuple(laws),
    )
    _check_overlap(pool)
    return Reference(
        points=points,
        log_weights=-mbar.log_mixture(f, energies, counts),
        groups=np.concatenate(groups),
        support=support,
        description=_description(len(anchors), guess is not None),
        absolute=bool(laws) or not np.isnan(known).all(),
        pool=pool,
        remake=remake,
        level_mcse=0.0 if laws else level_mcse,
    )


def _remake(
    sampler, n_chains, energy, anchors, laws, log_partitions, support, draws, random_seed,
    model_draws,
):  # fmt: skip
    """Longer chains at the same anchors, tied by the same laws."""
    rng = np.random.default_rng(random_seed)
    longer = partial(sampler, draws=-(-draws // n_chains))
    settings = {"signature": energy.signature, "random_seed": rng, "progressbar": False}
    chains = [chain_draws(longer(energy, *theta, **settings)) for theta in anchors]
    return _of_chains(
        chains, energy, anchors, laws, log_partitions, support, sampler=longer, guess=None, rng=rng
    )


def _energies(energy: Energy, points, anchors):
    """E(y_m | θ_k), ``(M, K)``, and the series that tell how chains mix, ``(M, S)``."""
    function = energy.of_points(points.shape[1:], points.dtype, anchors[0], len(points))
    statistics = function.statistics(points)
    energies = np.stack([function(statistics, theta) for theta in anchors], axis=1)
    series = [energies, *(s for s in statistics if s.ndim == 1)]
    if len(series) <= len(statistics):  # E does not depend on numbers alone
        series += [slopes(partial(function, statistics), theta) for theta in anchors]
    return energies, np.nan_to_num(np.column_stack(series), posinf=0.0, neginf=0.0)


def _thinned(draws, most: int) -> list:
    """Draws of all anchors, where there are more than enough points in all.

    The first may keep half of them.
    """
    shares = [most / 2] * len(draws)
    shares[1:] = [most / 2 / max(len(draws) - 1, 1)] * (len(draws) - 1)
    every = [max(round(d.shape[0] * d.shape[1] / n), 1) for d, n in zip(draws, shares, strict=True)]
    return [d[:, ::k] for d, k in zip(draws, every, strict=True)]


def _known(log_partitions, n_anchors) -> tuple[np.ndarray, float]:
    """The log Z that set the level, ``(K,)`` with NaN elsewhere, and their standard error."""
    values = list(log_partitions) if log_partitions is not None else [None] * n_anchors
    if len(values) != n_anchors:
        raise ValueError(
            f"There are {len(values)} log_partitions for {n_anchors} anchors. Give None where log "
            "Z is not known."
        )
    pairs = [np.nan if v is None else v for v in values]
    table = np.array([(*np.ravel(v), 0.0)[:2] for v in pairs], dtype=float)
    known, errors = table.T
    if not (errors >= 0).all():
        raise ValueError(
            f"The standard errors of log_partitions are {errors.tolist()}. Give pairs (value, "
            "standard error) with a number that is not negative."
        )
    if (errors[~np.isnan(known)] == 0).any():
        return np.where(errors == 0, known, np.nan), 0.0
    if np.isnan(known).all():
        return known, 0.0
    best = int(np.nanargmin(np.where(np.isnan(known), np.nan, errors)))
    return np.where(np.arange(n_anchors) == best, known, np.nan), float(errors[best])


def _check_overlap(pool):
    # With all others together; the order of anchors means nothing.
    with_others = 1 - np.diag(pool.overlap)[: len(pool.anchors)]
    if len(pool.overlap) == 1 or (with_others >= LEAST_OVERLAP).all():
        return
    k = int(with_others.argmin())
    warnings.warn(
        f"Anchor {k} overlaps with no others: a point of it belongs to them with probability "
        f"{max(with_others[k], 0.0):.2g}. Place anchors closer.",
        UserWarning,
        stacklevel=3,
    )


def _description(n_anchors, placed) -> str:
    chains = "chain" if n_anchors == 1 else f"chains at {n_anchors} anchors"
    return f"{chains} placed by the data" if placed else chains
