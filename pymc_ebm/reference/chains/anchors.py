"""Where the anchors of pooled chains go: over all parameters that the data allow."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import scipy
from numpy.typing import NDArray

from pymc_ebm.energy.energy import Energy
from pymc_ebm.progress import progress
from pymc_ebm.reference.chains.anchor import distance, spell, unravel
from pymc_ebm.reference.chains.estimated_likelihood import EstimatedLikelihood
from pymc_ebm.reference.laws.site_law import SiteLaw

__all__ = ["Placement", "chain_draws", "place_anchors"]


class Placement(NamedTuple):
    """Where the anchors are, the one nearest to the maximum first, and the chains there.

    Attributes
    ----------
    thetas : list of list of ndarray
        The parameters of each anchor.
    draws : list of ndarray
        ``(chain, draw, *event)`` of each.
    laws : list of SiteLaw
        Distributions that tie anchors without overlap to each other.
    log_partitions : ndarray
        log Ẑ of the anchors, then of the laws; relative to the first where there are no laws.
    """

    thetas: list[list[NDArray]]
    draws: list[NDArray]
    laws: list[SiteLaw]
    log_partitions: NDArray


def place_anchors(
    energy: Energy,
    observed,
    start: Sequence,
    sampler: Callable,
    *,
    leap: Sequence | None = None,
    bounds: Sequence | None = None,
    spacing: float = 2.0,
    probability: float = 0.999,
    most_anchors: int = 64,
    random_seed=None,
    progressbar: bool = True,
) -> Placement:
    r"""Chains at anchors that cover the likelihood of the data.

    First the pilot: from `start`, chains at θ give E[∂E] and G(θ) = Cov[∂E/∂θ], and θ moves by the
    scoring step G⁻¹(E[∂E] − mean of ∂E over the data), at most one spacing in units of G and halved
    where it leads away from the data, until it has arrived. From there outwards: of all θ one
    spacing from an anchor and not near another one, the next anchor is the one of highest
    likelihood

    .. math:: \hat ℓ(θ) = −\sum_n E(x_n \mid θ) − N \log \hat Z(θ)

    with log Ẑ from the chains so far, until all others are too improbable: below the maximum by
    half that quantile of χ² with as many degrees of freedom as there are parameters.

    Chains may leave for states that no other anchor's reach, as those of networks do that fill up
    at once (a phase transition). The log Z of such an anchor is found by way of independent sites
    with the frequencies of its chains, whose log Z is 0, and likewise that of the first anchor.
    Beyond the transition the likelihood is then known to be small. An anchor that this does not tie
    to the others goes nearer to them; one that nothing ties is left out, with a warning.

    Parameters
    ----------
    energy : Energy
    observed : array_like
        ``(*batch, *event)``.
    start : sequence of array_like
        One row of parameters.
    sampler : callable
        As in `pooled`.
    leap : sequence of array_like, optional
        Another row, from which the pilot goes on if chains there are nearer to the data.
    bounds : sequence of pairs, optional
        ``(lower, upper)`` of each parameter; no anchor is placed beyond.
    spacing : float
        Distance between neighbours, in standard deviations of what the energy says of θ by one
        event: a point of one belongs to the other with probability 0.15 to 0.2 at 2.
    probability : float
        Anchors cover the parameters that hold this share of a normal posterior.
    most_anchors : int
    random_seed, progressbar : optional
        As in `pooled`.

    Returns
    -------
    Placement

    Raises
    ------
    ValueError
        Chains at the start that do not vary; a pilot that does not arrive.

    Warns
    -----
    UserWarning
        The data allow more than the most anchors cover; anchors that are left out.

    References
    ----------
    R. M. Hummel, D. R. Hunter, M. S. Handcock (2012), "Improving simulation-based algorithms for
    fitting ERGMs", J. Comput. Graph. Stat. 21, 920–939 (limited steps).
    """
    most_steps = 50
    rng = np.random.default_rng(random_seed)
    shapes = [np.shape(value) for value in start]
    lower, upper = _box(bounds, shapes)

    def draw(theta):
        row = unravel(theta, shapes)
        return chain_draws(
            sampler(energy, *row, signature=energy.signature, random_seed=rng, progressbar=False)
        )

    flat = lambda row: np.concatenate([np.ravel(v).astype(float) for v in row])
    theta = np.clip(flat(start), lower, upper)
    with progress(progressbar) as bar:
        task = bar.add_task("Pilot", total=None)
        draws = draw(theta)
        likelihood = EstimatedLikelihood(energy, draws, observed, shapes, spacing, rng)
        anchor, rate = likelihood.anchor(theta, draws), 1.0
        for _ in range(10):  # halvings
            if not anchor.stuck():
                break
            # In one state, as large parameters make chains; at 0 all states are alike.
            theta = np.clip(theta / 2, lower, upper)
            anchor = likelihood.anchor(theta, draw(theta))
        if leap is not None:
            theta = np.clip(flat(leap), lower, upper)
            there = likelihood.anchor(theta, draw(theta))
            if not there.stuck() and anchor.shortfall(there) < anchor.shortfall(anchor):
                anchor = there
        for _ in range(most_steps):
            step = anchor.solve(shapes)
            step *= min(1, spacing / np.sqrt(step @ anchor.metric @ step))
            whole = np.clip(anchor.theta + step, lower, upper)
            # The pilot has arrived where the estimate is this near.
            arrived = distance(whole, anchor) < 0.5
            theta = anchor.theta + rate * (whole - anchor.theta)
            reached = likelihood.anchor(theta, draw(theta))
            bar.advance(task)
            nearer = anchor.shortfall(reached) < anchor.shortfall(anchor)
            if nearer:
                anchor, rate = reached, 1.0
            else:
                rate /= 2  # beyond a phase transition, for example
            if arrived:
                break
        else:
            raise ValueError(
                f"The pilot has not arrived at a maximum of the likelihood after {most_steps} "
                f"steps, and is at {spell(anchor.theta, shapes)}. Start nearer with initval= or "
                "start=, or give thetas=."
            )
        likelihood.add(anchor)
        bar.update(task, description="Anchors", completed=1)
        threshold = scipy.stats.chi2(len(theta)).ppf(probability) / 2
        frontier: list[tuple[float, NDArray]] = []
        lost: list[NDArray] = []
        while True:
            heights = np.array([likelihood.height(k) for k in range(len(likelihood.anchors))])
            pairs = list(zip(likelihood.anchors, heights, strict=True))
            least = heights.max() - threshold
            near = [a for a, height in pairs if height >= least]
            for anchor in near:
                if not anchor.passed:
                    frontier += likelihood.next_to(anchor, near, least, lower, upper)
                    anchor.passed = True
            best, frontier = _highest(likelihood, frontier)
            least = max(best, heights.max()) - threshold
            near = [a for a, height in pairs if height >= least]
            frontier = [
                (height, theta) for height, theta in frontier if not likelihood.covered(theta, near)
            ]
            best, frontier = _highest(likelihood, frontier)
            if best < least:
                # The others' heights are those of when they were found.
                frontier = [(likelihood.log_likelihood(theta), theta) for _, theta in frontier]
                best, frontier = _highest(likelihood, frontier)
            if best < least:
                break
            if len(likelihood.anchors) + len(lost) == most_anchors:
                warnings.warn(
                    f"{most_anchors} anchors do not cover all parameters that the data allow. "
                    "Use narrower priors, or fewer parameters.",
                    UserWarning,
                    stacklevel=3,
                )
                break
            _, theta = frontier.pop(0)
            beside = likelihood.nearest(theta, near or likelihood.anchors)
            for _ in range(4):
                if likelihood.add(likelihood.anchor(theta, draw(theta))):
                    break
                theta = (theta + beside.theta) / 2
            else:
                lost.append(theta)
                continue
            *others, height = (likelihood.height(k) for k in range(len(likelihood.anchors)))
            least = max(*others, height) - threshold
            if height < least:
                # More improbable than the chains before had it: what lies between may be near.
                frontier += likelihood.towards((theta + beside.theta) / 2, beside, near, least)
            bar.advance(task)
    if lost:
        warnings.warn(
            f"Chains at {len(lost)} places leave for states that no other chains reach, first at "
            f"{spell(lost[0], shapes)}, and log Z there is not known. Exclude these parameters by "
            "the prior or domain=, or give a reference whose anchors lead there.",
            UserWarning,
            stacklevel=3,
        )
    thetas = [unravel(anchor.theta, shapes) for anchor in likelihood.anchors]
    draws_of_all = [anchor.draws for anchor in likelihood.anchors]
    return Placement(thetas, draws_of_all, likelihood.laws, likelihood.log_partitions)


def _highest(
    likelihood: EstimatedLikelihood, frontier: list[tuple[float, NDArray]]
) -> tuple[float, list[tuple[float, NDArray]]]:
    """The largest log likelihood of some θ, which then comes first; −inf for none.

    It alone is computed again, until it stays the largest: new anchors change it.
    """
    if not frontier:
        return -np.inf, frontier
    while True:
        frontier = sorted(frontier, key=lambda one: -one[0])
        before, theta = frontier[0]
        now = likelihood.log_likelihood(theta)
        frontier[0] = (now, theta)
        if len(frontier) == 1 or now >= frontier[1][0] or now == before:
            return now, frontier


def chain_draws(draws) -> NDArray:
    """Draws by chain and draw, ``(chain, draw, *event)``, of an array or a DataTree."""
    if hasattr(draws, "children"):
        draws = draws["samples"]["x"]
    draws = np.asarray(draws)
    if draws.ndim < 2:
        raise ValueError(
            f"The draws of an anchor have shape {draws.shape}. Give them by chain and draw, "
            "(chain, draw, *event)."
        )
    return draws


def _box(bounds, shapes):
    """Lower and upper limits of the flattened parameters."""
    if bounds is None:
        bounds = [(-np.inf, np.inf)] * len(shapes)
    if len(bounds) != len(shapes):
        raise ValueError(
            f"There are bounds of {len(bounds)} parameters, and {len(shapes)} parameters. Give "
            "(lower, upper) of each."
        )
    pairs = zip(bounds, shapes, strict=True)
    limits = [[np.broadcast_to(b, shape).ravel() for b in pair] for pair, shape in pairs]
    return tuple(np.concatenate(side).astype(float) for side in zip(*limits, strict=True))
