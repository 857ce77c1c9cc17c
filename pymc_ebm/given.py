"""The model and the draws that a user gives, or has forgotten to give, in words."""

from __future__ import annotations

from typing import Any

import pymc as pm
import xarray as xr

__all__ = ["datatree_given", "model_given"]


def model_given(model: Any = None) -> pm.Model:
    """The model, or that of the context.

    Raises
    ------
    TypeError
        Neither, or something else.

    Examples
    --------
    >>> with pm.Model() as model:
    ...     model_given() is model
    True
    """
    if model is None:
        found = pm.Model.get_context(error_if_none=False)
        if found is None:
            raise TypeError("There is no model. Call this inside `with model:`, or pass model=.")
        return found
    if not isinstance(model, pm.Model):
        raise TypeError(
            f"model is a {type(model).__name__}, not a PyMC model. Pass what pm.Model() made."
        )
    return model


def datatree_given(idata: Any) -> xr.DataTree:
    """The DataTree of a posterior.

    Raises
    ------
    TypeError
        Something else.

    Examples
    --------
    >>> datatree_given(xr.DataTree()).children
    Frozen({})
    """
    if not isinstance(idata, xr.DataTree):
        raise TypeError(
            f"The posterior is a {type(idata).__name__}, not a DataTree. Pass what pm.sample "
            "returned."
        )
    return idata
