"""The reference that an `EBM` makes for its data where the user gives none."""

import math
import warnings
from functools import partial

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pytensor.graph.utils import MissingInputError

from pymc_ebm.distribution.error_forecast import ErrorForecast, Unforeseeable
from pymc_ebm.distribution.observed import check_support
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.initial_values import initial_values
from pymc_ebm.reference._enumeration import enumeration
from pymc_ebm.reference._fitted import fitted
from pymc_ebm.reference._from_draws import from_draws
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.chains._pooled import pooled
from pymc_ebm.space.box import Support, normalise_support

__all__ = ["fit_reference"]

# Points before the energy is asked how many it needs, and the most that it gets: in all, and times
# the distinct rows of parameters.
_FEWEST_DRAWS, _FIRST_DRAWS = 2**10, 2**14
_MOST_DRAWS, _MOST_ENERGIES = 2**18, 2**21
_MOST_TIMES = 8
# What a reference may be expected to add, in posterior sds and bits: half of what `report` allows.
_WANTED_SHARE, _WANTED_BITS = 0.05, 0.1
# Up to so many states, all are enumerated.
_MOST_STATES = 2**16
# Numbers in the points of one anchor, 32 MiB, and the sites that its chains visit for them.
_MOST_NUMBERS = 2**22
_PRIOR_DRAWS = 1000
_FIRST_STATES = 32


def fit_reference(energy: Energy, params, data, support, progressbar=True) -> Reference:
    """Reference for the data where the user gives none.

    Discrete vectors and matrices with a finite number of values get all their states, where these
    are few, and else chains pooled over the parameters that the data and the prior allow. All
    other data get a proposal fitted to them.
    """
    if data is None:
        raise ValueError(
            "there are no observed data to fit a reference to. Give reference=, for example "
            "ebm.reference.independent(pm.Normal.dist(0, 3))."
        )
    event_ndim = _event_ndim(energy, params, data)
    values = _site_values(data, support) if event_ndim > 0 else None
    # One event without a batch axis, a lattice or a network, or an energy that sums over the batch?
    single = event_ndim == data.ndim > 0
    if single and values is not None:
        single = _event_ndim(energy, params, data[None]) != event_ndim
    if event_ndim < 0 or single:
        raise ValueError(
            f"the energy of data of shape {data.shape} has {data.ndim - event_ndim} dimensions. "
            "An energy maps (*batch, *event) to (*batch,) and keeps the batch axis."
        )
    event = data.shape[data.ndim - event_ndim :]
    flat = data.reshape((-1, *event))
    check_support(flat, event_ndim, support)
    if values is None and event_ndim > 0 and data.dtype.kind != "f" and support is None:
        warnings.warn(
            f"Vectors of integers from {data.min()} to {data.max()} are taken for counts without "
            "an end. If these are all the values that there can be, say "
            f"support=({data.min()}, {data.max()}); if not, say where they begin: "
            f"support=({min(data.min(), 0)}, np.inf).",
            UserWarning,
            stacklevel=3,
        )
    if values is not None:
        if len(values) ** math.prod(event) <= _MOST_STATES:
            return enumeration(values, shape=event, complete=True, support=support)
        if _n_rows(energy, params) == 1:
            return _chains(energy, params, flat, values, support, progressbar)
    return _of_fitting_size(energy, params, data, support, event_ndim)


def _event_ndim(energy, params, data) -> int:
    """x.ndim − energy(x).ndim: what the energy eats."""
    placeholders = [t(f"param_{i}") for i, t in enumerate(energy.core_types(params))]
    try:
        return data.ndim - pt.as_tensor(energy(pt.constant(data), *placeholders)).ndim
    except (IndexError, ValueError, TypeError) as error:
        hint = energy.call_hint(len(params), error) or (
            "If a parameter is a vector or a matrix that the observations share, write its "
            "signature, for example '(k),()' or '(k,k),()'."
        )
        raise ValueError(
            f"the energy cannot be called with data of shape {data.shape} and parameters of "
            f"{[p.ndim for p in placeholders]} dimensions: {error}. {hint}"
        ) from error


