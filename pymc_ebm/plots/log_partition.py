"""The estimated normaliser along one parameter, with its error."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from arviz_plots import PlotCollection, visuals
from numpy.typing import ArrayLike, NDArray

from pymc_ebm.diagnostics.at_parameters import NormalisersAt
from pymc_ebm.plots.layout import label_rows, panels, scalar_draws

__all__ = ["plot_log_partition"]

_NORMAL_95 = 1.96
_STEPS = 100
_Y_LABELS = {"log_partition": "log Ẑ, nats", "difference": "error, nats"}


def plot_log_partition(
    idata: xr.DataTree | None = None,
    var_name: str | None = None,
    *,
    values: ArrayLike | None = None,
    point: Mapping[str, ArrayLike] | None = None,
    coords: Mapping[str, Any] | None = None,
    exact: Callable[[NDArray], ArrayLike] | None = None,
    ebm: Sequence[str] | None = None,
    model=None,
    **pc_kwargs: Any,
) -> PlotCollection:
    r"""Plot log Ẑ along a parameter, with its 95% band (the paper's Figure 1 for any model).

    .. math:: \log \hat Z(θ) ± 1.96 \operatorname{mcse}(θ)

    The panels above have log Ẑ, those below its error alone: the band around 0 and, where the
    exact log Z is given, the difference of the two. A constant error does nothing to a posterior;
    an error that changes along the parameter does.

    Parameters
    ----------
    idata : xr.DataTree, optional
        With a posterior group. The parameter goes over the range of its draws, the others stay at
        their posterior means.
    var_name : str, optional
        The parameter; the only one by default.
    values : array_like, optional
        Values that it takes, ``(T,)``. Needed without a posterior.
    point : dict, optional
        Values of the other parameters, instead of their posterior means.
    coords : dict, optional
        Which element of a parameter that is an array, as ``{dimension: label}``.
    exact : callable, optional
        Exact log Z in nats, ``(T,)``, of the values. It belongs to the row of parameters that the
        model has; where the reference knows log Z up to a constant, it is relative to that at the
        first anchor.
    ebm : sequence of str, optional
        Normalisers to show, by their names in ``reference_stats``. All by default.
    model : pm.Model, optional
        The model of the context by default.
    **pc_kwargs
        Passed to ``arviz_plots.PlotCollection.grid``, ``figure_kwargs={"figsize": (6, 4)}`` for
        example.

    Returns
    -------
    PlotCollection
        Its ``viz`` has the visuals ``band`` and ``line``.

    Raises
    ------
    ValueError
        If the parameter, its range, or the value of another one is not known.

    Notes
    -----
    A normaliser with a batch of parameter rows is shown as the mean over rows, weighted by the
    amplification, as in ``reference_stats``.

    References
    ----------
    C. J. Geyer (1994), J. R. Stat. Soc. B 56, 261–274, for the error of log Ẑ.

    Examples
    --------
    Before any sampling, against the exact value:

    >>> import numpy as np, pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(2, 4), draws=500, random_seed=1)
    >>> with pm.Model() as model:
    ...     sigma = pm.HalfNormal("sigma", 5)
    ...     ebm.EBM(
    ...         "x", sigma, energy=lambda x, s: x**2 / (2 * s**2), reference=q, observed=[-1.0, 2.0]
    ...     )
    ...     pc = ebm.plots.plot_log_partition(
    ...         values=np.linspace(0.5, 4, 50),
    ...         exact=lambda sigma: np.log(sigma * np.sqrt(2 * np.pi)),
    ...     )
    x ~ EBM(sigma)
    """
    at = NormalisersAt(model, ebm)
    name = _one(at.parameters, var_name)
    default, element = _element(idata, name, (point or {}).get(name), coords)
    if values is None and default is None:
        raise ValueError(
            f"There is no range of {name}. Pass what pm.sample returned, or give values=."
        )
    grid = np.asarray(default if values is None else values, dtype=float).ravel()
    middle = at.point(idata, {**(point or {}), name: element(grid[0])})
    found = [
        [normaliser.log_partition() for normaliser in at({**middle, name: element(t)}).values()]
        for t in grid
    ]
    log_z, mcse = np.moveaxis(np.array(found), -1, 0)
    curves = {"estimate": log_z}
    if exact is not None:
        truth = np.broadcast_to(np.asarray(exact(grid), dtype=float), grid.shape)
        curves["exact"] = np.broadcast_to(truth[:, None], log_z.shape)
    coordinates = {"curve": list(curves), "ebm": list(at.references)}
    lines = xr.DataArray(list(curves.values()), dims=("curve", "theta", "ebm"), coords=coordinates)
    half = xr.DataArray(_NORMAL_95 * mcse, dims=("theta", "ebm"), coords={"ebm": lines["ebm"]})
    return _draw(name, grid, lines, half, pc_kwargs)


def _draw(name, grid, lines, half, pc_kwargs) -> PlotCollection:
    estimate = lines.sel(curve="estimate", drop=True)
    # The same twice: as it is, and relative to the estimate, where the error can be seen.
    y = xr.Dataset({"log_partition": lines, "difference": lines - estimate})
    centre = xr.Dataset({"log_partition": estimate, "difference": 0 * estimate})
    x = xr.DataArray(grid, dims="theta")
    along = lambda data, **axes: xr.concat(
        [xr.full_like(data, 0) + x if v is None else v for v in axes.values()], dim="axis"
    )
    pc_kwargs.setdefault("aes", {"color": ["curve"]})
    pc = panels(y, **pc_kwargs)
    band = along(centre, x=None, y_bottom=centre - half, y_top=centre + half)
    band = band.rename(axis="kwarg").assign_coords(kwarg=["x", "y_bottom", "y_top"])
    pc.map(visuals.fill_between_y, "band", data=band, ignore_aes="all", color="C0", alpha=0.3)
    line = along(y, x=None, y=y).rename(axis="plot_axis").assign_coords(plot_axis=["x", "y"])
    pc.map(visuals.line_xy, "line", data=line)
    label_rows(pc, y, _Y_LABELS, name)
    if lines.sizes["curve"] > 1:
        pc.add_legend("curve", title="")
    return pc


def _one(parameters: Sequence[str], var_name: str | None) -> str:
    if var_name is None and len(parameters) == 1:
        return parameters[0]
    if var_name not in parameters:
        raise ValueError(
            f"var_name is {var_name!r}, and the parameters are {', '.join(parameters)}. Choose "
            "the one along which to plot."
        )
    return var_name


def _element(idata, name, given, coords) -> tuple[NDArray | None, Callable[[float], NDArray]]:
    """Range of the draws of a parameter, or of one element, and its array with that replaced."""
    posterior = idata["posterior"] if idata is not None and "posterior" in idata.children else {}
    if name not in posterior:
        return None, np.asarray
    draws = posterior[name]
    chosen = scalar_draws(draws, coords)
    mean = draws.mean(("chain", "draw"))
    base = mean if given is None else mean.copy(data=np.broadcast_to(given, mean.shape))

    def element(value: float) -> NDArray:
        array = base.copy(deep=True)
        array.loc[coords or {}] = value
        return array.to_numpy()

    return np.linspace(chosen.min().item(), chosen.max().item(), _STEPS), element
