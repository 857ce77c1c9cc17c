"""The reference that an `EBM` makes for its data where the user gives none."""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray
from pytensor.tensor.variable import TensorVariable

from pymc_ebm.distribution.anchored_chains import anchored_chains
from pymc_ebm.distribution.annealed_for import annealed_for
from pymc_ebm.distribution.cut_patterns import check_room
from pymc_ebm.distribution.error_forecast import ErrorForecast
from pymc_ebm.distribution.events import Events, events_of
from pymc_ebm.distribution.integrals import check_convergence, check_space, prior_rows
from pymc_ebm.distribution.of_free_values import Unforeseeable
from pymc_ebm.distribution.panels_for import panels_for
from pymc_ebm.distribution.pilot import PilotLikelihood
from pymc_ebm.distribution.refusal import check_added, in_words, refuse
from pymc_ebm.distribution.whole_range import whole_range
from pymc_ebm.distribution.without_data import without_data
from pymc_ebm.energy.energy import Energy
from pymc_ebm.energy.initial_values import initial_values
from pymc_ebm.reference._enumeration import enumeration
from pymc_ebm.reference._fitted import fitted
from pymc_ebm.reference._panels import Unresolved
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.laws.law_by_uniforms import LawByUniforms
from pymc_ebm.reference.sizes import enough_points, first_points, most_points, times_needed
from pymc_ebm.space.box import Support
from pymc_ebm.space.sites import Sites
from pymc_ebm.space.whole_numbers import WholeNumbers

__all__ = ["fit_reference"]

# Up to so many states, times distinct rows of parameters, all are enumerated.
_MOST_STATES = 2**20
# How far the number of fitted points goes up before the error is asked again.
_MOST_TIMES = 8


@dataclass(frozen=True)
class _Wanted:
    """For what a reference is wanted."""

    energy: Energy
    params: Sequence[TensorVariable]
    events: Events
    progressbar: bool
    # The energy of the data and these, where points are on another space.
    seen: tuple[Energy, NDArray] | None = None
    # Why ways do not serve, or what they would add to the posterior, in words.
    tried: list[str] = field(default_factory=list)

    @cached_property
    def rows(self) -> int:
        """Distinct rows of parameters; 1 also where their number is not known."""
        return _n_rows(self.energy, self.params)

    @cached_property
    def pilot(self) -> PilotLikelihood | None:
        """The likelihood before the model has it; None where that cannot be told."""
        try:
            return PilotLikelihood(
                self.energy, self.params, self.events.data, self.events.event_ndim, self.seen,
                self.events.whole,
            )  # fmt: skip
        except Unforeseeable:
            return None

    @cached_property
    def forecast(self) -> ErrorForecast | None:
        """What references would add to the posterior; None where that cannot be told."""
        return None if self.pilot is None else ErrorForecast(self.pilot)


def fit_reference(
    energy: Energy,
    params: Sequence[TensorVariable],
    data: NDArray | None,
    support,
    progressbar,
    seen: tuple[Energy, NDArray] | None = None,
    holes: NDArray | None = None,
) -> Reference:
    """Reference for the data where the user gives none: the first way that can serve.

    Raises
    ------
    ValueError
        No data; data that no space takes; an integral that diverges, or whose space moves with
        the parameters; chains that find no place.
    """
    if data is None:
        return without_data(support)
    began = time.thread_time()
    events = events_of(energy, params, data, support, holes)
    if support is None and isinstance(events.space, WholeNumbers) and events.event_ndim:
        _tell_of_counts(data)
    endless = not events.space.discrete or isinstance(events.space, WholeNumbers)
    rows = prior_rows(energy, params) if endless else []
    check_convergence(energy, params, events, rows)
    wanted = _Wanted(energy, params, events, progressbar, seen)
    reference = _first_that_serves(wanted)
    check_space(energy, params, reference, rows)
    check_room(energy, events, reference, wanted.pilot)
    return replace(reference, seconds=time.thread_time() - began)


def _first_that_serves(wanted: _Wanted) -> Reference:
    for way in WAYS:
        found = way(wanted)
        if isinstance(found, Reference):
            return found
        if found:
            wanted.tried.append(found)
    raise AssertionError("the last way serves or refuses")


def _all_states(wanted: _Wanted) -> Reference | str | None:
    """Few states: the sum itself."""
    space = wanted.events.space
    size = space.n_states * max(math.prod(space.event_shape or ()), 1)
    if space.n_states * wanted.rows > _MOST_STATES or size > 2**25:
        finite = math.isfinite(space.n_states)
        return f"{space.n_states:.3g} states are too many to sum over" if finite else None
    states = space.all_states()
    return None if states is None else enumeration(states, complete=True, support=space)


