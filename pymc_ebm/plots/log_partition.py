"""The estimated normaliser along one parameter, with its error."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from arviz_plots import PlotCollection, visuals
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from pymc_ebm.diagnostics.normalisers.normaliser_values import NormaliserValues
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.plots.layout import (
    element_label,
    label_panels,
    named_element,
    panels,
    posterior_of,
    scalar_draws,
)
from pymc_ebm.reference.base import Reference

__all__ = ["plot_log_partition"]


def plot_log_partition(
    idata: xr.DataTree | None = None,
    var_name: str | None = None,
    *,
    values: ArrayLike | None = None,
    point: Mapping[str, ArrayLike] | None = None,
    coords: Mapping[str, Any] | None = None,
    exact: Callable[[NDArray], ArrayLike] | None = None,
    ebm: str | Sequence[str] | None = None,
    model=None,
    **pc_kwargs: Any,
) -> PlotCollection:
    r"""Plot log Ẑ along a parameter with its 95% band, and what that does to the log-likelihood.

    .. math:: \log \hat Z(θ) ± t \operatorname{mcse}(θ)

    is in the upper panel, the paper's Figure 1 for any model. An error that is the same at every θ
    does nothing to a posterior. The lower panel has what does: the band of the error of the
    log-likelihood relative to that at a start θ₀,

    .. math:: ± t \sqrt{C_{θθ} + C_{θ_0θ_0} − 2 C_{θθ_0}},

    which is 0 at θ₀, from φ_m = Σ_r c_r w̄_mr. Where it reaches a nat, the reference moves the
    posterior. The errors are known from the spread of G groups of points, so that t is the 97.5%
    quantile of Student's t with G − 1 degrees of freedom: 1.96 for thousands of independent
    points, 2.13 for 16 scramblings.

    Parameters
    ----------
    idata : xr.DataTree, optional
        With a posterior group. The parameter goes over the range of its draws, with θ₀ at their
        mean, and the others stay at their posterior means.
    var_name : str, optional
        The parameter, or an element as ArviZ labels it, ``theta[edges]``; the only one by default.
    values : array_like, optional
        Values that it takes, ``(T,)``. Needed without a posterior, where θ₀ is the middle one.
    point : dict, optional
        Values of the other parameters, instead of their posterior means.
    coords : dict, optional
        Which element of a parameter that is an array, as ``{dimension: label}``.
    exact : callable, optional
        Exact log Z in nats of ``(T,)`` values. Where the reference knows log Z up to a constant,
        as `Reference.level` says, so does log Ẑ, and only the lower panels compare.
    ebm : str or sequence of str, optional
        Normalisers to show, by their names in ``reference_stats``. All by default.
    model : pm.Model, optional
        The model of the context by default.
    **pc_kwargs
        Passed to ``arviz_plots.PlotCollection.grid``, ``figure_kwargs={"figsize": (6, 4)}`` for
        example.

    Returns
    -------
    PlotCollection
        Its ``viz`` has the visuals ``band`` and ``line``, each for the variables
        ``log_partition`` and ``loglik``.

    Raises
    ------
    ValueError
        If the parameter, its range, or the value of another one is not known.

    Notes
    -----
    A normaliser with a batch of parameter rows is shown as the mean over rows, weighted by the
    amplification c, as in ``reference_stats``.

    References
    ----------
    C. J. Geyer (1994), J. R. Stat. Soc. B 56, 261–274, for the error of log Ẑ.

    Examples
    --------
    Before any sampling, against the exact value:

    >>> import numpy as np, pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(2, 4), draws=500, random_seed=1)
    >>> gaussian = lambda x, s: x**2 / (2 * s**2)
    >>> with pm.Model() as model:
    ...     sigma = pm.HalfNormal("sigma", 5)
    ...     x = ebm.EBM("x", sigma, energy=gaussian, reference=q, observed=[-1.0, 2.0])
    ...     pc = ebm.plots.plot_log_partition(
    ...         values=np.linspace(0.5, 4, 50),
    ...         exact=lambda sigma: np.log(sigma * np.sqrt(2 * np.pi)),
    ...     )
    """
    normalisers = Normalisers(model).required(ebm)
    posterior = posterior_of(idata)
    var_name, coords = named_element(var_name, coords, posterior)
    name = _one(normalisers.parameters, var_name)
    if name not in posterior and normalisers.valued[name].ndim:
        raise ValueError(
            f"{name} is an array, and without draws nothing is known of its other elements. Pass "
            "what pm.sample returned."
        )
    default, start, element = _along(posterior, name, (point or {}).get(name), coords)
    if values is None and default is None:
        raise ValueError(
            f"There is no range of {name}. Pass what pm.sample returned, or give values=."
        )
    grid = np.asarray(default if values is None else values, dtype=float).ravel()
    start = grid[len(grid) // 2] if start is None else start
    fixed = normalisers.point(idata, {**(point or {}), name: element(start)})
    at_value = lambda t: list(normalisers.at({**fixed, name: element(t)}).values())
    at_start, along = at_value(start), [at_value(t) for t in grid]
    log_z, mcse = np.moveaxis(np.array([[v.log_partition() for v in row] for row in along]), -1, 0)
    of_difference = np.array(
        [[_difference_mcse(*pair) for pair in zip(row, at_start, strict=True)] for row in along]
    )
    quantile = np.array([_t_quantile(v.reference) for v in at_start])
    absolute = [v.reference.level != "relative" for v in at_start]
    curves = {"estimate": (log_z, np.zeros_like(log_z))}
    if exact is not None:
        truth = lambda t: np.asarray(exact(np.asarray(t, dtype=float)), dtype=float).reshape(-1, 1)
        error = lambda t, row: (
            -np.array([v.amplification.sum() for v in row])
            * (truth(t)[0] - [v.log_partition()[0] for v in row])
        )
        curves["exact"] = (
            np.where(absolute, truth(grid), np.nan),
            np.array([error(t, row) for t, row in zip(grid, along, strict=True)])
            - error(start, at_start),
        )
    labels = {"curve": list(curves), "ebm": list(normalisers.references)}
    above, below = (np.stack(arrays) for arrays in zip(*curves.values(), strict=True))
    dims = ("curve", "theta", "ebm")
    lines = xr.Dataset({"log_partition": (dims, above), "loglik": (dims, below)}, coords=labels)
    half = xr.Dataset(
        {
            "log_partition": (dims[1:], quantile * mcse),
            "loglik": (dims[1:], quantile * of_difference),
        },
        coords={"ebm": labels["ebm"]},
    )
    return _draw(element_label(name, coords), grid, lines, half, all(absolute), pc_kwargs)


def _difference_mcse(here: NormaliserValues, there: NormaliserValues) -> float:
    """Standard error of the difference of two log-likelihoods that share their points, nats."""
    reference = here.reference
    return float(np.sqrt(reference.variance(here.influence() - there.influence())))


def _t_quantile(reference: Reference) -> float:
    return float(stats.t.ppf(0.975, max(reference.total_groups - 1, 1)))


def _draw(x_label, grid, lines, half, absolute, pc_kwargs) -> PlotCollection:
    pc_kwargs.setdefault("aes", {"color": ["curve"]})
    pc = panels(lines, **pc_kwargs)
    centre = lines.sel(curve="estimate", drop=True)
    x = xr.DataArray(grid, dims="theta")
    band = xr.concat([xr.zeros_like(centre) + x, centre - half, centre + half], dim="kwarg")
    band = band.assign_coords(kwarg=["x", "y_bottom", "y_top"])
    pc.map(visuals.fill_between_y, "band", data=band, ignore_aes="all", color="C0", alpha=0.3)
    line = xr.concat([xr.zeros_like(lines) + x, lines], dim="plot_axis")
    pc.map(visuals.line_xy, "line", data=line.assign_coords(plot_axis=["x", "y"]))
    constant = "" if absolute else " + constant"
    y_labels = {
        "log_partition": f"log Ẑ{constant}, nats",
        "loglik": "error of the\nlog-likelihood, nats",
    }
    label_panels(pc, lines["ebm"].to_numpy().tolist(), y_labels, x_label)
    if lines.sizes["curve"] > 1:
        pc.add_legend("curve", title="")
    return pc


def _one(parameters: Sequence[str], var_name: str | None) -> str:
    if var_name is None and len(parameters) == 1:
        return parameters[0]
    if var_name is None or var_name not in parameters:
        raise ValueError(
            f"var_name is {var_name!r}, and the parameters are {', '.join(parameters)}. Choose "
            "the one along which to plot."
        )
    return var_name


def _along(posterior, name, given, coords) -> tuple[NDArray | None, float | None, Callable]:
    """Range and mean of the draws of a parameter, or of one element, and its array at a value."""
    if name not in posterior:
        return None, None, np.asarray
    draws = posterior[name]
    chosen = scalar_draws(draws, coords)
    mean = draws.mean(("chain", "draw"))
    base = mean if given is None else mean.copy(data=np.broadcast_to(given, mean.shape))

    def element(value: float) -> NDArray:
        array = base.copy(deep=True)
        array.loc[coords or {}] = value
        return array.to_numpy()

    steps = np.linspace(chosen.min().item(), chosen.max().item(), 100)
    return steps, chosen.mean().item(), element
