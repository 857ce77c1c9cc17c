"""The verdict on a posterior whose normalisers were estimated, in words and numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from pymc_ebm.diagnostics.checks import CHECKS, Check, EstimatedTwice, Finding, Words
from pymc_ebm.diagnostics.checks.added_error import added_error
from pymc_ebm.diagnostics.checks.estimated_twice import agrees
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.record import Record
from pymc_ebm.diagnostics.words.reference_report import ReferenceReport, Status
from pymc_ebm.weights.pareto_tails import khat_threshold

__all__ = ["judged", "report"]


def report(
    idata: xr.DataTree, *, limits: Limits | None = None, checks: Sequence[Check] = CHECKS
) -> ReferenceReport:
    """Judge what the estimated normalisers did to a posterior.

    First it says what the chains themselves do not allow: with an R-hat above 1.01 or fewer than
    400 effective draws of a parameter it is inconclusive at best.

    ========  =====================================================================================
    failed    log Ẑ is NaN or −inf at a draw; k-hat is NaN, above 1 at a draw, or above
              min(1 − 1/log10 M, 0.7) at more than 1% of draws; the added error of a mean or sd is
              above 50% of the posterior sd; a truncated space cuts off more than 1e-8/c; half the
              nodes of a quadrature change the log-likelihood by more than 0.5 nats; the mean
              statistics of the data lie outside the hull of the points' (see `check_hull`); data
              or a mode of the energy lie where no points are, or halves of the points contradict
              each other by more than 2 nats of the log-likelihood (see `check_coverage`)
    ok        every check was made and passed, the added error of every mean and sd is at most 10%
              of the posterior sd, and at most 0.2 bits of information are lost; exact references
              are complete or of negligible weight at their edge, and half the nodes of a
              quadrature change the log-likelihood by less than 0.01 nats
    ========  =====================================================================================

    Everything else is inconclusive. What no check can see, `check_coverage` lists. Each number is
    one of `Limits`, and each question one of the list `CHECKS`.

    Parameters
    ----------
    idata : xr.DataTree
        After `compute_reference_stats`; the model is not needed.
    limits : Limits, optional
        What is allowed.
    checks : sequence of Check
        The questions, ``[*CHECKS, MyCheck()]`` with one of your own. What it measures is stored if
        `compute_reference_stats` has had it as well.

    Returns
    -------
    ReferenceReport

    Raises
    ------
    ValueError
        If `idata` has no reference statistics.

    References
    ----------
    A. Vehtari et al. (2024), "Pareto smoothed importance sampling", for k-hat; J. Heinzel and
    S. Vitale, arXiv:2509.07221, for judging by the error of the posterior.

    Examples
    --------
    A posterior of two draws; usually it is what ``pm.sample`` returns.

    >>> import arviz as az, numpy as np, pymc as pm, pymc_ebm as ebm
    >>> grid = ebm.reference.quadrature(-np.inf, np.inf)
    >>> gaussian = lambda x, s: x**2 / (2 * s**2)
    >>> with pm.Model() as model:
    ...     sigma = pm.HalfNormal("sigma", 5)
    ...     x = ebm.EBM("x", sigma, energy=gaussian, reference=grid, observed=[-1.0, 0.5, 2.0])
    >>> idata = az.from_dict({"posterior": {"sigma": np.array([[1.0, 1.5]])}})
    >>> idata = ebm.compute_reference_stats(idata, model=model, progressbar=False)
    >>> ebm.report(idata).status
    'ok'

    A bit of information may be lost, where 0.2 bits are allowed by default:

    >>> ebm.report(idata, limits=ebm.diagnostics.Limits(bits_lost=1.0)).status
    'ok'
    """
    return judged(Record.read(idata, checks), checks, limits)


def judged(record: Record, checks: Sequence[Check], limits: Limits | None) -> ReferenceReport:
    """The report that checks make of a record."""
    words, draws, limits = Words(), record.draws, limits or Limits()
    twice = record.measured.get(EstimatedTwice.name)
    every = twice is not None and twice["made"] and not twice["given"]
    agreed = every and agrees(twice, limits)
    for check in checks:
        said = check.judge(Finding(record.measured.get(check.name), draws), limits)
        if check.suspects and agreed:
            said = said.as_notes()
        elif check.suspects and every and not words.failures:
            said = said.as_doubts()
        words += said
    status: Status = "ok"
    if words.premises or words.doubts:
        status = "inconclusive"
    if words.failures:
        status = "failed"
    return ReferenceReport(
        status,
        (*words.premises, *words.failures, *words.doubts, *words.notes),
        tuple(dict.fromkeys(words.remedies)),
        {name: _row(draws.of(name), reference) for name, reference in draws.references.items()},
        added_error(draws),
        tuple(name for name, r in draws.references.items() if not r["absolute"]),
    )


def _row(stats: xr.Dataset, reference: Mapping[str, Any]) -> dict[str, float]:
    return {
        "points": reference["n_points"],
        "ess_min": float(stats["ess"].min(skipna=False)),
        "khat_max": float(stats["pareto_k"].max(skipna=False)),
        "khat_threshold": khat_threshold(reference["n_points"]),
        "log_partition_mcse_max": float(stats["log_partition_mcse"].max(skipna=False)),
        "amplification_mean": float(stats["amplification"].mean(skipna=False)),
        "loglik_sd": float(np.sqrt(stats["loglik_variance"].mean(skipna=False))),
    }
