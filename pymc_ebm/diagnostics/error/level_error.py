"""What the level of log Ẑ adds to a model's log-likelihood, and so to its elpd."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.sums.sharded_log_weights import GroupsOfShards
from pymc_ebm.reference.base import Reference

__all__ = ["LevelError"]


class LevelError:
    r"""Running sums for the Monte Carlo standard error of elpd by the draws of the references.

    .. math:: φ_m = -\operatorname{E}_s \bigl[\textstyle\sum_r c_r(s) \bar w_{mr}(s)\bigr]

    An error of log Ẑ that is the same at every draw cancels in the posterior and shifts
    :math:`\mathrm{elpd} = \sum_n \log p(x_n \mid x)`, also as LOO estimates it, by c times as much.
    That the posterior moves with the reference is of second order: it lies where the likelihood is
    flat. Memory grows neither with the points nor with the draws.

    Parameters
    ----------
    references : dict of Reference or GroupsOfShards
        By variable and fingerprint. Components of a mixture that share a reference have their
        influences added.
    most_sums : int
        Beyond which groups of points are merged.
    """

    def __init__(
        self,
        references: Mapping[tuple[str, str], Reference | GroupsOfShards],
        *,
        most_sums: int = 2**18,
    ):
        self._references = references
        self._sums = {key: r.group_sums(most_sums) for key, r in references.items()}
        self._amplification = dict.fromkeys(references, 0.0)

    def add(self, key: tuple[str, str], points: slice, influence: NDArray) -> None:
        """Take in Σ_r c_r w̄_mr of a slice of the points at one draw, ``(B,)``."""
        self._sums[key].add(points, influence)

    def add_amplification(self, key: tuple[str, str], total: float) -> None:
        """Take in Σ_r c_r of one draw: how often an error of the level itself counts."""
        self._amplification[key] += total

    def result(self, n_draws: int) -> dict[str, float]:
        """Standard errors by variable, in nats; NaN where the level itself is not known."""
        variances: dict[str, float] = {}
        for key, sums in self._sums.items():
            reference, of_level = self._references[key], self._amplification[key] / n_draws
            spread = np.nan if reference.level == "relative" else 0.0
            if reference.level == "absolute":
                spread = float(sums.variance()) / n_draws**2
                spread += (of_level * reference.level_mcse) ** 2
            variances[key[0]] = variances.get(key[0], 0.0) + spread
        return {variable: float(np.sqrt(v)) for variable, v in variances.items()}
