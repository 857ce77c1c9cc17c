"""What the draws of the references add to posterior means and standard deviations."""

import numpy as np
from scipy import stats

from pymc_ebm.diagnostics.checks.check import Check, Draws, Finding, Words
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.second_estimate.agreement import Realised
from pymc_ebm.diagnostics.words.worst_region import worst_region
from pymc_ebm.numbers import number, percent
from pymc_ebm.reference.sizes import times_needed

__all__ = ["AddedError", "added_error"]

_SEVERAL_GROUPS = (
    "Make the reference of several independent groups (runs, scramblings), 16 or more."
)


class AddedError(Check):
    """Shares of posterior sds, and bits of information, by the group ``reference_mcse``.

    A standard error that a few groups tell counts for as much more as 95% of Student's t with one
    degree of freedom less than groups reach further than those of a normal law: 6.5 times for two.
    """

    name = "added_error"

    def judge(self, finding: Finding, limits: Limits) -> Words:
        """Of all random references together: what any points made alike would add.

        Or what these have added, where a second estimate has measured it.
        """
        draws, realised = finding.draws, finding.realised
        if not draws.random:
            return Words()
        name, share = _worst(added_error(draws))
        groups = min(draws.references[name]["n_groups"] for name in draws.random)
        worst = share * float(stats.t.ppf(0.975, groups - 1) / stats.norm.ppf(0.975))
        bits = float(draws.mcse.attrs["bits_lost"])
        of = f"{name}{_by(draws)}"
        text = f"The references add up to {percent(worst)} of the posterior sd ({of})"
        if worst > 1.1 * share:
            text += f", by Student's t of {groups} groups,"
        if worst <= limits.added_share and bits <= limits.bits_lost:
            return Words(notes=[f"{text} to a mean or sd."])
        if realised is not None and _is_good(realised, limits):
            return Words(notes=[_measured(name, worst, bits, realised, draws, limits)])
        if np.isnan(worst):
            return _unknown(draws)
        few = share <= limits.added_share and bits <= limits.bits_lost
        remedy = _SEVERAL_GROUPS if few else _more_draws(share, bits, draws, limits)
        words = Words(remedies=[remedy])
        if worst > limits.added_share:
            words.doubts.append(
                f"{text.rstrip(',')}, and {percent(limits.added_share)} is good. "
                f"{_least_ess(draws)}"
            )
        if bits > limits.bits_lost:
            words.doubts.append(
                f"The estimates lose {number(bits)} bits of the posterior, and "
                f"{number(limits.bits_lost)} are good."
            )
        return words


def added_error(draws: Draws) -> dict[str, dict[str, float]]:
    """Share of its posterior sd that the references add to each parameter's "mean" and "sd"."""
    mcse = draws.mcse
    sd = draws.posterior[list(mcse.data_vars)].std(("chain", "draw"))
    # A parameter that never moved has nothing to compare with, and nothing added either.
    shares = (mcse / sd).where((sd > 0) | (mcse != 0), 0.0)
    return {
        str(name): {
            statistic: float(share.sel(statistic=statistic).max(skipna=False))
            for statistic in ("mean", "sd")
        }
        for name, share in shares.data_vars.items()
    }


def _worst(shares: dict[str, dict[str, float]]) -> tuple[str, float]:
    """The parameter of the largest share and that share; NaN where one is not known."""
    largest = {name: float(np.max(list(row.values()))) for name, row in shares.items()}
    name = max(largest, key=lambda n: np.nan_to_num(largest[n], nan=np.inf))
    return name, largest[name]


def _is_good(realised: Realised, limits: Limits) -> bool:
    return _worst(realised.shares)[1] <= limits.added_share and realised.bits <= limits.bits_lost


def _measured(name, worst, bits, realised: Realised, draws, limits) -> str:
    """Of points that are too few by their forecast, and have done well all the same."""
    share = f"{percent(worst)} of the posterior sd ({name})"
    alike = f"add some {share} and lose {number(bits)} bits"
    if np.isnan(worst):
        alike = "add an error that is not known"
    return (
        f"Other points made alike would {alike}, where {percent(limits.added_share)} and "
        f"{number(limits.bits_lost)} bits are good. By the second estimate these have added at "
        f"most {percent(_worst(realised.shares)[1])} and lost {number(realised.bits)}: the "
        "posterior stands, and with other points it might not. "
        f"{_more_draws(worst, bits, draws, limits)}"
    )


def _unknown(draws) -> Words:
    if min(draws.references[name]["n_groups"] for name in draws.random) > 1:
        return Words(doubts=["The added error is not a number."])
    return Words(
        doubts=["The added error is unknown: a single group of points shows no spread."],
        remedies=[_SEVERAL_GROUPS],
    )


def _by(draws: Draws) -> str:
    """How many draws that is of, where they were thinned."""
    of, all_draws = (
        int(np.prod([d.sizes[dim] for dim in ("chain", "draw")]))
        for d in (draws.statistics, draws.posterior)
    )
    return "" if of == all_draws else f", by {of:,} of {all_draws:,} draws"


def _least_ess(draws) -> str:
    thinnest = draws.statistics["ess"].sel(ebm=draws.random)
    name = draws.random[int(np.argmin(thinnest.min(("chain", "draw")).to_numpy()))]
    return (
        f"The least ESS is {number(thinnest.min())}, of {name}. "
        f"{worst_region(draws.with_statistics, -thinnest.sel(ebm=name))}"
    )


def _more_draws(worst, bits, draws, limits) -> str:
    if np.isnan(worst):
        return _SEVERAL_GROUPS
    times = times_needed(worst, bits, wanted_share=limits.aimed_share, wanted_bits=limits.bits_lost)
    references = {name: draws.references[name] for name in draws.random}
    many = [n for n, r in references.items() if times * r["n_points"] > limits.most_draws]
    if many:
        return (
            f"It would take {number(times)} times the draws: give {', '.join(many)} a reference of "
            "another kind, ebm.reference.annealed or an exact one."
        )
    numbers = ", ".join(
        f"{int(np.ceil(times * r['n_points'])):,} for {name}" for name, r in references.items()
    )
    better = (
        "; a better fitting or scrambled Sobol reference needs fewer. refine(idata) does it "
        "without sampling again."
        if all(r.get("remade", True) for r in references.values())
        else "."
    )
    return (
        f"Use {number(times)} times the draws ({numbers}) to add less than "
        f"{percent(limits.aimed_share)}{better}"
    )
