"""The verdict on a posterior whose normalisers were estimated, in words and numbers."""

import json
from typing import Any

import numpy as np
import xarray as xr

from pymc_ebm.diagnostics.provenance import stale_data
from pymc_ebm.diagnostics.words.findings import Findings
from pymc_ebm.diagnostics.words.judge_coverage import judge_coverage
from pymc_ebm.diagnostics.words.reference_report import ReferenceReport, Status
from pymc_ebm.diagnostics.words.worst_region import worst_region
from pymc_ebm.reference.chains.mbar import LEAST_OVERLAP
from pymc_ebm.weights.pareto_tails import khat_threshold

__all__ = ["added_error", "report"]

# Shares of the posterior sd that a reference may add to a mean or sd.
_GOOD_SHARE = 0.1
_WORST_SHARE = 0.5
# Share that the advice on the number of draws aims at.
_AIM = 0.05
# Bits of the posterior lost to the estimate (arXiv:2509.07221).
_MOST_BITS = 0.2
_SHARE_OF_HIGH_KHAT = 0.01
# Nats of the log-likelihood by which half the nodes of a quadrature may differ from all of them.
_GOOD_QUADRATURE_NATS = 0.01
_WORST_QUADRATURE_NATS = 0.5
# A Gaussian as wide as the distance of two nodes has 3.5 effective ones and an error of 1e-9.
_FEWEST_NODES = 3
# Nats by which a cut-off tail may move the log-likelihood at any draw.
_MOST_EDGE_NATS = 1e-8


def report(idata: xr.DataTree) -> ReferenceReport:
    """Judge what the estimated normalisers did to a posterior.

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

    Everything else is inconclusive. What no check can see, `check_coverage` lists.

    Parameters
    ----------
    idata : xr.DataTree
        After `compute_reference_stats`; the model is not needed.

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
    """
    missing = {"posterior", "reference_stats", "reference_mcse"} - set(idata.children)
    if missing:
        raise ValueError(
            f"The DataTree has no group {', '.join(sorted(missing))}. Run "
            "compute_reference_stats(idata) first."
        )
    stats = idata["reference_stats"].to_dataset()
    references = json.loads(stats.attrs["references"])
    found = Findings()
    posterior = idata["posterior"].to_dataset()[list(idata["reference_mcse"].data_vars)]
    for name in references:
        _judge_normaliser(name, stats.sel(ebm=name), references[name], posterior, found)
    attributes = idata["reference_stats"].attrs
    _judge_hull(json.loads(attributes.get("hull", "{}")), found)
    added = added_error(idata)
    random = [name for name, reference in references.items() if not reference["exact"]]
    if random:
        bits = float(idata["reference_mcse"].attrs["bits_lost"])
        _judge_added_error(added, bits, references, random, stats, posterior, found)
        coverage = json.loads(attributes.get("coverage", "{}"))
        for name in random:
            amplification = float(abs(stats["amplification"].sel(ebm=name)).mean())
            judge_coverage(name, coverage.get(name), amplification, found)
    for name, error in stats["elpd_mcse"].to_series().items():
        if error > 0:
            found.notes.append(
                f"The level of log Ẑ adds {error:.2g} nats to the standard error of the elpd of "
                f"{name} (LOO), and nothing to the posterior."
            )
    for name, reference in references.items():
        if not reference["absolute"]:
            found.notes.append(
                f"log Ẑ of {name} is known up to a constant. The posterior does not depend on it, "
                "but log-likelihoods, LOO and Bayes factors do: they need the log_partition of an "
                "anchor."
            )
    stale = stale_data(idata)
    if stale:
        found.doubts.append(f"Stale: {', '.join(stale)} changed since the posterior was sampled.")
        found.remedies.append(
            "Sample again, then run compute_reference_stats on the new posterior."
        )
    status: Status = "failed" if found.failures else "inconclusive" if found.doubts else "ok"
    exact = [] if random else ["Every normaliser is exact and nothing is cut off."]
    reasons = [*found.failures, *found.doubts, *(exact if status == "ok" else []), *found.notes]
    return ReferenceReport(
        status,
        tuple(reasons),
        tuple(dict.fromkeys(found.remedies)),
        {name: _row(stats.sel(ebm=name), references[name]) for name in references},
        added,
    )


