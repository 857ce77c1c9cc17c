"""Whether the chains have mixed and are long enough for anything to be said."""

import arviz as az
import numpy as np
import xarray as xr
from scipy import stats

from pymc_ebm.diagnostics.checks.check import Check, Finding, Words
from pymc_ebm.diagnostics.limits import Limits
from pymc_ebm.diagnostics.words.element_name import element_name
from pymc_ebm.numbers import number

__all__ = ["Chains"]


class Chains(Check):
    """R-hat and effective draws of the parameters, without which no other word is worth much.

    References
    ----------
    A. Vehtari et al. (2021), "Rank-normalization, folding, and localization: an improved R-hat for
    assessing convergence of MCMC", Bayesian Analysis 16, for R-hat of 1.01 and 400 effective draws.
    """

    name = "chains"
    before_sampling = False

    def measure(self, normalisers, draws):
        """The worst element of all parameters by R-hat, and by effective draws."""
        posterior = draws.posterior
        found = {
            "chains": posterior.sizes["chain"],
            "draws": posterior.sizes["draw"],
            "elements": sum(v.size for v in posterior.isel(chain=0, draw=0).values()),
        }
        if posterior.sizes["chain"] < 2 or posterior.sizes["draw"] < 4:
            return found
        # A parameter that never moves has no R-hat, and is no sign of anything.
        moving = posterior[[n for n, v in posterior.items() if v.min() < v.max()]]
        if not moving.data_vars:
            return found
        with np.errstate(invalid="ignore"):
            found["rhat"] = _worst(az.rhat(moving), np.nanargmax)
            least = np.minimum(az.ess(moving, method="bulk"), az.ess(moving, method="tail"))
        found["ess"] = _worst(least, np.nanargmin)
        return found

    def judge(self, finding: Finding, limits: Limits) -> Words:
        """Nothing of other posteriors than chains that are long enough to tell."""
        words, found = Words(), finding.measured
        if found is None:
            return words
        chains, draws = found["chains"], found["draws"]
        if "rhat" not in found or chains * draws < limits.fewest_draws:
            words.notes.append(
                f"Whether the chains have mixed was not looked at: that takes two of them or more, "
                f"and {limits.fewest_draws:,} draws. Here are {chains} with {draws:,} each."
            )
            return words
        name, rhat = found["rhat"]
        by_chance = _rhat_by_chance(chains, draws, limits.rhat_chance / max(found["elements"], 1))
        if not rhat <= max(limits.rhat, by_chance):
            words.premises.append(
                f"The chains have not mixed: R-hat of {name} is {number(rhat, digits=4)}, and "
                f"{number(max(limits.rhat, by_chance), digits=3)} is the most allowed."
            )
        name, size = found["ess"]
        fewest = min(limits.effective_draws, chains * draws / 2)
        if not size >= fewest:
            words.premises.append(
                f"The posterior of {name} has {number(size)} effective draws, and "
                f"{number(fewest)} are the fewest allowed."
            )
        if words.premises:
            words.remedies.append(
                "Sample longer; if R-hat stays, see with az.plot_trace where the chains part."
            )
        return words


def _worst(values: xr.Dataset, argworst) -> list:
    """Name and value of the worst element of all variables."""
    found = {}
    for array in values.data_vars.values():
        flat = array.to_numpy().ravel()
        if np.isfinite(flat).any():
            i = int(argworst(flat))
            found[element_name(array, i)] = float(flat[i])
    names, numbers = list(found), np.array(list(found.values()))
    worst = int(argworst(numbers)) if len(numbers) else None
    return ["", float("nan")] if worst is None else [names[worst], float(numbers[worst])]


def _rhat_by_chance(chains: int, draws: int, chance: float) -> float:
    """An R-hat that as many independent draws exceed with a given chance, by Fisher's F.

    R-hat compares the two halves of every chain, so there are twice as many, half as long.
    """
    halves, length = 2 * chains, draws // 2
    ratio = stats.f(halves - 1, halves * (length - 1)).isf(chance)
    return float(np.sqrt((length - 1 + ratio) / length))
