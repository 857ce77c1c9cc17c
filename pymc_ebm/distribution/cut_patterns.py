"""Whether patterns of more points than their array has place for would have weight."""

from __future__ import annotations

import numpy as np

from pymc_ebm.distribution.events import Events
from pymc_ebm.distribution.pilot import PilotLikelihood
from pymc_ebm.energy.energy import Energy
from pymc_ebm.reference.base import Reference
from pymc_ebm.space._points import Points
from pymc_ebm.space.packing import places_for
from pymc_ebm.weights.normalised import normalise

__all__ = ["check_room"]


def check_room(
    energy: Energy,
    events: Events,
    reference: Reference,
    pilot: PilotLikelihood | None,
    *,
    most_nats: float = 0.05,
) -> None:
    r"""Refuse patterns that are cut off where the model goes on.

    Patterns of one point more than there is place for weigh, by those of n points and a place ξ
    that is uniform in the window W,

    .. math:: \frac{Z_{n+1}}{Z} = \sum_m \bar w_m 1(n_m = n) \frac{|W|}{n + 1}
              e^{E(x_m) − E(x_m ∪ ξ)}

    at the maximum of the likelihood. Of hard cores there may be no place for one more.

    Parameters
    ----------
    energy : Energy
    events : Events
    reference : Reference
    pilot : PilotLikelihood, optional
    most_nats : float
        Of the log-likelihood that is cut off.

    Raises
    ------
    ValueError
    """
    space = events.space
    if not isinstance(space, Points) or pilot is None or pilot.n_rows > 1:
        return
    [[row]] = pilot.chosen_rows([pilot.maximum(reference)])
    weights = normalise(pilot.log_weights(reference)([row])[0])[1]
    most, columns = reference.event_shape
    full = np.flatnonzero((reference.points[..., -1].sum(axis=1) == most) & (weights > 0))
    if not len(full):
        return
    low, high = np.array(space.window).T
    born = np.random.default_rng(0).uniform(low, high, size=(len(full), 1, columns - 1))
    born = np.concatenate([born, np.ones((len(full), 1, 1))], axis=2)
    before = reference.points[full]
    after = np.concatenate([before, born], axis=1)
    here, there = (
        energy.of_points_once(x.shape[1:], x.dtype, row).at_rows(x)([row])[0]
        for x in (before, after)
    )
    share = (weights[full] * np.exp(here - there)).sum() * space.volume / (most + 1)
    if len(events.flat) * share > most_nats:
        room = max(places_for(int(events.flat[..., -1].sum(axis=1).max())), 2 * most)
        raise ValueError(
            f"patterns have place for {most} points, and at the maximum of the likelihood those of "
            f"{most + 1} would have {share:.2g} of the weight. Make room, "
            f"pymc_ebm.space.pack(patterns, most={room})."
        )
