"""Importance sampling with resampling."""

from __future__ import annotations

import math
import warnings

import numpy as np
import xarray as xr

from pymc_ebm.energy.energy import Energy, EnergyFunction, as_energy
from pymc_ebm.memory import check_memory
from pymc_ebm.reference.base import Reference
from pymc_ebm.sampling.checks import check_sampling
from pymc_ebm.sampling.compiled_energies import energy_function, spell, weights_function
from pymc_ebm.sampling.output import datatree
from pymc_ebm.weights.normalised import ess, normalise

__all__ = ["importance_resampling"]


def importance_resampling(
    energy: Energy | EnergyFunction,
    *params,
    reference: Reference,
    draws: int = 1000,
    chains: int = 4,
    random_seed=None,
    signature: str | None = None,
    progressbar: bool = True,
    method: str = "multinomial",
    return_inferencedata: bool = True,
) -> xr.DataTree | np.ndarray:
    r"""Draws from p(x|θ): reference points, each with its normalised weight (eqs. 19 and 20).

    .. math:: P(x = y_m) = \bar w_m \propto \exp(a_m − E(y_m \mid θ))

    Draws repeat points of the reference, so they are as good as its effective number of points,
    the attribute ``ess`` = 1 / Σ w̄², whatever their own number.

    Parameters
    ----------
    energy : callable
        ``energy(x, *params)`` in nats, ``(*batch, *event) -> (*batch,)``.
    *params : array_like
        One row of parameter values, each of its core shape.
    reference : Reference
        Any: fixed, q(y|θ) or exact.
    draws, chains : int
        Chains are independent of one another.
    random_seed : optional
        As for ``numpy.random.default_rng``.
    signature : str, optional
        Core dimensions of the parameters, as in `log_partition`; scalars by default.
    progressbar : bool
        Not used: there is one evaluation of the energy.
    method : {"multinomial", "systematic", "stratified"}
        Independent draws, as in the paper; or the quantiles of evenly spaced numbers with one
        random shift, or of one random number in each of `draws` equal intervals. These two repeat
        point m about draws·w̄_m times in each chain, with less noise, in random order.
    return_inferencedata : bool
        False returns the draws alone, ``(chain, draw, *event)``.

    Returns
    -------
    xr.DataTree
        Group ``samples`` with x; ``sample_stats`` with ``energy`` and the index ``point`` of each
        draw; ``reference_weights`` with ``log_weights`` a_m − E(y_m|θ) and the normalised
        ``weights``, by point.

    Raises
    ------
    ValueError
        All weights zero or one NaN; several rows of parameters or a reference of rows; numbers
        below the least; an unknown method.
    TypeError
        No reference.

    Warns
    -----
    UserWarning
        Fewer than 50 effective points, and the reference is not exact.

    Examples
    --------
    >>> import pymc as pm, pymc_ebm as ebm
    >>> q = ebm.reference.independent(pm.Normal.dist(0, 4), random_seed=1)
    >>> draws = ebm.sampling.importance_resampling(
    ...     lambda x, s: x**2 / (2 * s**2), 2.0, reference=q, random_seed=2
    ... )
    >>> draws["samples"]["x"].sizes["draw"], 1000 < draws.attrs["ess"] < 4096
    (1000, True)
    """
    check_sampling(reference, draws=draws, chains=chains)
    rng = np.random.default_rng(random_seed)
    energy = as_energy(energy, signature)
    row = energy.row(params)
    resample = _method(method)
    log_weights, points = weights_function(energy, reference, row)
    weights, n_effective = _normalise(log_weights, reference, row)
    cumulative = np.cumsum(weights)
    size = math.prod(reference.event_shape)
    check_memory(chains * draws, 5 + 2 * size, "Use fewer draws.")
    u = resample(rng, chains, draws) * cumulative[-1]
    index = np.searchsorted(cumulative, u, side="right")
    # Rounding may put u at the very end, past the last point with weight.
    index = np.minimum(index, np.flatnonzero(weights)[-1])
    x = points[index]
    if not return_inferencedata:
        return x
    used, where = np.unique(index, return_inverse=True)
    energies = energy_function(energy, reference, row)(points[used])[where.reshape(index.shape)]
    by_point = {"log_weights": ("point", log_weights), "weights": ("point", weights)}
    return datatree(
        "importance_resampling",
        x,
        sample_stats={"energy": energies, "point": index},
        ess=n_effective,
        reference=reference,
        random_seed=random_seed,
        reference_weights=xr.Dataset(by_point, coords={"point": np.arange(len(weights))}),
    )


def _normalise(log_weights, reference, row):
    log_z, weights = normalise(log_weights)
    if not np.isfinite(log_z):
        raise ValueError(
            f"There are no draws at parameters {spell(row)}: the weights of {len(log_weights)} "
            "reference points are all zero or not a number. Choose a reference that covers these "
            "parameter values."
        )
    size = float(ess(weights))
    # Below this effective number of points, draws repeat a few of them.
    if size < 50 and reference.level != "exact":
        warnings.warn(
            f"Draws at parameters {spell(row)} come from {size:.1f} effective reference points of "
            f"{len(weights)}, so they do not follow the model there. Widen the reference, or use "
            "pymc_ebm.sampling.independent_metropolis.",
            UserWarning,
            stacklevel=3,
        )
    return weights, size


def _method(name):
    """Uniforms of each chain, in random order, ``(chain, draw)``."""

    def multinomial(rng, chains, draws):
        return rng.random((chains, draws))

    def systematic(rng, chains, draws):
        shift = rng.random((chains, 1))
        return rng.permuted((np.arange(draws) + shift) / draws, axis=1)

    def stratified(rng, chains, draws):
        return rng.permuted((np.arange(draws) + rng.random((chains, draws))) / draws, axis=1)

    methods = {f.__name__: f for f in (multinomial, systematic, stratified)}
    if name not in methods:
        raise ValueError(
            f"The method {name!r} is unknown. Use one of {', '.join(map(repr, methods))}."
        )
    return methods[name]
