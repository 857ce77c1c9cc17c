"""What the draws of a reference add to posterior means and standard deviations."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pymc_ebm.diagnostics.sums.sharded_log_weights import GroupsOfShards
from pymc_ebm.reference.base import Reference

__all__ = ["PosteriorError"]

# Running sums take parameters × groups × 2 numbers; beyond this (16 MiB) groups are pooled.
_MOST_SUMS = 2**21
_FEWEST_GROUPS = 200


class PosteriorError:
    r"""Running sums for the reference error of posterior means and standard deviations.

    .. math:: φ_m = -\operatorname{Cov}_s\bigl(g_s, \textstyle\sum_r c_r(s) \bar w_{mr}(s)\bigr)

    with g = θ for the mean and (θ − mean)²/(2 sd) for the standard deviation. Only sums over the
    posterior draws s are kept, by group of points, so memory does not grow with their number.

    Where g hardly goes with the error ε of the log-likelihood, of variance v, it goes with ε²/2,
    and by how much is not known. The sd of that is v/√2 for a normal error, and a correlation that
    may be anything has a mean square of a third: v²/6 of the variance of g is added, with v/(1 + v)
    for v, since an expansion in ε says nothing where it is large.

    The information that the estimate loses is the mean Kullback–Leibler divergence from the exact
    posterior to the estimated one where the log-likelihood is off by a normal error of covariance
    C_ab between draws a and b, (E_a C_aa − E_ab C_ab) / (2 log 2) bits: an error that is the same
    at all draws loses nothing.

    Parameters
    ----------
    posterior : xr.Dataset
        Free parameters, dims ``(chain, draw, ...)``.
    references : dict of Reference or GroupsOfShards
        By fingerprint. Normalisers with one reference share its error and have their influences
        added; different references are independent.

    References
    ----------
    The infinitesimal jackknife, as R. Giordano and T. Broderick (2023), "The Bayesian
    infinitesimal jackknife for variance", apply it to posterior means.
    """

    def __init__(self, posterior: xr.Dataset, references: Mapping[str, Reference | GroupsOfShards]):
        self._posterior = posterior
        draws = [
            posterior[name].transpose("chain", "draw", ...).to_numpy().astype(float)
            for name in posterior.data_vars
        ]
        n_draws = posterior.sizes["chain"] * posterior.sizes["draw"]
        flat = np.concatenate([d.reshape(n_draws, -1) for d in draws], axis=1)
        centred = flat - flat.mean(axis=0)
        sd = centred.std(axis=0)
        # A parameter that never moves has no standard deviation for the reference to change.
        half_squares = (centred**2 - sd**2) / (2 * np.where(sd == 0, 1.0, sd))
        # The last column, of ones, makes the mean influence.
        ones = np.ones((n_draws, 1))
        self._g = np.concatenate([centred, half_squares, ones], axis=1)
        results = self._g.shape[1]
        fits = max(_MOST_SUMS // results, _FEWEST_GROUPS)
        self._sums = {key: r.group_sums(fits, (results,)) for key, r in references.items()}
        self._draw = 0
        self._of_draw = {key: r.group_sums(fits) for key, r in references.items()}
        self._mean_variance = 0.0

    def add(self, draw: int, key: str, points: slice, influence: NDArray) -> None:
        """Take in Σ_r c_r w̄_mr of one posterior draw and one normaliser; draws in their order.

        Parameters
        ----------
        draw : int
        key : str
            Fingerprint of the reference.
        points : slice
            Which of its points these are.
        influence : ndarray
            ``(B,)``, that of the weights after `Reference.influence`.
        """
        if draw != self._draw:
            self._close_draw()
            self._draw = draw
        self._of_draw[key].add(points, influence)

    def _close_draw(self) -> None:
        """Count the sums and the variance of the log-likelihood at the draw that has ended."""
        for key, of_draw in self._of_draw.items():
            self._mean_variance += float(of_draw.variance()) / len(self._g)
            # Row by row: a product of all would be as large as the sums themselves.
            for row, g in zip(self._sums[key].sums, self._g[self._draw], strict=True):
                row += g * of_draw.sums
            of_draw.clear()

    def result(self) -> xr.Dataset:
        """Standard errors, shaped like the posterior, with ``statistic`` in place of the draws.

        Returns
        -------
        xr.Dataset
            ``statistic`` is "mean" or "sd"; each value is in the unit of its parameter. The
            attribute ``bits_lost`` is the information lost.
        """
        self._close_draw()
        n_draws = len(self._g)
        # g is centred, so its covariance with the influences is the mean of the products.
        variances = [sums.variance() / n_draws**2 for sums in self._sums.values()]
        *of_statistics, of_mean = sum(variances, start=np.zeros(self._g.shape[1]))
        variance = max(self._mean_variance - of_mean, 0.0)
        square = (variance / (1 + variance)) ** 2 / 6
        second_order = square * (self._g[:, :-1] ** 2).mean(axis=0)
        errors = np.sqrt(of_statistics + second_order).reshape(2, -1)
        bits = variance / (2 * np.log(2))
        data, start = {}, 0
        for name in self._posterior.data_vars:
            like = self._posterior[name].transpose("chain", "draw", ...)[0, 0]
            values = errors[:, start : start + like.size].reshape(2, *like.shape)
            data[name] = (("statistic", *like.dims), values)
            start += like.size
        coords = {
            name: coord
            for name, coord in self._posterior.coords.items()
            if not {"chain", "draw"} & {name, *coord.dims}
        }
        return xr.Dataset(
            data, coords={**coords, "statistic": ["mean", "sd"]}, attrs={"bits_lost": float(bits)}
        )
