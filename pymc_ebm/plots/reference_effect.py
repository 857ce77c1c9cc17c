"""What the draws of the references did to the marginals of a posterior."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from arviz_base.labels import BaseLabeller
from arviz_plots import PlotCollection, visuals
from arviz_plots.plots.utils import process_group_variables_coords, set_wrap_layout
from numpy.typing import NDArray

from pymc_ebm.diagnostics.error.other_references import other_log_weights
from pymc_ebm.given import group
from pymc_ebm.plots.layout import figure_defaults
from pymc_ebm.weights.normalised import normalise

__all__ = ["plot_reference_effect"]

_THIS, _OTHERS = "this reference", "others like it"


def plot_reference_effect(
    idata: xr.DataTree,
    *,
    var_names: str | Sequence[str] | None = None,
    coords: Mapping[str, Any] | None = None,
    num_references: int = 50,
    random_seed=None,
    model=None,
    progressbar: bool = True,
    **pc_kwargs: Any,
) -> PlotCollection:
    r"""Plot each marginal of the posterior among those that other references would have given.

    .. math:: p_b(θ) ∝ \hat p(θ \mid x) \, e^{δ_b(θ)}

    Each faint curve is the posterior under another log Ẑ, whose difference δ_b from this one is
    drawn from the estimated error of log Ẑ, its dependence along θ included. Where the curves lie
    on top of each other, the choice of points does not matter; the spread of their means is the
    ``reference_mcse`` of `compute_reference_stats`.

    Parameters
    ----------
    idata : xr.DataTree
        With a posterior group.
    var_names : str or sequence of str, optional
        Variables to show. All of the posterior by default.
    coords : dict, optional
        Labels to show, by dimension.
    num_references : int
        Number of faint curves.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    model : pm.Model, optional
        The model of the context by default.
    progressbar : bool
        While the draws are weighed.
    **pc_kwargs
        Passed to ``arviz_plots.PlotCollection.wrap``.

    Returns
    -------
    PlotCollection
        Its ``viz`` has the visuals ``others``, along the dimension ``reference``, and ``this``.

    Raises
    ------
    ValueError
        As `other_log_weights` of ``diagnostics.error.other_references`` does.

    Notes
    -----
    The posterior draws are weighted and resampled, so where the reference adds more than the
    posterior sd the curves are rough, and the true ones lie further out. What no point of the
    reference reached is in none of them.

    Examples
    --------
    A posterior of few draws; usually it is what ``pm.sample`` returns.

    >>> import arviz as az, numpy as np, pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(2, 4), draws=500, random_seed=1)
    >>> gaussian = lambda x, s: x**2 / (2 * s**2)
    >>> with pm.Model() as model:
    ...     sigma = pm.HalfNormal("sigma", 5)
    ...     x = ebm.EBM("x", sigma, energy=gaussian, reference=q, observed=[-1.0, 0.5, 2.0])
    >>> draws = np.random.default_rng(1).gamma(9, 0.2, size=(2, 50))
    >>> idata = az.from_dict({"posterior": {"sigma": draws}})
    >>> pc = ebm.plots.plot_reference_effect(
    ...     idata, model=model, random_seed=1, progressbar=False, num_references=5
    ... )
    """
    group(idata, "posterior", "Pass what pm.sample returned.")
    posterior = process_group_variables_coords(
        idata, group="posterior", var_names=var_names, filter_vars=None, coords=coords
    )
    posterior = posterior.stack(sample=("chain", "draw"))
    log_weights = other_log_weights(
        idata, num_references, random_seed=random_seed, model=model, progressbar=progressbar
    )
    picked = xr.DataArray(
        np.array([_resampled(row) for row in log_weights]),
        dims=("reference", "sample"),
        coords={"reference": np.arange(num_references)},
    )
    posterior = posterior.reset_index("sample").drop_vars(("chain", "draw"), errors="ignore")
    others = posterior.isel(sample=picked).expand_dims(by=[_OTHERS])
    this = posterior.expand_dims(by=[_THIS])
    pc = _panels(posterior, num_references, pc_kwargs)
    of_others, of_this = (dataset.azstats.kde(dim="sample") for dataset in (others, this))
    pc.map(visuals.line_xy, "others", data=of_others, alpha=0.3, width=0.8)
    pc.map(visuals.line_xy, "this", data=of_this, ignore_aes={"overlay"}, width=2)
    _limit_heights(pc, of_others, of_this)
    plain: dict[str, Any] = {"data": posterior, "ignore_aes": "all", "store_artist": False}
    pc.map(visuals.labelled_title, "title", subset_info=True, labeller=BaseLabeller(), **plain)
    pc.map(visuals.remove_axis, "remove_axis", axis="y", **plain)
    pc.add_legend("by", title="")
    return pc


def _limit_heights(pc: PlotCollection, others: xr.Dataset, this: xr.Dataset) -> None:
    """Leave room for this posterior where others are spikes at the outermost draws."""
    height = lambda density: density.sel(plot_axis="y")
    top = height(this).max(("by", "kde_dim"))
    highest = np.minimum(1.05 * height(others).max(("by", "reference", "kde_dim")), 2.5 * top)
    limit = lambda da, target: visuals.set_ylim(da, target, (0, max(da.max().item(), 0)))
    both = xr.concat([highest, 1.05 * top], dim="bound")
    pc.map(limit, "ylim", data=both, ignore_aes="all", store_artist=False)


def _panels(posterior: xr.Dataset, num_references: int, pc_kwargs) -> PlotCollection:
    template = posterior.isel(sample=0, drop=True).expand_dims(
        by=[_OTHERS, _THIS], reference=np.arange(num_references)
    )
    dims = [dim for dim in posterior.dims if dim != "sample"]
    pc_kwargs.setdefault("cols", ["__variable__", *dims])
    pc_kwargs.setdefault("aes", {"color": ["by"], "overlay": ["reference"]})
    pc_kwargs.setdefault("color", ["C1", "C0"])
    bknd, pc_kwargs = figure_defaults(pc_kwargs)
    return PlotCollection.wrap(template, **set_wrap_layout(pc_kwargs, bknd, template))


def _resampled(log_weights: NDArray) -> NDArray:
    """Numbers of the draws at evenly spaced places of the cumulative weight, ``(S,)``."""
    total = np.cumsum(normalise(log_weights)[1])
    places = (np.arange(len(total)) + 0.5) / len(total) * total[-1]
    return np.searchsorted(total, places)
