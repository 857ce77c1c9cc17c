"""Weights of the points of a reference, and where those of the data lie."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from arviz_plots import PlotCollection, visuals
from numpy.typing import ArrayLike, NDArray

from pymc_ebm.diagnostics.at_parameters import NormalisersAt, data_log_weights
from pymc_ebm.plots.layout import group, label_rows, panels

__all__ = ["plot_reference_weights"]

# Weights this many nats below the largest say nothing of log Ẑ.
_NATS_SHOWN = 15.0
_BINS = 40
_FEWEST_FOR_HISTOGRAM = 30
_RUG = -0.04


def plot_reference_weights(
    idata: xr.DataTree | None = None,
    *,
    draw: tuple[int, int] | None = None,
    point: Mapping[str, ArrayLike] | None = None,
    ebm: Sequence[str] | None = None,
    model=None,
    **pc_kwargs: Any,
) -> PlotCollection:
    r"""Plot how the weights of the points are distributed, and where those of the data lie.

    .. math:: \log(M \bar w_m) = a_m − E(y_m \mid θ) − \log \hat Z(θ) + \log M

    is 0 for a point of average weight. A datum has the weight that a point at its place would
    have. With a sound reference the data are among the points, more of them to the right. Data to
    the right of the dashed line, which is the largest weight of all points, are red: many of them,
    or one far away, are a part of the model that the points did not reach. Data to the left of
    most points mean a misspecified model, which is no fault of the reference.

    Parameters
    ----------
    idata : xr.DataTree, optional
        With a posterior group. The parameters are at their posterior means.
    draw : (int, int), optional
        Chain and draw, by their labels, at which the parameters are instead.
    point : dict, optional
        Values of parameters, before anything in `idata`.
    ebm : sequence of str, optional
        Normalisers to show, by their names in ``reference_stats``. All by default.
    model : pm.Model, optional
        The model of the context by default.
    **pc_kwargs
        Passed to ``arviz_plots.PlotCollection.grid``.

    Returns
    -------
    PlotCollection
        Its ``viz`` has the visuals ``hist``, ``largest``, ``rug`` and ``beyond``.

    Raises
    ------
    ValueError
        If the value of a parameter is not known.

    Notes
    -----
    The data of an observed `EBM` are shown where the density of the reference is known: that of
    proposals from which it was drawn, and the mixture over anchors for pooled chains. Quadrature,
    given draws, potentials and the components of a mixture have points alone. Weights more than
    15 nats below the largest are left out, unless data are there.

    References
    ----------
    I. J. Good (1953), "The population frequencies of species", Biometrika 40, 237–264: what lies
    beyond all draws seen has a probability of about the weight of the largest.

    Examples
    --------
    >>> import numpy as np, pymc as pm, pymc_ebm as ebm
    >>> data = np.random.default_rng(1).normal(0, 2, size=100)
    >>> with pm.Model() as model:
    ...     sigma = pm.HalfNormal("sigma", 5)
    ...     x = ebm.EBM("x", sigma, energy=lambda x, s: x**2 / (2 * s**2), observed=data)
    ...     pc = ebm.plots.plot_reference_weights(point={"sigma": 2.0})
    """
    at = NormalisersAt(model, ebm)
    values = at.point(idata, {**_at_draw(idata, draw, at.parameters), **(point or {})})
    of_data = data_log_weights(values, model)
    names = list(at.references)
    shown = {}
    for name, normaliser in at(values).items():
        log_z = np.logaddexp.reduce(normaliser.log_weights, axis=1, keepdims=True)
        log_m = np.log(normaliser.reference.n_points)
        points = (normaliser.log_weights - log_z + log_m).ravel()
        shown[name] = (points, of_data.get(name, np.empty(0)) + log_m)
    return _draw(names, shown, pc_kwargs)


def _at_draw(idata, draw, parameters) -> dict[str, NDArray]:
    if draw is None:
        return {}
    posterior = group(
        xr.DataTree() if idata is None else idata, "posterior", "Pass what pm.sample returned."
    )
    one = posterior.sel(dict(zip(("chain", "draw"), draw, strict=True)))
    return {n: one[n].to_numpy() for n in parameters if n in one}


def _draw(names, shown, pc_kwargs) -> PlotCollection:
    histograms = [[_histogram(of, *shown[n]) for of in shown[n]] for n in names]
    hist = xr.Dataset(
        {"weights": (("ebm", "of", "plot_axis", "bin"), np.array(histograms))},
        coords={
            "ebm": names,
            "of": ["points", "data"],
            "plot_axis": ["histogram", "left_edges", "right_edges"],
        },
    )
    pc_kwargs.setdefault("aes", {"color": ["of"]})
    pc = panels(hist, **pc_kwargs)
    pc.map(visuals.hist, "hist", data=hist, alpha=0.5, edgecolor="none")
    largest = np.array([shown[n][0].max() for n in names])
    pc.map(
        visuals.vline, "largest", data=_by_ebm(names, largest), ignore_aes="all", color="B1",
        linestyle="C1",
    )  # fmt: skip
    below = _RUG * np.nanmax(hist["weights"].sel(plot_axis="histogram").to_numpy())
    for label, wanted, style in (
        ("rug", lambda x, top: x <= top, {}),
        ("beyond", lambda x, top: x > top, {"color": "C3"}),
    ):
        rug = [shown[n][1][wanted(shown[n][1], top)] for n, top in zip(names, largest, strict=True)]
        if any(len(r) for r in rug):
            ticks = _by_ebm(names, _padded(rug)).expand_dims(of=["data"])
            pc.map(
                visuals.scatter_x, label, data=ticks, y=below, marker="|", size=60, alpha=0.7,
                ignore_aes="all" if style else frozenset(), **style,
            )  # fmt: skip
    label_rows(pc, hist, {"weights": "density"}, "log weight above the average, nats")
    pc.add_legend("of", title="")
    return pc


def _histogram(of: NDArray, points: NDArray, data: NDArray) -> NDArray:
    """Density, left and right edges ``(3, bins)``; NaN where there are too few to tell."""
    finite = np.concatenate([points, data])
    finite = finite[np.isfinite(finite)]
    low = max(finite.min(), points.max() - _NATS_SHOWN)
    if np.isfinite(data).any():
        low = min(low, data[np.isfinite(data)].min())
    high = max(finite.max(), low + 1e-6)
    counts, edges = np.histogram(of, _BINS, (low, high))
    if len(of) < _FEWEST_FOR_HISTOGRAM:
        return np.full((3, _BINS), np.nan)
    return np.array([counts / len(of) / (edges[1] - edges[0]), edges[:-1], edges[1:]])


def _by_ebm(names, values) -> xr.Dataset:
    dims = ("ebm", "datum")[: np.ndim(values)]
    return xr.Dataset({"weights": (dims, values)}, coords={"ebm": names})


def _padded(rows: list[NDArray]) -> NDArray:
    width = max(map(len, rows))
    return np.array([np.pad(r, (0, width - len(r)), constant_values=np.nan) for r in rows])
