"""Few sites whose log densities tell those of all others, for all parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import graph_inputs
from scipy import linalg

from pymc_ebm.distribution.hidden.emission import Emission
from pymc_ebm.distribution.hidden.features import features_of, independent_columns
from pymc_ebm.energy.initial_values import initial_values

__all__ = ["Basis", "basis_of", "coefficients_at"]


@dataclass(frozen=True, eq=False)
class Basis:
    r"""log p(y_i | x_i = v, φ) = Σ_j weights_ij log p(y_{p_j} | v, φ), for every v and φ.

    So it is in exponential families: of normal densities all are sums of those at three pixels.

    Attributes
    ----------
    weights : ndarray, shape (D, J)
    pivots : ndarray of int, shape (J,)
        The sites p_j.
    """

    weights: NDArray
    pivots: NDArray


def basis_of(emission: Emission, y: NDArray, phi: Sequence) -> Basis | None:
    """A basis of few sites of one image; None where the graph of the emission has none.

    Parameters
    ----------
    emission : Emission
    y : ndarray
        ``(*event, *channels)``.
    phi : sequence of TensorVariable
    """
    layout, n = emission.layout, emission.layout.n_sites
    present = initial_values(phi)
    if present is None:
        return None
    params = [p if isinstance(p, Constant) else pt.tensor(dtype=p.dtype, shape=v.shape)
              for p, v in zip(phi, present, strict=True)]  # fmt: skip
    # One more than there are: what has a value for each site of the image does not fit.
    seen = pt.tensor("y", dtype=y.dtype, shape=(n + 1, *layout.channels))
    of_sites = {seen: y.reshape(n, *layout.channels)}
    for j, values in _covariates(phi, layout.event).items():
        params[j] = pt.tensor(dtype=values.dtype, shape=(n + 1, *values.shape[1:]))
        of_sites[params[j]] = values
    alone = emission.of_sites(n + 1)
    found = []
    for value in emission.values:
        try:
            log_density = alone.of_state(value, seen, params)
        except (ValueError, IndexError, TypeError):
            return None
        known = {seen, *params}
        given = all(isinstance(v, Constant) or v in known for v in graph_inputs([log_density]))
        if log_density.type.shape != (n + 1,) or not given:
            return None
        found.append(features_of(log_density, of_sites))
    if any(f is None for f in found):
        return None
    features = np.concatenate([f for f in found if f is not None], axis=1)
    kept = independent_columns(features)
    if kept is None or len(kept) == n:
        return None
    features = features[:, kept] / np.linalg.norm(features[:, kept], axis=0)
    pivots = np.sort(linalg.qr(features.T, mode="r", pivoting=True)[1][: len(kept)])
    return Basis(linalg.solve(features[pivots].T, features.T).T, pivots)


def coefficients_at(basis: Basis | None, emission: Emission, y, phi: Sequence, image: int):
    """Graph of the log densities of the sites of a basis, ``(J, K)``, or of all.

    Parameters
    ----------
    basis : Basis or None
    emission : Emission
    y : TensorVariable
        ``(*batch, *event, *channels)``.
    phi : sequence of TensorVariable
    image : int
        Which one of the data.
    """
    layout = emission.layout
    if basis is None:
        table = emission.log_densities(y, phi)
        return table.reshape((-1, *table.shape[-2:]))[image]
    sites = y.reshape((-1, layout.n_sites, *layout.channels))[image, basis.pivots]
    params = list(phi)
    for j, values in _covariates(phi, layout.event).items():
        params[j] = pt.constant(values[basis.pivots])
    return emission.of_sites(len(basis.pivots)).log_densities(sites, params)


def _covariates(phi: Sequence, event: tuple[int, ...]) -> dict[int, NDArray]:
    """Which parameters are numbers of each site, and these, ``(D, *channels)``."""
    return {
        j: p.data.reshape(-1, *p.data.shape[len(event) :])
        for j, p in enumerate(phi)
        if isinstance(p, Constant) and event and p.data.shape[: len(event)] == event
    }
