"""How far the chains at the anchors of a pooled reference overlap."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from pymc_ebm.given import group
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.chains._pooled import LEAST_OVERLAP

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_anchor_overlap"]


def plot_anchor_overlap(
    data: xr.DataTree | Reference,
    *,
    ebm: str | None = None,
    ax: "Axes | None" = None,
    figsize: tuple[float, float] | None = None,
    text: bool | None = None,
    **kwargs: Any,
) -> "Axes":
    r"""Plot the overlap matrix of the anchors of pooled chains.

    .. math:: O_{kl} = \frac{1}{n_k} \sum_m p_{mk} \, p_{ml}

    is the probability that a point of anchor k (row) belongs to anchor l (column); a row sums to
    1. Anchors are in the order of their values. Chains that are tied to no others, which are
    marked with a cross, know nothing of the difference of their log Ẑ from the others'.

    Parameters
    ----------
    data : xr.DataTree or Reference
        After `compute_reference_stats`, or a reference of pooled chains.
    ebm : str, optional
        Name of the normaliser; the only one of pooled chains by default.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    figsize : tuple of float, optional
        Of a new figure, in inches.
    text : bool, optional
        Write the numbers; by default up to 12 anchors.
    **kwargs
        Passed to ``matplotlib.axes.Axes.imshow``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there are no pooled chains, or several and `ebm` does not say which.

    References
    ----------
    M. R. Shirts, J. D. Chodera (2008), J. Chem. Phys. 129, 124105; P. V. Klimovich, M. R. Shirts,
    D. L. Mobley (2015), doi:10.1007/s10822-015-9840-9, who read the matrix like this and take
    0.03 as the least overlap.

    Examples
    --------
    >>> import numpy as np, pymc_ebm as ebm
    >>> rng = np.random.default_rng(1)
    >>> q = ebm.reference.pooled(
    ...     lambda x, s: x**2 / (2 * s**2),
    ...     [(1.0,), (2.0,), (4.0,)],
    ...     draws=[rng.normal(0, s, size=(4, 500)) for s in (1.0, 2.0, 4.0)],
    ... )
    >>> ax = ebm.plots.plot_anchor_overlap(q)
    """
    from matplotlib import pyplot as plt

    anchors, overlap = _pool(data, ebm)
    order = np.lexsort(anchors.T[::-1])
    anchors, overlap = anchors[order], overlap[np.ix_(order, order)]
    n = len(anchors)
    if ax is None:
        side = float(np.clip(1.6 + 0.42 * n, 3.5, 9))
        _, ax = plt.subplots(figsize=figsize or (1.15 * side, side), layout="constrained")
    image = ax.imshow(overlap, **{"cmap": "Blues", "vmin": 0, **kwargs})
    ax.figure.colorbar(image, ax=ax, label="probability", shrink=0.8)
    # Cells beyond which numbers in them cannot be read.
    if text or (text is None and n <= 12):
        for (row, column), value in np.ndenumerate(overlap):
            colour = "white" if value > 0.5 * overlap.max() else "0.2"
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=8)
    alone = np.flatnonzero(1 - np.diag(overlap) < LEAST_OVERLAP) if n > 1 else np.empty(0, int)
    ax.plot(alone, alone, "x", color="C3", markersize=14, label="tied to no others")
    labels = [", ".join(f"{v:.3g}" for v in anchor) for anchor in anchors]
    shown = np.arange(n)[:: -(-n // 24)]
    ax.set_xticks(shown, [labels[i] for i in shown], rotation=90)
    ax.set_yticks(shown, [labels[i] for i in shown])
    ax.set(xlabel="belongs to anchor", ylabel="point of anchor")
    return ax


def _pool(data, ebm) -> tuple[np.ndarray, np.ndarray]:
    """Anchors ``(K, P)`` and their overlap ``(K, K)``."""
    if isinstance(data, Reference):
        if data.pool is None:
            raise ValueError(
                f"The reference ({data.description or 'given points'}) has no anchors. Only "
                "reference.pooled and reference.chain have."
            )
        return data.pool.anchors, data.pool.overlap
    stats = group(data, "reference_stats", "Run compute_reference_stats(idata) first.")
    references = json.loads(stats.attrs["references"])
    names = [n for n, r in references.items() if "overlap" in r and ebm in (None, n)]
    if len(names) != 1:
        among = "" if ebm is None else f" of the name {ebm!r}"
        raise ValueError(
            f"There are {len(names)} references of pooled chains{among} among "
            f"{', '.join(references)}. Name one with ebm=."
        )
    reference = references[names[0]]
    return np.array(reference["anchors"]), np.array(reference["overlap"])
