"""Few sites whose log densities tell those of all others, for all parameters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from pymc_ebm.distribution.hidden.emission import Emission

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
    alone : bool
        Whether the emission may be called for these sites alone: it has no covariates.
    """

    weights: NDArray
    pivots: NDArray
    alone: bool = False


def basis_of(
    table: Callable[[NDArray], NDArray],
    size: int,
    rng: np.random.Generator,
    *,
    most: int = 16,
    tolerance: float = 1e-10,
) -> Basis | None:
    """A basis of few sites; None where there is none, as of heavy tails.

    Parameters
    ----------
    table : callable
        Unconstrained values ``(size,)`` to log densities ``(D, K)``.
    size : int
    rng : numpy.random.Generator
        For parameters at which they are looked at.
    most : int
        Sites of a basis.
    tolerance : float
        Of the log densities, relative to the largest.
    """
    first, second = (
        np.concatenate([table(u) for u in rng.normal(size=(8 if size else 1, size))], axis=1)
        for _ in range(2)
    )
    # Far densities, and those of what cannot be, would hide the others.
    if not np.abs([first, second]).max() < 1e8:
        return None
    _, r, order = linalg.qr(first.T, mode="economic", pivoting=True)
    heights = np.abs(np.diag(r))
    rank = int((heights > tolerance * heights[0]).sum())
    if rank > most:
        return None
    pivots = np.sort(order[:rank])
    weights = linalg.lstsq(first[pivots].T, first.T)[0].T
    # At parameters that had no part in it.
    error = np.abs(weights @ second[pivots] - second).max()
    if error > 1e2 * tolerance * np.abs(second).max():
        return None
    return Basis(weights, pivots)


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
    if basis is None or not basis.alone:
        table = emission.log_densities(y, phi)
        table = table.reshape((-1, *table.shape[-2:]))[image]
        return table if basis is None else table[basis.pivots]
    sites = y.reshape((-1, layout.n_sites, *layout.channels))[image, basis.pivots]
    return emission.of_sites(len(basis.pivots)).log_densities(sites, phi)