def _of_fitting_size(energy, params, data, support, event_ndim) -> Reference:
    """A fitted reference with as many points as bring its expected error to what is wanted.

    An error of one row's log Z enters the likelihood as often as the row has data, once in a
    regression, and each row needs all of the points. So it starts with fewer where there are many
    rows.
    """
    flat = data.reshape((-1, *data.shape[data.ndim - event_ndim :]))
    rows = _n_rows(energy, params)
    draws = int(max(_FIRST_DRAWS / 2 ** np.round(np.log2(rows) / 2), _FEWEST_DRAWS))
    most = max(draws, min(_MOST_DRAWS, 2 ** int(np.log2(_MOST_ENERGIES / rows))))
    # The same data give the same reference: fits are reproducible without a seed.
    fit = partial(fitted, flat, support=support, event_ndim=event_ndim, random_seed=0)
    reference = fit(draws)
    try:
        forecast = ErrorForecast(energy, params, data.astype(reference.points.dtype), event_ndim)
        while draws < most:
            share, bits = forecast(reference)
            times = max((share / _WANTED_SHARE) ** 2, bits / _WANTED_BITS)
            if not times > 1:
                break
            # Sobol points need fewer than so many, so they are asked again on the way.
            draws = min(most, draws * 2 ** int(np.ceil(np.log2(min(times, _MOST_TIMES)))))
            reference = fit(draws)
    except Unforeseeable:
        pass
    return reference


def _n_rows(energy: Energy, variables) -> int:
    """Number of distinct rows of parameters; 1 also where it is not known."""
    rows = energy.rows(variables)
    if rows.kinds is not None:
        return len(rows)
    values = initial_values(rows.distinct)
    return math.prod(energy.batch_shapes(values)[0]) if values else 1


def _site_values(data, support) -> NDArray | None:
    """The values of every site of discrete vectors; None where their number may be infinite."""
    if data.dtype.kind == "f":
        return None
    if support is not None:
        limits = normalise_support(support)
        if not isinstance(limits, Support):
            return None
        low, high = np.min(limits.lower), np.max(limits.upper)
        if np.ndim(limits.lower) or np.ndim(limits.upper) or not np.isfinite([low, high]).all():
            return None
        # Spins are the only values that leave one out.
        pair = np.array([-1, 1])
        if (low, high) == (-1, 1) and np.isin(data, pair).all():
            return pair
        return np.arange(int(np.ceil(low)), int(np.floor(high)) + 1)
    for pair in (np.array([0, 1]), np.array([-1, 1])):
        # Ones alone may be of either kind.
        if np.isin(data, pair).all() and (data == pair[0]).any():
            return pair
    return None


def _chains(energy, params, flat, values, support, progressbar) -> Reference:
    """Gibbs chains at anchors over what the data and the prior allow."""
    start = initial_values(params)
    if start is None:
        raise ValueError(
            "the parameters have no initial values from which to place chains. Give reference=, "
            "for example ebm.reference.pooled(...)."
        )
    from pymc_ebm.sampling._gibbs import gibbs  # brings numba and ArviZ

    rng = np.random.default_rng(0)
    states = rng.choice(values, size=(_FIRST_STATES, *flat.shape[1:]))
    space = from_draws(states, np.zeros(_FIRST_STATES), support=support)
    size = math.prod(flat.shape[1:])
    sweeps = max(_MOST_NUMBERS // (4 * size), 100)
    draws = min(sweeps, 4000)
    sampler = partial(
        gibbs, reference=space, values=values, draws=draws, thin=sweeps // draws, tune=500,
        clusters=True, return_inferencedata=False,
    )  # fmt: skip
    return pooled(
        energy,
        observed=flat,
        start=start,
        bounds=_prior_bounds(params),
        sampler=sampler,
        support=support,
        # The same data give the same reference: fits are reproducible without a seed.
        random_seed=rng,
        progressbar=progressbar,
    )


def _prior_bounds(variables) -> list | None:
    """Smallest and largest of 1000 draws from the prior of each parameter, where it has draws."""
    try:
        draws = pm.draw(variables, draws=_PRIOR_DRAWS, random_seed=0)
    except (MissingInputError, NotImplementedError):  # a flat prior
        return None
    return [(np.min(d, axis=0), np.max(d, axis=0)) for d in draws]
