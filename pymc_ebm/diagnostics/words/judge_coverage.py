"""What the search for missed mass, the halves and the data mean for a report."""

from typing import Any

from scipy import stats

from pymc_ebm.diagnostics.words.findings import Findings

__all__ = ["judge_coverage"]

# Chance that halves of sound points are as far apart as this counts; and nats of the log-likelihood
# between two posterior draws in which unsound ones spoil the posterior.
_CHANCE = 1e-4
_WORST_NATS = 2.0
# Share of the data that a model gives its highest energies, and the chance of more by luck.
_IMPROBABLE = 1e-3
_LUCK = 1e-6


def judge_coverage(
    name: str, coverage: dict[str, Any] | None, amplification: float, found: Findings
) -> None:
    """Add what a `CoverageVerdict` says of one normaliser.

    Parameters
    ----------
    name : str
    coverage : dict or None
        Its fields.
    amplification : float
        Mean of the absolute value.
    found : Findings
    """
    if coverage is None or coverage["verdict"] == "not checked":
        why = coverage["reason"] if coverage else "Run compute_reference_stats again."
        found.doubts.append(
            f"Whether the points of {name} reach all of the model is not known. {why}"
        )
        found.remedies.append(
            f"Compare the posterior with that of a wider reference of {name}, or of quadrature or "
            "enumeration where these are possible."
        )
    elif coverage["verdict"] == "missed":
        found.failures.append(
            f"The points of {name} miss a part of the model. {coverage['reason']}"
        )
        found.remedies.append(
            f"Give {name} a reference that reaches there: fitted to all of the data, wider, or "
            "with a component at each mode."
        )
    else:
        found.notes.append(f"{name}: {coverage['reason']}")
    if coverage is not None:
        _judge_halves(name, coverage, amplification, found)
        _judge_fit(name, coverage, found)


def _judge_halves(name, coverage, amplification, found) -> None:
    if coverage["halves_p"] >= _CHANCE:
        return
    nats = amplification * coverage["halves_nats"]
    text = (
        f"Two halves of the points of {name} differ by {nats:.3g} nats in how the log-likelihood "
        "changes from one posterior draw to another, beyond what chance explains "
        f"(p = {coverage['halves_p']:.1g}): they are no sample of one distribution."
    )
    (found.failures if nats > _WORST_NATS else found.doubts).append(text)
    found.remedies.append(
        f"Run the chains of {name} longer and from several starts, or pool them over anchors at "
        "which they mix."
    )


def _judge_fit(name, coverage, found) -> None:
    misfits, n_data = coverage["misfits"], coverage["n_data"]
    if misfits and stats.binom(n_data, _IMPROBABLE).sf(misfits - 1) < _LUCK:
        found.notes.append(
            f"{misfits} of {n_data} data of {name} have energies that only "
            f"{100 * _IMPROBABLE:g}% of the model exceeds. That is a misfit of the model and no "
            "fault of the reference."
        )
