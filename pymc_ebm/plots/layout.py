"""The grid of panels that several figures share, and groups of a DataTree that they read."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
import xarray as xr
from arviz_base import rcParams
from arviz_plots import PlotCollection, visuals
from arviz_plots.plots.utils import set_grid_layout

__all__ = ["group", "label_rows", "panels", "scalar_draws"]

_PLAIN: dict[str, Any] = {"ignore_aes": "all", "store_artist": False}


def panels(dataset: xr.Dataset, **pc_kwargs: Any) -> PlotCollection:
    """A row of panels for each variable and a column for each normaliser.

    Parameters
    ----------
    dataset : xr.Dataset
        With the dimension ``ebm``.
    **pc_kwargs
        Passed to ``arviz_plots.PlotCollection.grid``.
    """
    backend = pc_kwargs.pop("backend", None) or rcParams["plot.backend"]
    pc_kwargs["figure_kwargs"] = {"sharex": "col", **pc_kwargs.get("figure_kwargs", {})}
    pc_kwargs.setdefault("rows", ["__variable__"])
    pc_kwargs.setdefault("cols", ["ebm"])
    bknd = import_module(f"arviz_plots.backend.{backend}")
    return PlotCollection.grid(
        dataset, backend=backend, **set_grid_layout(pc_kwargs, bknd, dataset)
    )


def group(idata: xr.DataTree, name: str, remedy: str) -> xr.Dataset:
    """A group of a DataTree; ValueError with the remedy where it is missing."""
    if name not in idata.children:
        raise ValueError(f"The DataTree has no group {name}. {remedy}")
    return idata[name].to_dataset()


def scalar_draws(draws: xr.DataArray, coords: Mapping[str, Any] | None) -> xr.DataArray:
    """Draws of one number; ValueError where `coords` leave a dimension of an array open."""
    chosen = draws.sel(coords or {})
    left = [dim for dim in chosen.dims if dim not in ("chain", "draw")]
    if left:
        raise ValueError(
            f"{draws.name} is an array with dimensions {', '.join(left)}. Choose an element with "
            f"coords={{{left[0]!r}: ...}}."
        )
    return chosen


def label_rows(
    pc: PlotCollection, dataset: xr.Dataset, y_labels: Mapping[str, str], x_label: str
) -> None:
    """Labels of the vertical axes on the left, of the horizontal ones below, and titles on top.

    Parameters
    ----------
    pc : PlotCollection
        As `panels` makes it.
    dataset : xr.Dataset
        That it was made of.
    y_labels : dict of str
        By variable, from top to bottom.
    x_label : str
    """
    names = dataset["ebm"].to_numpy().tolist()
    bare = xr.Dataset({v: ("ebm", np.zeros(len(names))) for v in y_labels}, {"ebm": names})
    for variable, text in y_labels.items():
        first = bare[[variable]].isel(ebm=[0])
        pc.map(visuals.labelled_y, "ylabel", data=first, text=text, **_PLAIN)
    first, *_, last = y_labels
    pc.map(visuals.labelled_x, "xlabel", data=bare[[last]], text=x_label, **_PLAIN)
    if len(names) > 1:
        for name in names:
            top = bare[[first]].sel(ebm=[name])
            pc.map(visuals.labelled_title, "title", data=top, text=name, **_PLAIN)
