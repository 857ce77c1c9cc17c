"""Effective points and k-hat of the references, across the posterior draws."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from arviz_plots import PlotCollection, visuals

from pymc_ebm.given import group
from pymc_ebm.plots.layout import (
    element_label,
    label_panels,
    named_element,
    names_among,
    panels,
    posterior_of,
    scalar_draws,
)
from pymc_ebm.weights.pareto_tails import khat_threshold

__all__ = ["plot_reference_ess"]


def plot_reference_ess(
    idata: xr.DataTree,
    var_name: str | None = None,
    *,
    coords: Mapping[str, Any] | None = None,
    ebm: str | Sequence[str] | None = None,
    **pc_kwargs: Any,
) -> PlotCollection:
    r"""Plot the effective number of points and k-hat of each reference, by posterior draw.

    The dashed line is the limit :math:`\min(1 − 1/\log_{10} M,\; 0.7)` of k-hat, above which a few
    points carry the estimate. Draws where k-hat is undefined, because one point has all of the
    weight, are crosses on the line k = 1. Exact references, and weights of which the largest are
    all equal, have no k-hat and no mark.

    Parameters
    ----------
    idata : xr.DataTree
        After `compute_reference_stats`.
    var_name : str, optional
        The parameter on the horizontal axis, which shows where in its range the reference is
        thin, or an element of it as ArviZ labels it, ``theta[edges]``; by default the number of
        the draw.
    coords : dict, optional
        Which element of a parameter that is an array, as ``{dimension: label}``.
    ebm : str or sequence of str, optional
        Normalisers to show. All by default.
    **pc_kwargs
        Passed to ``arviz_plots.PlotCollection.grid``.

    Returns
    -------
    PlotCollection
        Its ``viz`` has the visuals ``draws``, ``threshold`` and, where there are any,
        ``undefined``.

    Raises
    ------
    ValueError
        If `idata` has no reference statistics, or no such parameter or normaliser.

    References
    ----------
    A. Vehtari et al. (2024), "Pareto smoothed importance sampling", JMLR 25, section 3.2.4.

    Examples
    --------
    A posterior of five draws; usually it is what ``pm.sample`` returns.

    >>> import arviz as az, numpy as np, pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(2, 4), draws=500, random_seed=1)
    >>> gaussian = lambda x, s: x**2 / (2 * s**2)
    >>> with pm.Model() as model:
    ...     sigma = pm.HalfNormal("sigma", 5)
    ...     x = ebm.EBM("x", sigma, energy=gaussian, reference=q, observed=[-1.0, 0.5, 2.0])
    >>> idata = az.from_dict({"posterior": {"sigma": np.array([[1.0, 1.5, 1.2, 2.0, 0.8]])}})
    >>> idata = ebm.compute_reference_stats(idata, model=model, progressbar=False)
    >>> pc = ebm.plots.plot_reference_ess(idata, "sigma")
    """
    stats = group(idata, "reference_stats", "Run compute_reference_stats(idata) first.")
    points = {n: r["n_points"] for n, r in json.loads(stats.attrs["references"]).items()}
    stats = stats[["ess", "pareto_k"]]
    if ebm is not None:
        stats = stats.sel(ebm=names_among(ebm, list(points), "The statistics have no normaliser"))
    var_name, coords = named_element(var_name, coords, posterior_of(idata))
    x = _horizontal(idata, stats, var_name, coords)
    # −inf is the k-hat of an exact reference, or of weights that are all equal.
    finite = stats.where(np.isfinite(stats))
    pc_kwargs.setdefault("aes", {"color": ["chain"]})
    pc = panels(finite, **pc_kwargs)
    at = xr.concat([0 * finite.fillna(0) + x, finite], dim="plot_axis")
    at = at.assign_coords(plot_axis=["x", "y"])
    pc.map(visuals.scatter_xy, "draws", data=at, size=8, alpha=0.6)
    undefined = stats[["pareto_k"]].isnull()
    if undefined["pareto_k"].any():
        ones = xr.ones_like(undefined, dtype=float)
        marks = xr.concat([0 * ones + x, ones], dim="plot_axis")
        marks = marks.assign_coords(plot_axis=["x", "y"]).where(undefined)
        pc.map(
            visuals.scatter_xy, "undefined", data=marks, ignore_aes="all", marker="x", color="C3"
        )
    names = stats["ebm"].to_numpy().tolist()
    limits = [khat_threshold(points[name]) for name in names]
    limit = xr.Dataset({"pareto_k": ("ebm", limits)}, coords={"ebm": names})
    pc.map(visuals.hline, "threshold", data=limit, ignore_aes="all", color="B1", linestyle="C1")
    label_panels(
        pc,
        names,
        {"ess": "ESS", "pareto_k": "k-hat"},
        "draw" if var_name is None else element_label(var_name, coords),
        [f"{name}: {points[name]:,} points" for name in names],
    )
    if stats.sizes["chain"] > 1:
        pc.add_legend("chain")
    return pc


def _horizontal(idata, stats, var_name, coords) -> xr.DataArray:
    if var_name is None:
        return stats["draw"]
    posterior = group(idata, "posterior", "Pass what pm.sample returned.")
    if var_name not in posterior:
        raise ValueError(
            f"The posterior has no {var_name}. It has {', '.join(map(str, posterior.data_vars))}."
        )
    return scalar_draws(posterior[var_name], coords)
