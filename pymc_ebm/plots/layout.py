"""The grid of panels that several figures share, and groups of a DataTree that they read."""

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import xarray as xr
from arviz_base import rcParams
from arviz_plots import PlotCollection, visuals
from arviz_plots.plots.utils import set_grid_layout

__all__ = [
    "element_label",
    "figure_defaults",
    "label_panels",
    "named_element",
    "names_among",
    "panels",
    "posterior_of",
    "scalar_draws",
]

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
    pc_kwargs.setdefault("rows", ["__variable__"])
    pc_kwargs.setdefault("cols", ["ebm"])
    bknd, pc_kwargs = figure_defaults(pc_kwargs, sharex="col")
    return PlotCollection.grid(dataset, **set_grid_layout(pc_kwargs, bknd, dataset))


def element_label(name: str, coords: Mapping[str, Any] | None) -> str:
    """A parameter and which of its elements, ``sigma[long]``."""
    return f"{name}[{', '.join(map(str, coords.values()))}]" if coords else name


def named_element(
    var_name: str | None, coords: Mapping[str, Any] | None, draws: xr.Dataset
) -> tuple[str | None, Mapping[str, Any] | None]:
    """Name and coords of an element written as ArviZ labels it, ``theta[edges]``."""
    written = re.fullmatch(r"(.+?)\[(.+)\]", var_name or "")
    if written is None or coords or var_name in draws or written[1] not in draws:
        return var_name, coords
    array = draws[written[1]]
    dims = [dim for dim in array.dims if dim not in ("chain", "draw")]
    labels = [label.strip() for label in written[2].split(",")]
    if len(labels) != len(dims):
        return var_name, coords
    found = {}
    for dim, label in zip(dims, labels, strict=True):
        same = [value for value in array[dim].to_numpy() if str(value) == label]
        if not same:
            known = ", ".join(map(str, array[dim].to_numpy()[:20]))
            raise ValueError(f"{written[1]} has no {label!r} along {dim}. It has {known}.")
        found[str(dim)] = same[0]
    return written[1], found


def figure_defaults(pc_kwargs: dict[str, Any], **figure_kwargs: Any) -> tuple[Any, dict[str, Any]]:
    """The back end's module, and keywords of a PlotCollection with those of its figure added."""
    backend = pc_kwargs.get("backend") or rcParams["plot.backend"]
    if backend == "matplotlib":
        # The styles of ArviZ have it; without it a legend lies on the panels.
        figure_kwargs["layout"] = "constrained"
    figure_kwargs |= pc_kwargs.get("figure_kwargs", {})
    bknd = import_module(f"arviz_plots.backend.{backend}")
    return bknd, {**pc_kwargs, "backend": backend, "figure_kwargs": figure_kwargs}


def names_among(given: str | Sequence[str] | None, known: Sequence[str], without: str) -> list[str]:
    """Names as a list, all by default; ValueError for one that is not known."""
    names = [given] if isinstance(given, str) else list(known if given is None else given)
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"{without} {', '.join(unknown)}. There is {', '.join(known)}.")
    return names


def posterior_of(idata: xr.DataTree | None) -> xr.Dataset:
    """The posterior, with no variables where there is none."""
    if idata is None or "posterior" not in idata.children:
        return xr.Dataset()
    return idata["posterior"].to_dataset()


def scalar_draws(draws: xr.DataArray, coords: Mapping[str, Any] | None) -> xr.DataArray:
    """Draws of one number; ValueError where `coords` leave a dimension of an array open."""
    chosen = draws.sel(coords or {})
    left = [str(dim) for dim in chosen.dims if dim not in ("chain", "draw")]
    if left:
        raise ValueError(
            f"{draws.name} is an array with dimensions {', '.join(left)}. Choose an element with "
            f"coords={{{left[0]!r}: ...}}."
        )
    return chosen


def label_panels(
    pc: PlotCollection,
    ebm: Sequence[str],
    y_labels: Mapping[str, str],
    x_label: str,
    titles: Sequence[str] | None = None,
) -> None:
    """Labels of the vertical axes on the left, of the horizontal ones below, and titles on top.

    Parameters
    ----------
    pc : PlotCollection
        As `panels` makes it.
    ebm : sequence of str
        Its columns.
    y_labels : dict of str
        By variable, from top to bottom.
    x_label : str
    titles : sequence of str, optional
        By column; their names, where there are several, by default.
    """
    names, rows = list(ebm), list(y_labels)
    bare = xr.Dataset({v: ("ebm", np.zeros(len(names))) for v in rows}, {"ebm": names})
    for variable, text in y_labels.items():
        left = bare[[variable]].isel(ebm=[0])
        pc.map(visuals.labelled_y, "ylabel", data=left, text=text, **_PLAIN)
    pc.map(visuals.labelled_x, "xlabel", data=bare[rows[-1:]], text=x_label, **_PLAIN)
    if titles is None and len(names) > 1:
        titles = names
    for name, text in zip(names, titles or [], strict=False):
        top = bare[rows[:1]].sel(ebm=[name])
        pc.map(visuals.labelled_title, "title", data=top, text=text, **_PLAIN)
