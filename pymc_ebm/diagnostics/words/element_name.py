"""Names of elements of arrays of parameters."""

import numpy as np
import xarray as xr

__all__ = ["element_name"]


def element_name(array: xr.DataArray, i: int) -> str:
    """Name of an element of an array by its place among all, with its coordinates in brackets.

    Examples
    --------
    >>> element_name(xr.DataArray([1.0, 2.0], {"edge": ["a", "b"]}, ["edge"], name="w"), 1)
    'w[b]'
    >>> element_name(xr.DataArray(1.0, name="s"), 0)
    's'
    """
    if not array.ndim:
        return str(array.name)
    index = np.unravel_index(i, array.shape)
    labels = [array[dim].to_numpy()[k] for dim, k in zip(array.dims, index, strict=True)]
    return f"{array.name}[{','.join(map(str, labels))}]"
