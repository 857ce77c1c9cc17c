"""A law that a user gives as two functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["Proposal"]


class Proposal(NamedTuple):
    """The distribution behind a weighted set of points, where its density is known anywhere.

    Any `Law` serves as well, such as those that references make themselves.

    Attributes
    ----------
    draw : callable or None
        ``draw(rng, draws, *params)`` gives fresh independent draws, ``(draws, *event)``, from a
        ``numpy.random.Generator``. A fixed proposal ignores the parameters. None where somebody
        else made the draws.
    log_density : callable
        ``log_density(points, *params)`` gives log q in nats, ``(draws,)``, of points
        ``(draws, *event)``; −inf outside q's support.

    Examples
    --------
    >>> import pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(0, 3), random_seed=1).proposal
    >>> y = q.draw(np.random.default_rng(2), 1000)
    >>> q.log_density(y).shape
    (1000,)
    """

    draw: Callable[..., np.ndarray] | None
    log_density: Callable[..., np.ndarray]
