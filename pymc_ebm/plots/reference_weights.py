"""Weights of the points of a reference, and where those of the data lie."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from arviz_plots import PlotCollection, visuals
from numpy.typing import ArrayLike, NDArray

from pymc_ebm.diagnostics.coverage.data_weights import data_log_weights
from pymc_ebm.diagnostics.normalisers.normalisers import Normalisers
from pymc_ebm.given import group
from pymc_ebm.plots.layout import label_panels, panels
from pymc_ebm.weights.normalised import normalise

__all__ = ["plot_reference_weights"]

_HISTOGRAM = ("histogram", "left_edges", "right_edges")


def plot_reference_weights(
    idata: xr.DataTree | None = None,
    *,
    draw: tuple[int, int] | None = None,
    point: Mapping[str, ArrayLike] | None = None,
    ebm: str | Sequence[str] | None = None,
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
    ebm : str or sequence of str, optional
        Normalisers to show, by their names in ``reference_stats``. All by default.
    model : pm.Model, optional
        The model of the context by default.
    **pc_kwargs
        Passed to ``arviz_plots.PlotCollection.grid``.

    Returns
    -------
    PlotCollection
        Its ``viz`` has the visuals ``hist``, ``largest`` and, where there are data, ``rug``, by the
        dimension ``of``.

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
    normalisers = Normalisers(model).required(ebm)
    given = {**_at_draw(idata, draw, normalisers.parameters), **(point or {})}
    values = normalisers.point(idata, given)
    of_data = data_log_weights(normalisers, values)
    names = list(normalisers.references)
    shown = {}
    for name, normaliser in normalisers.at(values).items():
        log_z = normalise(normaliser.log_weights)[0][:, None]
        log_m = np.log(normaliser.reference.points_per_row)
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
    known = any(len(data) for _, data in shown.values())
    beyond = any((data > points.max()).any() for points, data in shown.values())
    kinds = ["points", *["data"] * known, *["data beyond all points"] * beyond]
    bins = [
        [_histogram(of, *shown[n]) for of in (*shown[n], np.empty(0))[: len(kinds)]] for n in names
    ]
    hist = xr.Dataset(
        {"weights": (("ebm", "of", "plot_axis", "bin"), np.array(bins))},
        coords={"ebm": names, "of": kinds, "plot_axis": list(_HISTOGRAM)},
    )
    pc_kwargs.setdefault("aes", {"color": ["of"]})
    pc_kwargs.setdefault("color", ["C0", "C1", "C3"][: len(kinds)])
    pc = panels(hist, **pc_kwargs)
    pc.map(visuals.hist, "hist", data=hist, alpha=0.5, edgecolor="none")
    largest = [shown[n][0].max() for n in names]
    lines = xr.Dataset({"weights": ("ebm", largest)}, coords={"ebm": names})
    pc.map(visuals.vline, "largest", data=lines, ignore_aes="all", color="B1", linestyle="C1")
    if known:
        rugs = []
        for n, top in zip(names, largest, strict=True):
            x = shown[n][1]
            marks = [np.where(x <= top, x, np.nan), np.where(x > top, x, np.nan)]
            rugs.append(marks[: len(kinds) - 1])
        widest = max(rug[0].size for rug in rugs)
        rugs = [[np.pad(x, (0, widest - x.size), constant_values=np.nan) for x in r] for r in rugs]
        rug = xr.Dataset(
            {"weights": (("ebm", "of", "datum"), np.array(rugs))},
            coords={"ebm": names, "of": kinds[1:]},
        )
        below = -0.04 * np.nanmax(hist["weights"].sel(plot_axis="histogram").to_numpy())
        pc.map(visuals.scatter_x, "rug", data=rug, y=below, marker="|", size=60, alpha=0.7)
        pc.add_legend("of", title="")
    label_panels(pc, names, {"weights": "density"}, "log weight above the average, nats")
    return pc


def _histogram(of: NDArray, points: NDArray, data: NDArray) -> NDArray:
    """Density, left and right edges ``(3, bins)``; NaN where there are too few to tell."""
    bins = 40
    finite = np.concatenate([points, data])
    finite = finite[np.isfinite(finite)]
    # Weights this many nats below the largest say nothing of log Ẑ.
    low = max(finite.min(), points.max() - 15.0)
    if np.isfinite(data).any():
        low = min(low, data[np.isfinite(data)].min())
    high = max(finite.max(), low + 1e-6)
    counts, edges = np.histogram(of, bins, (low, high))
    if len(of) < 30:
        return np.full((3, bins), np.nan)
    return np.array([counts / len(of) / (edges[1] - edges[0]), edges[:-1], edges[1:]])
