"""Gibbs point processes: intensity by covariates, and what near points do to one another."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytensor.tensor as pt
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.energies.local_change import with_local_change
from pymc_ebm.energies.near_points import near_points
from pymc_ebm.energies.pattern_changes import geyer_change, hard_core_change, strauss_change

__all__ = ["geyer", "hard_core", "pairwise", "strauss"]


def strauss(radius: float, *, covariates: Callable | None = None) -> Callable[..., TensorVariable]:
    r"""Make the energy of Strauss's process: each pair of points nearer than a radius costs.

    .. math:: E(x \mid β, γ) = −n(x) \log β − s(x) \log γ

    n(x) counts the points of x and s(x) the pairs nearer than `radius`. γ is at most 1: above it a
    process without a limit of points has no normaliser. At γ = 1 it is the Poisson process of rate
    β, log Z = (β − 1) area(W). For γ = 0 take `hard_core`: log γ is no number to multiply by here.

    Parameters
    ----------
    radius : float
        In the units of places.
    covariates : callable, optional
        z(u), places ``(*batch, d)`` to ``(*batch, k)``, or to ``(*batch,)`` where k is 1, written
        with PyTensor's functions. The rate at u is then :math:`\exp(\log β + z(u)^T b)`.

    Returns
    -------
    callable
        ``energy(x, log_beta, log_gamma)``, or with covariates ``energy(x, log_beta, slopes,
        log_gamma)`` of signature ``"(),(k),()"``; in nats, of events of `pymc_ebm.space.points`.

    References
    ----------
    D. J. Strauss (1975), Biometrika 62, 467–475. F. P. Kelly, B. D. Ripley (1976), Biometrika 63,
    357–360.

    Examples
    --------
    >>> import pymc_ebm as ebm
    >>> x = ebm.space.pack([[[0.1, 0.1], [0.2, 0.1], [0.9, 0.9]]])
    >>> energy = strauss(0.3)
    >>> energy(x, 1.0, -2.0).eval().tolist()  # three points, one pair
    [-1.0]
    """

    def interaction(x, log_gamma):
        return -log_gamma * near_points(x, radius).sum(axis=-1) / 2

    return _with_intensity(interaction, covariates, strauss_change(radius))


def hard_core(
    radius: float, *, covariates: Callable | None = None
) -> Callable[..., TensorVariable]:
    r"""Make the energy of a hard-core process: no two points are nearer than a radius.

    .. math:: E(x \mid β) = −n(x) \log β, \qquad +∞ \text{ where a pair is nearer}

    On a line of length L, :math:`Z = e^{−L} \sum_n β^n (L − (n − 1) r)_+^n / n!`.

    Parameters
    ----------
    radius, covariates
        As of `strauss`.

    Returns
    -------
    callable
        ``energy(x, log_beta)`` or ``energy(x, log_beta, slopes)``.

    Examples
    --------
    >>> import pymc_ebm as ebm
    >>> x = ebm.space.pack([[[0.1], [0.9]], [[0.1], [0.2]]])
    >>> hard_core(0.3)(x, 1.0).eval().tolist()
    [-2.0, inf]
    """

    def interaction(x):
        return pt.switch(pt.gt(near_points(x, radius).sum(axis=-1), 0), np.inf, 0.0)

    return _with_intensity(interaction, covariates, hard_core_change(radius))


def pairwise(
    potential: Callable[..., TensorVariable], *, covariates: Callable | None = None
) -> Callable[..., TensorVariable]:
    r"""Make the energy of a process whose pairs have a potential φ of their distance.

    .. math:: E(x \mid β, θ) = −n(x) \log β + \sum_{i < j} φ(|x_i − x_j| \mid θ)

    Parameters
    ----------
    potential : callable
        φ(distance, \*params) in nats, written with PyTensor's functions, elementwise.
    covariates
        As of `strauss`.

    Returns
    -------
    callable
        ``energy(x, log_beta, *params)``, or ``energy(x, log_beta, slopes, *params)``.

    Examples
    --------
    >>> import pytensor.tensor as pt, pymc_ebm as ebm
    >>> soft = pairwise(lambda d, a: pt.exp(-d / a))
    >>> x = ebm.space.pack([[[0.0, 0.0], [0.3, 0.4]]])
    >>> soft(x, 0.0, 0.5).eval().round(6).tolist()
    [0.367879]
    """

    def interaction(x, *params):
        return _sum_over_pairs(x, lambda d: potential(d, *params))

    return _with_intensity(interaction, covariates)


def geyer(
    radius: float, saturation: float, *, covariates: Callable | None = None
) -> Callable[..., TensorVariable]:
    r"""Make the energy of Geyer's saturation process, which may cluster: γ above 1 is allowed.

    .. math:: E(x \mid β, γ) = −n(x) \log β − \log γ \sum_i \min(s, t_i(x))

    t_i counts the other points nearer than `radius` to point i. At s = ∞ it is Strauss's with γ².

    Parameters
    ----------
    radius, covariates
        As of `strauss`.
    saturation : float
        s, as many neighbours as count.

    Returns
    -------
    callable
        As of `strauss`.

    References
    ----------
    C. J. Geyer (1999), in Stochastic Geometry: Likelihood and Computation, 79–140.

    Examples
    --------
    >>> import pymc_ebm as ebm
    >>> x = ebm.space.pack([[[0.1, 0.1], [0.2, 0.1], [0.1, 0.2]]])
    >>> geyer(0.3, 1)(x, 0.0, 1.0).eval().tolist()  # each point has a neighbour that counts
    [-3.0]
    """

    def interaction(x, log_gamma):
        counted = pt.minimum(near_points(x, radius), saturation)
        return -log_gamma * counted.sum(axis=-1)

    return _with_intensity(interaction, covariates, geyer_change(radius, saturation))


def _with_intensity(interaction, covariates, change=None):
    """Points by their log rate, and the interaction's own parameters behind those of the rate.

    Without covariates, which numba cannot compile, it has the `local_change` that is given.
    """
    if covariates is None:

        def even(x, log_beta, *params):
            x = pt.as_tensor(x)
            return interaction(x, *params) - log_beta * x[..., -1].sum(axis=-1)

        return even if change is None else with_local_change(change)(even)

    def energy(x, log_beta, slopes, *params):
        x = pt.as_tensor(x)
        there = x[..., -1]
        z = _of_places(covariates(x[..., :-1]), x, slopes)
        # Where there is no point z may be anything.
        z = pt.switch(pt.eq(there, 1)[..., None], z, 0.0).sum(axis=-2)
        return interaction(x, *params) - log_beta * there.sum(axis=-1) - (z * slopes).sum(axis=-1)

    return energy


def _of_places(z, x, slopes):
    """Covariates ``(*batch, n, k)``, also of one that lacks its axis of length 1."""
    z, slopes = pt.as_tensor(z), pt.as_tensor(slopes)
    if z.type.ndim == x.type.ndim - 1:
        z = z[..., None]
    k, length = z.type.shape[-1:], slopes.type.shape[-1:]
    if z.type.ndim != x.type.ndim or (None not in (*k, *length) and k != length):
        raise ValueError(
            f"covariates= returned shape {z.type.shape} for places of shape {x.type.shape[:-1]} "
            f"and slopes of shape {slopes.type.shape}. Return (*batch, k), one for each slope."
        )
    return z


def _sum_over_pairs(x, of_distance):
    most = x.type.shape[-2]
    if most is None:
        raise ValueError(
            "The largest number of points is not known. Give events of one known shape, as "
            "pymc_ebm.space.pack makes them."
        )
    i, j = np.triu_indices(most, 1)
    square = ((x[..., i, :-1] - x[..., j, :-1]) ** 2).sum(axis=-1)
    both = pt.eq(x[..., i, -1] + x[..., j, -1], 2)
    # A distance that no potential minds, where there are no two points.
    value = of_distance(pt.sqrt(pt.switch(both, square, 1.0)))
    return pt.switch(both, value, 0.0).sum(axis=-1)