def _judge_normaliser(name, stats, reference, posterior, found) -> None:
    log_z, khat = stats["log_partition"].to_numpy(), stats["pareto_k"].to_numpy()
    nearer = _nearer(name, reference)
    n_draws = log_z.size
    undefined = np.isnan(log_z) | np.isposinf(log_z)
    if undefined.any():
        found.failures.append(
            f"log Ẑ of {name} is not a number at {undefined.sum()} of {n_draws} draws."
        )
        found.remedies.append(f"Make the energy of {name} finite or +inf at every point.")
    empty = np.isneginf(log_z)
    if empty.any():
        found.failures.append(
            f"No point of {name} has any weight at {empty.sum()} of {n_draws} draws. "
            f"{worst_region(posterior, -stats['log_partition'])}"
        )
        found.remedies.append(nearer)
    unknown = np.isnan(khat) | np.isposinf(khat)
    if unknown.any():
        found.failures.append(
            f"k-hat of {name} is undefined at {unknown.sum()} of {n_draws} draws: a few points "
            f"carry all of the weight (least ESS {stats['ess'].min().item():.3g}). "
            f"{worst_region(posterior, stats['pareto_k'])}"
        )
        found.remedies.append(nearer)
    limit = khat_threshold(reference["n_points"])
    high = np.mean(khat > limit)
    if high > _SHARE_OF_HIGH_KHAT or (khat > 1).any():
        found.failures.append(
            f"k-hat of {name} is above {limit:.3g} at {100 * high:.3g}% of draws, at worst "
            f"{np.nanmax(khat):.3g}: the estimate rests on a few points. "
            f"{worst_region(posterior, stats['pareto_k'])}"
        )
        found.remedies.append(nearer)
    cut = (stats["edge_weight"] * np.maximum(abs(stats["amplification"]), 1)).to_numpy()
    if (cut > _MOST_EDGE_NATS).any():
        found.failures.append(
            f"The truncated space of {name} cuts off mass: weight at its edge times the "
            f"amplification is {cut.max():.3g}, and {_MOST_EDGE_NATS:g} is the most allowed."
        )
        found.remedies.append(
            f"Widen the space of {name}, or state complete=True if it ends there."
        )
    coarse = (stats["quadrature_error"] * np.maximum(abs(stats["amplification"]), 1)).to_numpy()
    # By symmetry half of the nodes may agree with all of them though the model falls in between.
    fewest = stats["ess"].min().item() if reference["quadrature"] else np.inf
    if not (coarse <= _GOOD_QUADRATURE_NATS).all() or fewest < _FEWEST_NODES:
        text = (
            f"The nodes of {name} do not resolve the model: half of them change the log-likelihood "
            f"by up to {coarse.max():.3g} nats, where {_GOOD_QUADRATURE_NATS:g} is the most "
            f"allowed, and {stats['ess'].min().item():.3g} are effective."
        )
        resolved = (coarse <= _WORST_QUADRATURE_NATS).all() and fewest >= _FEWEST_NODES
        (found.doubts if resolved else found.failures).append(text)
        found.remedies.append(
            f"Raise the order of the quadrature of {name}, or give bounds near the data; "
            "standardise data that are far from 0."
        )
    if len(reference.get("overlap", [])) > 1:
        _judge_overlap(name, reference, found)
    if reference["exact"] and not (reference["complete"] or reference["edge_known"]):
        found.doubts.append(f"The space of {name} is truncated and its edge is not known.")
        found.remedies.append(f"State complete=True if the space of {name} ends there.")


def _nearer(name, reference) -> str:
    """The remedy where too few points are where the model is."""
    if reference.get("selected"):
        return f"Give {name} more draws where the model is, through the same selection."
    if "overlap" in reference:
        return (
            f"Give {name} longer chains and anchors all around the posterior; where the states are "
            "few enough to count, ebm.reference.enumeration is exact."
        )
    return (
        f"Give {name} a reference of the model's shape and place, a little wider and with heavier "
        "tails; ebm.reference.fitted makes one from data."
    )