def _whole_range(wanted: _Wanted) -> Reference | str | None:
    """Whole numbers whose ends have no weight at any parameters that the data allow."""
    space, forecast = wanted.events.space, wanted.forecast
    if not isinstance(space, WholeNumbers) or forecast is None:
        return None
    return whole_range(space, wanted.events.flat, forecast, _MOST_STATES // 2**4 // wanted.rows)


def _chains(wanted: _Wanted) -> Reference | str | None:
    """Many states that share one row of parameters: chains where the data allow them."""
    if not isinstance(wanted.events.space, Sites):
        return None
    if wanted.rows > 1:
        return f"chains have one row of parameters, and here are {wanted.rows}"
    return anchored_chains(wanted.energy, wanted.params, wanted.events, wanted.progressbar)


def _panels(wanted: _Wanted) -> Reference | str | None:
    """One or two real numbers, a circle or a sphere: nodes that resolve the model."""
    space, pilot = wanted.events.space, wanted.pilot
    if space.discrete or pilot is None:
        return None
    try:
        with np.errstate(all="ignore"):  # at some parameters the integral may be infinite
            reference = panels_for(pilot, space)
    except Unforeseeable:
        return None
    except Unresolved as error:
        return f"panels may leave {error.nats:.2g} nats of the log-likelihood wrong"
    if reference.n_points > max(most_points(wanted.rows), _MOST_TIMES * first_points(wanted.rows)):
        return f"{reference.n_points} nodes are too many for each of {wanted.rows} rows"
    # Fresh draws of a fitted law serve what asks a reference for draws.
    flat = wanted.events.flat
    law = LawByUniforms(space.base_law(flat, np.random.default_rng(0)), flat.shape[1:])
    return replace(reference, proposal=law)


def _few_fitted_points(wanted: _Wanted) -> Reference | str | None:
    """Points fitted to the data, where they are enough and nothing exact is left to take."""
    # Fewer effective points do not tell their own error.
    fewest = 1000
    forecast = _in_many_dimensions(wanted)
    if forecast is None:
        return None
    try:
        reference = _fitted_points(wanted, fewest)
        share, bits = forecast(reference)
        effective = forecast.effective_points(reference)
        if effective >= fewest and times_needed(share, bits) <= 1:
            return reference
        return in_words(reference, forecast)
    except Unforeseeable:
        return None


def _annealed(wanted: _Wanted) -> Reference | str | None:
    """Points annealed to the maximum of the likelihood, where fitted ones are too few.

    Raises
    ------
    ValueError
        They would add more to the posterior than anybody can use.
    """
    # Of its own: the first reference finds the maximum, and fitted points may have found none.
    forecast = _in_many_dimensions(wanted)
    if forecast is None:
        many = wanted.rows > 1 and not wanted.events.space.discrete
        return f"annealed runs have one row of parameters, not {wanted.rows}" if many else None
    at = None
    if wanted.seen is not None and wanted.pilot is not None:
        at = wanted.pilot.maximum(_fitted_points(wanted))
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The runs' spread", category=UserWarning)
            reference = annealed_for(
                wanted.energy, wanted.params, wanted.events.flat, wanted.events.space,
                at=at, progressbar=wanted.progressbar,
            )  # fmt: skip
        share, _ = forecast(reference)
    except Unforeseeable:
        return None
    # Nobody can use a larger error.
    if share > 0.1:
        refuse(
            [*wanted.tried, f"{reference.n_points} annealed ones would add {share:.2g}"],
            "reference=ebm.reference.annealed(...) with a larger most_points, or with starts= at "
            "the modes",
        )
    return reference


def _in_many_dimensions(wanted: _Wanted) -> ErrorForecast | None:
    """Forecast for events of many real numbers, or of a curved space, that share parameters."""
    events = wanted.events
    size = math.prod(events.flat.shape[1:])
    sums = isinstance(events.space, Sites | WholeNumbers)
    # In fewer, fitted points are enough.
    few = type(events.space) is Support and size < 3
    if sums or few or wanted.rows > 1:
        return None
    return None if wanted.pilot is None else ErrorForecast(wanted.pilot)


def _fitted_points(wanted: _Wanted, fewest_effective: float = 0.0) -> Reference:
    """Points fitted to the data, as many as bring their expected error to what is wanted.

    An error of one row's log Z enters the likelihood as often as the row has data, once in a
    regression, and each row needs all of the points. So it starts with fewer where there are many
    rows.
    """
    events, rows, forecast = wanted.events, wanted.rows, wanted.forecast
    draws = first_points(rows)
    most = max(draws, most_points(rows))
    # The same data give the same reference: fits are reproducible without a seed.
    fit = partial(
        fitted, events.flat, support=events.space, event_ndim=events.event_ndim, random_seed=0
    )
    reference = fit(draws)
    while forecast is not None and draws < most:
        try:
            share, bits = forecast(reference)
        except Unforeseeable:
            break
        times = times_needed(share, bits)
        if not times > 1 or forecast.effective_points(reference) < fewest_effective:
            break
        # Sobol points need fewer than so many, so they are asked again on the way.
        draws = enough_points(draws, times, most, most_times=_MOST_TIMES)
        reference = fit(draws)
    return reference


def _last_points(wanted: _Wanted) -> Reference:
    """Fitted points, where what they add is not known or can be used."""
    reference = _fitted_points(wanted)
    check_added(reference, wanted.forecast, wanted.tried, wanted.events, wanted.rows)
    return reference


# Exact ways first; where one does not serve it may say why, and the last serves or refuses.
WAYS: tuple[Callable[[_Wanted], Reference | str | None], ...] = (
    _all_states,
    _whole_range,
    _panels,
    _chains,
    _few_fitted_points,
    _annealed,
    _last_points,
)


def _tell_of_counts(data: NDArray) -> None:
    warnings.warn(
        f"Vectors of integers from {data.min()} to {data.max()} are taken for counts without "
        "an end. If these are all the values that there can be, say "
        f"support=({data.min()}, {data.max()}); if not, say where they begin: "
        f"support=({min(data.min(), 0)}, np.inf).",
        UserWarning,
        stacklevel=4,
    )


def _n_rows(energy: Energy, variables) -> int:
    """Number of distinct rows of parameters; 1 also where it is not known."""
    if not any(energy.batched(variables)):
        return 1
    rows = energy.rows(variables)
    if rows.kinds is not None:
        return len(rows)
    values = initial_values(rows.distinct)
    return math.prod(energy.batch_shapes(values)[0]) if values else 1
