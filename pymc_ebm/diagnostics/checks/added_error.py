"""What the draws of the references add to posterior means and standard deviations."""

import numpy as np

from pymc_ebm.diagnostics.checks.check import Check, Draws, Finding, Words
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.words.worst_region import worst_region
from pymc_ebm.reference.sizes import times_needed

__all__ = ["AddedError", "added_error"]


class AddedError(Check):
    """Shares of posterior sds, and bits of information, by the group ``reference_mcse``."""

    name = "added_error"

    def judge(self, finding: Finding, limits: Limits) -> Words:
        """Of all random references together."""
        draws = finding.draws
        if not draws.random:
            return Words()
        added = added_error(draws)
        shares = np.array([list(row.values()) for row in added.values()])
        if np.isnan(shares).any():
            return _unknown(draws)
        worst_name = max(added, key=lambda name: max(added[name].values()))
        worst, bits = max(added[worst_name].values()), float(draws.mcse.attrs["bits_lost"])
        words = Words()
        text = f"The references add up to {100 * worst:.3g}% of the posterior sd ({worst_name})"
        if worst > limits.added_share:
            words.doubts.append(
                f"{text}, and {100 * limits.added_share:g}% is good. {_least_ess(draws)}"
            )
        else:
            words.notes.append(f"{text} to a mean or sd.")
        if bits > limits.bits_lost:
            words.doubts.append(
                f"The estimates lose {bits:.2g} bits of the posterior, and {limits.bits_lost:g} "
                "are good."
            )
        if worst > limits.added_share or bits > limits.bits_lost:
            times = times_needed(
                worst, bits, wanted_share=limits.aimed_share, wanted_bits=limits.bits_lost
            )
            words.remedies.append(_more_draws(times, draws, limits))
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


def _unknown(draws) -> Words:
    if min(draws.references[name]["n_groups"] for name in draws.random) > 1:
        return Words(doubts=["The added error is not a number."])
    return Words(
        doubts=["The added error is unknown: a single group of points shows no spread."],
        remedies=["Make the reference of several independent groups (runs, scramblings)."],
    )


def _least_ess(draws) -> str:
    thinnest = draws.statistics["ess"].sel(ebm=draws.random)
    name = draws.random[int(np.argmin(thinnest.min(("chain", "draw")).to_numpy()))]
    return (
        f"The least ESS is {float(thinnest.min()):.3g}, of {name}. "
        f"{worst_region(draws.posterior, -thinnest.sel(ebm=name))}"
    )


def _more_draws(times, draws, limits) -> str:
    references = {name: draws.references[name] for name in draws.random}
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
        f"Use {times:.2g} times the draws ({numbers}) to add less than "
        f"{100 * limits.aimed_share:g}%{better}"
    )
