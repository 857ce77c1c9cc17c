"""`second_estimate`: every normaliser of a model estimated again, and what that would change."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.diagnostics.second_estimate.comparison import Comparison
from pymc_ebm.diagnostics.second_estimate.question import CannotTell

__all__ = ["SecondEstimate", "second_estimate"]


@dataclass(frozen=True)
class SecondEstimate:
    """What a second estimate of the normalisers says of a posterior.

    Attributes
    ----------
    made : bool
        Whether every normaliser was estimated again.
    why : str
        Why not, as a sentence, where it was not.
    ways : dict of str
        By normaliser: how it was estimated again.
    given : tuple of str
        Normalisers whose draws are what a selection has left, which nothing can repeat.
    unseen : tuple of str
        What the second estimates cannot see either.
    doubts : tuple of str
        Reasons not to trust them.
    shifts : dict of dict
        By parameter, of its worst element: ``mean`` in posterior sds, ``mean_se``, ``log_sd``,
        the log of the ratio of sds, and ``log_sd_se``.
    change_sd, noise_sd, effective : float
        As in `Shift`.
    looked : bool
        Whether the log-probability was looked at far from the draws.
    elsewhere : dict
        The value ``at`` which a ``parameter`` makes the log-probability higher than at all draws,
        far from them, and by how many nats, ``gain``; empty where none was found.
    levels : dict
        By normaliser whose log Z is known in full: how far the second estimate of it is above the
        first, and the standard error of that, in nats.
    draws : int
        Posterior draws that were compared.
    seconds : float
        What it took, of processor time.
    """

    made: bool
    why: str = ""
    ways: dict[str, str] = field(default_factory=dict)
    given: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    shifts: dict[str, dict[str, float]] = field(default_factory=dict)
    change_sd: float = np.nan
    noise_sd: float = np.nan
    effective: float = np.nan
    looked: bool = False
    elsewhere: dict[str, Any] = field(default_factory=dict)
    levels: dict[str, list[float]] = field(default_factory=dict)
    draws: int = 0
    seconds: float = 0.0


def second_estimate(
    posterior: xr.Dataset,
    normalisers: Normalisers,
    stats: xr.Dataset,
    *,
    draws: int = 250,
    seconds: float = 10.0,
    limits: Limits | None = None,
    random_seed=0,
) -> SecondEstimate:
    r"""Estimate every normaliser of a posterior again, by another way, and compare.

    Where the log-probability is linear in log Z, as it is but in mixtures, its change is
    :math:`Δ_s = −\sum_r c_r (\log Z^B_r − \log Z^A_r)`; else log Z of the second estimate is put
    into the model's own log-probability.

    Parameters
    ----------
    posterior : xr.Dataset
        Draws of the free parameters on their own scale, by chain and draw.
    normalisers : Normalisers
        On that scale.
    stats : xr.Dataset
        ``log_partition`` and ``amplification`` by chain, draw and normaliser.
    draws : int
        Of the posterior, evenly thinned, at which to compare: fewer where rows of parameters are
        many or the estimates have noise.
    seconds : float
        Of processor time: estimates with noise get more points until their word is clear, or this
        is over.
    limits : Limits, optional
        Which words are clear.
    random_seed : optional
        Of the estimates with noise.

    Returns
    -------
    SecondEstimate
    """
    began = time.thread_time()
    limits = Limits() if limits is None else limits
    try:
        # It looks at places far out on purpose, where energies overflow.
        with np.errstate(over="ignore", invalid="ignore"):
            comparison = Comparison(posterior, normalisers, stats, draws)
            found = comparison.result(seconds, limits, np.random.default_rng(random_seed))
    except CannotTell as reason:
        return SecondEstimate(False, str(reason), seconds=time.thread_time() - began)
    return SecondEstimate(**found, seconds=time.thread_time() - began)
