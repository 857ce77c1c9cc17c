"""Which values of the parameters go with the worst estimates."""

import numpy as np
import xarray as xr

from pymc_ebm.diagnostics.words.element_name import element_name
from pymc_ebm.numbers import number

__all__ = ["worst_region"]


def worst_region(
    posterior: xr.Dataset,
    badness: xr.DataArray,
    *,
    share: float = 0.05,
    elsewhere: float = 1.0,
    most_named: int = 3,
) -> str:
    """Say where in the posterior its worst draws are.

    Parameters
    ----------
    posterior : xr.Dataset
        By chain and draw.
    badness : xr.DataArray
        ``(chain, draw)``; the larger the worse, and NaN is the worst.
    share : float
        Of the draws, the worst, that are looked at.
    elsewhere : float
        Distance of their mean from that of all, in posterior sds, beyond which they lie elsewhere.
    most_named : int
        Parameters that are named.

    Returns
    -------
    str
        A sentence with the parameters whose mean over the worst draws is elsewhere.

    Examples
    --------
    >>> dims, s = ("chain", "draw"), np.arange(100.0).reshape(1, -1)
    >>> worst_region(xr.Dataset({"s": (dims, s)}), xr.DataArray(s, dims=dims))
    'It is worst around s = 97 (posterior 49.5 ± 29).'
    """
    values = badness.transpose("chain", "draw").to_numpy().ravel()
    n_worst = max(int(share * values.size), 1)
    worst = np.argsort(np.where(np.isnan(values), np.inf, values), kind="stable")[-n_worst:]
    found = []
    for name, array in posterior.data_vars.items():
        array = array.transpose("chain", "draw", ...)
        draws = array.to_numpy().astype(float)
        flat = draws.reshape(values.size, -1)
        mean, sd, there = flat.mean(axis=0), flat.std(axis=0), flat[worst].mean(axis=0)
        for i in np.flatnonzero(np.abs(there - mean) > elsewhere * sd):
            label = element_name(array[0, 0].rename(name), int(i))
            at, usual = number(there[i], digits=3), number(mean[i], digits=3)
            text = f"{label} = {at} (posterior {usual} ± {number(sd[i])})"
            found.append((abs(there[i] - mean[i]) / sd[i], text))
    if not found:
        return "It is no worse in one part of the posterior than in another."
    found.sort(reverse=True)
    return f"It is worst around {', '.join(text for _, text in found[:most_named])}."
