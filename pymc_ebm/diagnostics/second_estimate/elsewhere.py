"""Whether a posterior is higher with second estimates at places far from all of its draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from pytensor.graph.basic import Variable
from pytensor.graph.utils import MissingInputError

from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.second_estimate.compare import errors_of
from pymc_ebm.diagnostics.second_estimate.question import CannotTell
from pymc_ebm.distribution.energy_rv import EnergyRV
from pymc_ebm.energy.split import VECTORISED
from pymc_ebm.numbers import give_or_take, number

__all__ = ["MOST_PLACES", "Heights", "look_elsewhere", "of_prior", "places_beyond"]

# Posterior sds from the mean, and the most places so far out.
_STEPS = np.array([4.0, 6, 8, 12, 16, 24, 32, 48, 64])
MOST_PLACES = 108
# How many sds far, the next where farther out no estimate can be made at some place.
_REACHES = (np.inf, 65.0, 17.0)
# Draws of the prior among them, and draws of the posterior that the places are compared with.
_PRIOR_DRAWS, _DRAWS = 20, 40
# From the mean to the best place, where to look again.
_BETWEEN = np.array([0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.25, 1.4])
# How many of the best places are asked again, those around the ones before left out.
_ASKED_AGAIN = 3
# Nats by which a place has to be above all draws.
_NATS = 1.0


@dataclass(frozen=True, eq=False)
class Heights:
    """Log-probabilities of a model with second estimates at P places.

    Attributes
    ----------
    of_first : callable
        With the first estimates, in nats, of the places of given indices: of large references they
        take long, and are asked for where the second are high.
    of_second : ndarray
        With the second, ``(P,)`` in nats.
    noise : ndarray
        ``(G, P)``, independent parts of the noise of the second: their squares add up to its
        variance.
    runs : int
        Of which the noise is the spread; 1 for a bound.
    doubts : tuple of str
        Why the second estimates are not to be trusted there.
    """

    of_first: Callable[[NDArray], NDArray]
    of_second: NDArray
    noise: NDArray
    runs: int = 1
    doubts: tuple[str, ...] = ()

    def gains(self, n_draws: int) -> tuple[NDArray, NDArray, NDArray]:
        """Of the places after the draws, how far they are above the best draw, in nats.

        Returns
        -------
        gain : ndarray
            With the second estimates.
        excess : ndarray
            What of it the first estimates do not say: draws that are nowhere near a maximum are
            the sampler's fault where both say so.
        error : ndarray
            The standard error of both.
        """
        lowest = lambda logp: np.where(np.isfinite(logp), logp, -np.inf)
        second, noise = lowest(self.of_second), np.nan_to_num(self.noise)
        best = int(np.argmax(second[:n_draws]))
        gain = second[n_draws:] - second[best]
        excess = gain.copy()
        [high] = np.nonzero(gain > _NATS)
        if high.size:
            first = lowest(self.of_first(np.concatenate([np.arange(n_draws), n_draws + high])))
            of_first = first[n_draws:] - first[:n_draws].max()
            known = high[np.isfinite(of_first) & np.isfinite(gain[high])]
            of_first = of_first[np.isin(high, known)]
            excess[known] = np.minimum(gain[known], gain[known] - of_first)
        error = errors_of(noise[:, n_draws:] - noise[:, [best]], self.runs)
        return gain, excess, error


def places_beyond(draws: NDArray, whole: NDArray, most: int = MOST_PLACES) -> NDArray:
    """Places at several posterior sds to either side of the mean, ``(P, K)``.

    Along each parameter; of very many, along the directions in which the draws are widest.

    Parameters
    ----------
    draws : ndarray
        ``(S, K)``.
    whole : ndarray of bool
        Which parameters are whole numbers, ``(K,)``.
    most : int
        About as many places at most.
    """
    middle, sd = draws.mean(axis=0), draws.std(axis=0)
    # By its range: equal values can have an sd by rounding.
    sd = np.where(np.ptp(draws, axis=0) > 0, sd, 0.0)
    axes = np.eye(len(middle))[sd > 0]
    largest = max(most // 6, 1)
    if len(axes) > largest:
        scaled = (draws - middle) / np.where(sd > 0, sd, 1.0)
        _, lengths, directions = np.linalg.svd(scaled, full_matrices=False)
        axes = (directions * lengths[:, None])[:largest] / np.sqrt(len(draws))
    # Fewer steps where directions are many.
    every = -(-2 * len(axes) * len(_STEPS) // max(most, 1))
    steps = _STEPS[:: max(every, 1)]
    along = [middle + side * step * sd * axis
             for axis in axes for step in steps for side in (-1, 1)]  # fmt: skip
    places = np.array(along).reshape(-1, len(middle))
    return np.where(whole, np.round(places), places)


def of_prior(variables: list[Variable], n_numbers: int, rng: np.random.Generator) -> NDArray:
    """Draws of the prior of variables of K numbers, ``(P, K)``; none where it has none."""
    none = np.empty((0, n_numbers))
    # Latent events of an energy would take chains.
    if any(isinstance(v.owner.op, EnergyRV) for v in variables):
        return none
    seed = int(rng.integers(2**31))
    try:
        drawn = pm.draw(variables, draws=_PRIOR_DRAWS, random_seed=seed, mode=VECTORISED)
    except (MissingInputError, NotImplementedError):  # a flat prior
        return none
    return np.concatenate([np.reshape(d, (_PRIOR_DRAWS, -1)) for d in drawn], axis=1)


def look_elsewhere(
    draws: NDArray,
    places: NDArray,
    heights: Callable[[NDArray], Heights],
    labels: list[str],
    whole: NDArray,
    limits: Limits,
) -> dict[str, Any]:
    """The best of some places, where it is above all draws beyond what noise explains.

    All places are looked at together. That says little where estimates have noise: one for many
    places at once may miss mass of the model at each, and then the log-probability is too high. So
    the best place is asked again, with others on the way to it, by estimates for it and the draws;
    and where that says nothing the next one is.

    Parameters
    ----------
    draws, places : ndarray
        ``(S, K)`` and ``(P, K)``.
    heights : callable
        Of places ``(P, K)``; raises CannotTell.
    labels : list of str
        By column, the name of the parameter.
    whole : ndarray of bool
        Which columns are whole numbers.
    limits : Limits

    Returns
    -------
    dict
        Fields of a `SecondEstimate`: "looked", and "elsewhere" or "doubts" where there are any.
    """
    draws = draws[:: max(len(draws) // _DRAWS, 1)]
    middle, sd = draws.mean(axis=0), draws.std(axis=0)
    far = lambda some: np.linalg.norm(some / np.where(sd > 0, sd, np.inf), axis=1)
    for reach in _REACHES:
        places = places[far(places - middle) <= reach]
        try:
            return {"looked": True} | _found(draws, places, heights, labels, whole, limits, far)
        except CannotTell:
            pass
    return {"looked": False}


def _found(draws, places, heights, labels, whole, limits, far) -> dict[str, Any]:
    middle = draws.mean(axis=0)
    _, excess, _ = heights(np.concatenate([draws, places])).gains(len(draws))
    for _ in range(_ASKED_AGAIN):
        if not (excess > _NATS).any():
            break
        best = places[np.argmax(excess)]
        closer = middle + _BETWEEN[:, None] * (best - middle)
        closer = np.where(whole, np.round(closer), closer)
        found = _said(heights(np.concatenate([draws, closer])), draws, closer, labels, limits)
        if found:
            return found
        left = far(places - best) > far(places - middle)
        places, excess = places[left], excess[left]
    return {}


def _said(
    heights: Heights, draws: NDArray, places: NDArray, labels: list[str], limits: Limits
) -> dict[str, Any]:
    """What log-probabilities at the draws and at places far from them say; nothing if lower."""
    gain, excess, error = heights.gains(len(draws))
    clear = excess - limits.contradiction_errors * error
    best = int(np.argmax(clear if (clear > _NATS).any() else excess))
    if not excess[best] > _NATS:
        return {}
    sd = draws.std(axis=0)
    away = np.abs(places[best] - draws.mean(axis=0)) / np.where(sd > 0, sd, np.inf)
    parameter, at = labels[int(np.argmax(away))], float(places[best, np.argmax(away)])
    if clear[best] > _NATS and not heights.doubts:
        return {"elsewhere": {"gain": float(gain[best]), "at": at, "parameter": parameter}}
    doubt = (
        f"Its log-probability is {give_or_take(float(gain[best]), float(error[best]))} nats higher "
        f"at {parameter} = {number(at, digits=3)} than at any of the draws, if it can be trusted "
        "there."
    )
    return {"doubts": (doubt, *heights.doubts)}
