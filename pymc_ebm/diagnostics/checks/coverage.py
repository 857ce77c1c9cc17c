"""Whether the points reach all of the model, and agree with one another."""

from dataclasses import asdict

from scipy import stats

from pymc_ebm.diagnostics.checks.check import Check, Finding, Words
from pymc_ebm.diagnostics.coverage._coverage import check_coverage
from pymc_ebm.diagnostics.coverage.at_draw import IMPROBABLE
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.numbers import number, percent

__all__ = ["Coverage"]


class Coverage(Check):
    """Data, modes and halves of the points: see `check_coverage`."""

    name = "coverage"
    suspects = True

    def measure(self, normalisers, draws):
        """A `CoverageVerdict` for each normaliser."""
        verdicts = check_coverage(draws.posterior, normalisers)
        return {name: asdict(verdict) for name, verdict in verdicts.items()}

    def judge(self, finding: Finding, limits: Limits) -> Words:
        """Of every random reference."""
        words, draws = Words(), finding.draws
        for name in draws.random:
            found = (finding.measured or {}).get(name)
            near_only = finding.realised is not None and not finding.realised.looked
            # Mass that is missed alike at all draws moves neither the posterior there nor a level
            # that nobody knows. Far from the draws its share may be another.
            unseen = near_only and not draws.references[name]["absolute"]
            words += _of_reach(name, found, limits.missed_share if unseen else 1.0)
            if found is not None:
                amplification = float(abs(draws.of(name)["amplification"]).mean())
                words += _of_halves(name, found, amplification, limits)
                words += _of_fit(name, found, limits)
            words += _of_shards(name, draws.references[name].get("shards", 1))
        return words


def _of_reach(name, found, most_missed) -> Words:
    if found is None or found["verdict"] == "not checked":
        why = found["reason"] if found else "Run compute_reference_stats again."
        return Words(
            doubts=[f"Whether the points of {name} reach all of the model is not known. {why}"],
            remedies=[
                f"Compare the posterior with that of a wider reference of {name}, or of quadrature "
                "or enumeration where these are possible."
            ],
        )
    if found["verdict"] == "missed":
        against = [f"The points of {name} miss a part of the model. {found['reason']}"]
        stays = found["missed_mass"] > most_missed
        return Words(
            premises=against if stays else [],
            doubts=[] if stays else against,
            remedies=[
                f"Give {name} a reference that reaches there: fitted to all of the data, wider, or "
                "with a component at each mode."
            ],
        )
    return Words(notes=[f"{name}: {found['reason']}"])


def _of_halves(name, found, amplification, limits) -> Words:
    if found["halves_p"] >= limits.halves_chance:
        return Words()
    nats = amplification * found["halves_nats"]
    return Words(
        doubts=[
            f"Two halves of the points of {name} differ by {number(nats)} nats in how the "
            "log-likelihood changes from one posterior draw to another, beyond what chance "
            f"explains (p = {number(found['halves_p'], digits=1)}): they are no sample of one "
            "distribution."
        ],
        remedies=[
            f"Run the chains of {name} longer and from several starts, or pool them over anchors "
            "at which they mix."
        ],
    )


def _of_shards(name, shards) -> Words:
    if shards == 1:
        return Words()
    return Words(
        notes=[
            f"Data, modes and the hull of {name} were looked at with the points of the first of "
            f"{shards} shards alone. Errors, ESS and k-hat are those of all."
        ]
    )


def _of_fit(name, found, limits) -> Words:
    misfits, n_data = found["misfits"], found["n_data"]
    if not misfits or stats.binom(n_data, IMPROBABLE).sf(misfits - 1) >= limits.misfit_chance:
        return Words()
    return Words(
        notes=[
            f"{misfits} of {n_data} data of {name} have energies that only "
            f"{percent(IMPROBABLE)} of the model exceeds. That is a misfit of the model and "
            "no fault of the reference."
        ]
    )
