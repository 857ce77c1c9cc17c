"""The model and the draws that a user gives, or has forgotten to give, in words."""

from __future__ import annotations

from typing import Any

import pymc as pm
import xarray as xr

__all__ = ["datatree_given", "group", "model_given"]


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
            "returned, or what xarray.open_datatree reads from its file."
        )
    return idata


def group(idata: Any, name: str, remedy: str) -> xr.Dataset:
    """A group of a DataTree.

    Raises
    ------
    TypeError
        No DataTree.
    ValueError
        The group is not there; the text ends with the remedy.

    Examples
    --------
    >>> tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"s": 1.0})})
    >>> list(group(tree, "posterior", "Sample first."))
    ['s']
    """
    found = datatree_given(idata).children
    if name not in found:
        raise ValueError(
            f"The DataTree has no group {name}, and has {', '.join(found) or 'none'}. {remedy}"
        )
    return found[name].to_dataset()