def _judge_hull(verdicts, found) -> None:
    for name, hull in verdicts.items():
        if hull["verdict"] == "outside":
            found.failures.append(
                f"The estimated likelihood of {name} has no maximum. {hull['reason']}"
            )
            found.remedies.append(
                f"Widen or re-centre the reference of {name}, so that its points surround the data."
            )


def _judge_overlap(name, reference, found) -> None:
    with_others = 1 - np.diag(np.array(reference["overlap"]))
    worst = int(with_others[: len(reference["anchors"])].argmin())
    if with_others[worst] < LEAST_OVERLAP:
        found.doubts.append(
            f"The chains of {name} at {reference['anchors'][worst]} overlap with no others: a "
            f"point of them belongs to others with probability {max(with_others[worst], 0.0):.2g}."
        )
        found.remedies.append(f"Place the anchors of {name} closer.")


def _judge_added_error(added, bits, references, random, stats, posterior, found) -> None:
    shares = np.array([list(row.values()) for row in added.values()])
    if np.isnan(shares).any() and min(references[name]["n_groups"] for name in random) > 1:
        found.failures.append("The added error is not a number.")
        return
    if np.isnan(shares).any():
        found.doubts.append("The added error is unknown: a single group of points shows no spread.")
        found.remedies.append(
            "Make the reference of several independent groups (runs, scramblings)."
        )
        return
    worst_name = max(added, key=lambda name: max(added[name].values()))
    worst = max(added[worst_name].values())
    thinnest = stats["ess"].sel(ebm=random)
    name = random[int(np.argmin(thinnest.min(("chain", "draw")).to_numpy()))]
    where = (
        f"The least ESS is {float(thinnest.min()):.3g}, of {name}. "
        f"{worst_region(posterior, -thinnest.sel(ebm=name))}"
    )
    text = f"The references add up to {100 * worst:.3g}% of the posterior sd ({worst_name})"
    if worst > _WORST_SHARE:
        found.failures.append(f"{text}, and {100 * _WORST_SHARE:g}% is the most allowed. {where}")
    elif worst > _GOOD_SHARE:
        found.doubts.append(f"{text}, and {100 * _GOOD_SHARE:g}% is good. {where}")
    else:
        found.notes.append(f"{text} to a mean or sd.")
    if bits > _MOST_BITS:
        found.doubts.append(
            f"The estimates lose {bits:.2g} bits of the posterior, and {_MOST_BITS:g} are good."
        )
    factor = max((worst / _AIM) ** 2, bits / _MOST_BITS)
    if worst > _GOOD_SHARE or bits > _MOST_BITS:
        draws = ", ".join(
            f"{int(np.ceil(factor * references[name]['n_points'])):,} for {name}" for name in random
        )
        better = (
            "; a better fitting or scrambled Sobol reference needs fewer. refine(idata) does it "
            "without sampling again."
            if all(references[name].get("remade", True) for name in random)
            else "."
        )
        found.remedies.append(
            f"Use {factor:.2g} times the draws ({draws}) to add less than {100 * _AIM:g}%{better}"
        )


def added_error(idata: xr.DataTree) -> dict[str, dict[str, float]]:
    """Share of its posterior sd that the references add to each parameter's "mean" and "sd"."""
    mcse = idata["reference_mcse"].to_dataset()
    sd = idata["posterior"].to_dataset()[list(mcse.data_vars)].std(("chain", "draw"))
    # A parameter that never moved has nothing to compare with, and nothing added either.
    shares = (mcse / sd).where((sd > 0) | (mcse != 0), 0.0)
    return {
        str(name): {
            statistic: float(share.sel(statistic=statistic).max(skipna=False))
            for statistic in ("mean", "sd")
        }
        for name, share in shares.data_vars.items()
    }


def _row(stats: xr.Dataset, reference: dict[str, Any]) -> dict[str, float]:
    return {
        "points": reference["n_points"],
        "ess_min": float(stats["ess"].min(skipna=False)),
        "khat_max": float(stats["pareto_k"].max(skipna=False)),
        "khat_threshold": khat_threshold(reference["n_points"]),
        "log_partition_mcse_max": float(stats["log_partition_mcse"].max(skipna=False)),
        "amplification_mean": float(stats["amplification"].mean(skipna=False)),
        "loglik_sd": float(np.sqrt(stats["loglik_variance"].mean(skipna=False))),
    }
