"""The verdict on a posterior whose normalisers were estimated, in words and numbers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from pymc_ebm.diagnostics.checks import CHECKS, Check, EstimatedTwice, Finding, Words
from pymc_ebm.diagnostics.checks.added_error import added_error
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.record import Record
from pymc_ebm.diagnostics.second_estimate.agreement import realised
from pymc_ebm.diagnostics.words.reference_report import ReferenceReport, Status
from pymc_ebm.weights.pareto_tails import khat_threshold

__all__ = ["judged", "report"]


def report(
    idata: xr.DataTree, *, limits: Limits | None = None, checks: Sequence[Check] = CHECKS
) -> ReferenceReport:
    """Judge what the estimated normalisers did to a posterior.

    Its first line has the word and why, by the check that decided. With an R-hat above 1.01 or
    fewer than 400 effective draws of a parameter it is inconclusive at best, whatever else is
    found.

    It puts a second estimate of every normaliser, which shares neither points nor weights with
    the first, in its place: by quadrature on nodes of its own, by sums over whole numbers or
    all states, by annealing in several dimensions and over many sites.

    ========  =====================================================================================
    ok        with the second estimate no mean moves by more than 0.15 posterior sds and no sd by
              more than 10%, two standard errors included; the levels of log Z agree; the points
              add at most 10% of a posterior sd and lose at most 0.2 bits, by their own forecast
              or, where that says more, as the second estimate measures it
    failed    a mean moves by more than 0.3 sds, or an sd by a factor beyond e^0.25, with three
              standard errors; the posterior lies elsewhere, so that less than 5% of the draws stay
              effective, or its maximum; log Ẑ is NaN or −inf at a draw; the mean statistics of the
              data lie outside the hull of the points' (see `check_hull`), and the second estimate
              does not give the same posterior all the same
    ========  =====================================================================================

    Signs of a wrong estimate explain what is found: a high k-hat, weight at the edge of a truncated
    space, nodes of a quadrature that half of them contradict, data or modes of the energy where no
    points are, halves of the points that differ (see `check_coverage`). Where two estimates agree
    they are notes, and else reasons to doubt; alone they fail no posterior. Where no second
    estimate can be made the report is never ok. Draws that a selection has left (``total_draws``)
    cannot be estimated again: what is said of them rests on the draws alone, and the headline says
    so.

    Everything else is inconclusive. What two estimates cannot see: a mode that neither data nor any
    search finds, and an energy or a space that is not the one that was meant. Each number is one of
    `Limits`, and each question one of the list `CHECKS`.

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
    if not isinstance(limits, Limits | None):
        raise TypeError(
            f"limits is a {type(limits).__name__}. Give diagnostics.Limits(rhat=1.02), say."
        )
    words, draws, limits = Words(), record.draws, limits or Limits()
    twice = record.measured.get(EstimatedTwice.name)
    by_second = realised(twice, limits)
    for check in checks:
        said = check.judge(Finding(record.measured.get(check.name), draws, by_second), limits)
        words += said.as_notes() if check.suspects and by_second else said
    status: Status = "ok"
    if words.premises or words.doubts:
        status = "inconclusive"
    if words.failures:
        status = "failed"
    grounds = words.grounds or ["No check has found anything against it."] * (status == "ok")
    return ReferenceReport(
        status,
        (*words.failures, *words.premises, *words.doubts, *grounds, *words.notes),
        tuple(dict.fromkeys(words.remedies)),
        {name: _row(draws.of(name), reference) for name, reference in draws.references.items()},
        added_error(draws),
        tuple(name for name, r in draws.references.items() if not r["absolute"]),
        tuple(twice["given"]) if twice else (),
        draws.left_out,
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
