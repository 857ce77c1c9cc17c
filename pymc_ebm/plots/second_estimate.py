"""The posterior, and what it would be with a second estimate of its normalisers."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from arviz_base.labels import BaseLabeller
from arviz_plots import PlotCollection, visuals
from arviz_plots.plots.utils import set_wrap_layout

from pymc_ebm.diagnostics.words.element_name import element_name
from pymc_ebm.given import group
from pymc_ebm.plots.layout import figure_defaults, names_among

__all__ = ["plot_second_estimate"]

_BY = ["first estimate", "second estimate"]


def plot_second_estimate(
    idata: xr.DataTree, *, var_names: str | Sequence[str] | None = None, **pc_kwargs: Any
) -> PlotCollection:
    r"""Plot the marginals of a posterior with both estimates of its normalisers.

    The second curve is that of the draws with their mean and sd moved as the second estimate says,

    .. math:: m + δ s + e^{λ} (x − m),

    where m and s are the mean and sd of the draws, δ the shift and λ the log of the ratio of sds.
    Of an array it shows the element that moves most.

    Parameters
    ----------
    idata : xr.DataTree
        After `compute_reference_stats`.
    var_names : str or sequence of str, optional
        Parameters to show. All by default.
    **pc_kwargs
        Passed to ``arviz_plots.PlotCollection.wrap``.

    Returns
    -------
    PlotCollection
        Its ``viz`` has the visual ``posterior``, a curve for each estimate.

    Raises
    ------
    ValueError
        If `idata` has no second estimate, or none of these parameters.

    Examples
    --------
    >>> import arviz as az, numpy as np, pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(0, 1), draws=500, random_seed=1)
    >>> with pm.Model() as model:
    ...     sigma = pm.HalfNormal("sigma", 5)
    ...     x = ebm.EBM(
    ...         "x", sigma, energy=lambda x, s: x**2 / (2 * s**2), reference=q, observed=[-1.0, 2.0]
    ...     )
    >>> draws = np.random.default_rng(1).gamma(9, 0.2, size=(2, 50))
    >>> idata = az.from_dict({"posterior": {"sigma": draws}})
    >>> idata = ebm.compute_reference_stats(idata, model=model, progressbar=False)
    >>> pc = ebm.plots.plot_second_estimate(idata)
    """
    stats = group(idata, "reference_stats", "Run compute_reference_stats(idata) first.")
    found = json.loads(stats.attrs.get("second_estimate", "{}"))
    if not found.get("made"):
        raise ValueError(
            f"There is no second estimate. {found.get('why', '')} Run compute_reference_stats with "
            "more second_estimate_seconds.".replace("  ", " ")
        )
    known = list(found["shifts"])
    names = names_among(var_names, known, "The second estimate says nothing of")
    posterior = group(idata, "posterior", "Pass what pm.sample returned.")
    both = {}
    for name in names:
        moved, array = found["shifts"][name], posterior[name].transpose("chain", "draw", ...)
        element = int(moved.get("element", 0))
        x = array.to_numpy().reshape(array.shape[0] * array.shape[1], -1)[:, element].astype(float)
        second = x.mean() + moved["mean"] * x.std() + np.exp(moved["log_sd"]) * (x - x.mean())
        label = element_name(array[0, 0].rename(name), element)
        both[label] = (("by", "sample"), np.stack([x, second]))
    draws = xr.Dataset(both, coords={"by": _BY})
    pc_kwargs.setdefault("cols", ["__variable__"])
    pc_kwargs.setdefault("aes", {"color": ["by"]})
    bknd, pc_kwargs = figure_defaults(pc_kwargs)
    template = draws.isel(sample=0, drop=True)
    pc = PlotCollection.wrap(template, **set_wrap_layout(pc_kwargs, bknd, template))
    pc.map(visuals.line_xy, "posterior", data=draws.azstats.kde(dim="sample"), width=2)
    one = template.isel(by=0, drop=True)
    plain: dict[str, Any] = {"data": one, "ignore_aes": "all", "store_artist": False}
    pc.map(visuals.labelled_title, "title", subset_info=True, labeller=BaseLabeller(), **plain)
    pc.map(visuals.remove_axis, "remove_axis", axis="y", **plain)
    pc.add_legend("by", title="")
    return pc
