"""What the draws of a reference add to posterior means and standard deviations."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from pymc_ebm.diagnostics.weights import group_sums, variance_of_sums
from pymc_ebm.reference.base import Reference

__all__ = ["PosteriorError"]

# Running sums take parameters × groups × 2 numbers; beyond this (400 MB) groups are pooled.
_MOST_SUMS = 50_000_000
_FEWEST_GROUPS = 200


class PosteriorError:
    r"""Running sums for the reference error of posterior means and standard deviations.

    .. math:: φ_m = -\operatorname{Cov}_s\bigl(g_s, \textstyle\sum_r c_r(s) \bar w_{mr}(s)\bigr)

    with g = θ for the mean and (θ − mean)²/(2 sd) for the standard deviation. Only sums over the
    posterior draws s are kept, by group of points, so memory does not grow with their number.

    Parameters
    ----------
    posterior : xr.Dataset
        Free parameters, dims ``(chain, draw, ...)``.
    references : dict of Reference
        By fingerprint. Normalisers with one reference share its error and have their influences
        added; different references are independent.

    References
    ----------
    The infinitesimal jackknife, as R. Giordano and T. Broderick (2023), "The Bayesian
    infinitesimal jackknife for variance", apply it to posterior means.
    """

    def __init__(self, posterior: xr.Dataset, references: dict[str, Reference]):
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
        self._g = np.concatenate([centred, half_squares], axis=1)
        self._references = references
        self._groups = {
            key: _pool(reference.groups, reference.n_groups, self._g.shape[1])
            for key, reference in references.items()
        }
        self._sums = {
            key: np.zeros((self._g.shape[1], int(groups.max()) + 1))
            for key, groups in self._groups.items()
        }

    def add(self, draw: int, influences: dict[str, NDArray]) -> None:
        """Take in Σ_r c_r w̄_mr, ``(M,)`` by fingerprint, of one posterior draw."""
        g = self._g[draw]
        for key, influence in influences.items():
            self._sums[key] += g[:, None] * group_sums(
                self._references[key].influence(influence), self._groups[key]
            )

    def result(self) -> xr.Dataset:
        """Standard errors, shaped like the posterior, with ``statistic`` in place of the draws.

        Returns
        -------
        xr.Dataset
            ``statistic`` is "mean" or "sd"; each value is in the unit of its parameter.
        """
        n_draws = len(self._g)
        # g is centred, so its covariance with the influences is the mean of the products.
        variances = []
        for key, sums in self._sums.items():
            reference = self._references[key]
            # Unused draws are merged in the proportion of the groups.
            unused = reference.unused_draws * sums.shape[1] // reference.n_groups
            variances.append(variance_of_sums(sums / n_draws, unused))
        errors = np.sqrt(sum(variances, start=np.zeros(self._g.shape[1]))).reshape(2, -1)
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
        return xr.Dataset(data, coords={**coords, "statistic": ["mean", "sd"]})


def _pool(groups: NDArray, n_groups: int, n_rows: int) -> NDArray:
    """Merge groups until the running sums fit in memory: sums of independent groups are so too."""
    fits = max(_MOST_SUMS // n_rows, _FEWEST_GROUPS)
    return groups if n_groups <= fits else groups * fits // n_groups
