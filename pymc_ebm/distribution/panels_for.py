"""Panels, or a rule of the space, that resolve a model all over the posterior of its data."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.distribution.error_forecast import known_axes
from pymc_ebm.distribution.of_free_values import Unforeseeable
from pymc_ebm.distribution.pilot import PilotLikelihood
from pymc_ebm.reference._panels import MOST_DIMENSIONS, Unresolved, lay_panels
from pymc_ebm.reference._rule import lay_rule, rule_error
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.composite.error import panel_error
from pymc_ebm.space.box import Support
from pymc_ebm.space.named import normalise_support

__all__ = ["panels_for", "spread_of"]

# Anchors along each axis, in posterior sds from the mode, where there are few axes.
_ALONG = (-6.0, -3.0, 3.0, 6.0)
# Observations that stand for all of a regression away from its mode.
_ROWS = 4
_ATTEMPTS = 4


def panels_for(pilot: PilotLikelihood, support) -> Reference:
    """Panels halved at anchors over the pilot posterior, and checked at draws from it.

    Where the space knows a rule of its own, that takes the place of panels.

    Parameters
    ----------
    pilot : PilotLikelihood
    support
        As in `EBM`.

    Raises
    ------
    Unforeseeable
        Events of more than two numbers, an energy that takes one number of points only, or a
        likelihood without a maximum.
    Unresolved
        More nodes needed than is worth while, or a normaliser that may be infinite.
    """
    # Error of log Z at far parameters.
    loose = 1e-2
    energies, space = pilot.point_energies, normalise_support(support)
    if energies is None:
        raise Unforeseeable
    # The same data give the same reference: fits are reproducible without a seed.
    rng = np.random.default_rng(0)
    if space.rule(2) is not None:
        lay, error_of = partial(lay_rule, energies, space, far_tolerance=loose), rule_error
    elif isinstance(space, Support) and 1 <= pilot.data[0].size <= MOST_DIMENSIONS:
        data = pilot.data.astype(float)
        lay = partial(lay_panels, energies, data, support=space, far_tolerance=loose)
        error_of = panel_error
    else:
        raise Unforeseeable
    # Other parameters from which to climb, on the unconstrained scale.
    around = 2.0 * _normal(rng, _share(pilot, 16), pilot.start.size)
    starts = [pilot.start, *(pilot.start + around)]
    far = pilot.parameter_rows(starts, _ROWS)
    reference = lay(far[:1], far[1:], tolerance=loose)
    mode = _highest(pilot, starts, reference)
    for _ in range(_ATTEMPTS):
        spread = spread_of(pilot, mode, reference)
        places = mode + _directions(len(mode), _share(pilot, 16), rng) @ spread.T
        # An anchor so many nats below the mode is far.
        near = _nats_below(pilot, mode, places, reference) < 50.0
        # Of a regression many observations at its mode, and few at other places.
        anchors = pilot.parameter_rows([mode], 64) + pilot.parameter_rows(places[near], _ROWS)
        others = far + pilot.parameter_rows(places[~near], 1)
        reference = lay(anchors, others)
        before, mode = mode, pilot.maximum(reference, mode)
        # In posterior sds: the mode is found.
        if np.linalg.norm(np.linalg.solve(spread, mode - before)) < 0.3:
            break
    lay = partial(lay, far_anchors=others)
    return _checked(pilot, mode, spread, anchors, lay, error_of, reference, rng)


def _checked(pilot, mode, spread, anchors, lay, error_of, reference, rng) -> Reference:
    """Panels that draws from the pilot posterior find resolved; the worst of others are anchors."""
    # Draws of a t distribution check them; the nats of the log-likelihood that may be wrong are
    # less than half of those that a report accepts.
    freedom, wanted = 5, 4e-3 / pilot.n_data
    tolerance = wanted / 2
    for attempt in range(_ATTEMPTS):
        z = _normal(rng, _share(pilot, 48), len(mode))
        z /= np.sqrt(rng.chisquare(freedom, size=(len(z), 1)) / freedom)
        draws = mode + z @ spread.T
        # A draw so many nats below the mode is none of the posterior.
        draws = draws[_nats_below(pilot, mode, draws, reference) < 12.0]
        rows = pilot.parameter_rows([mode, *draws], _ROWS)
        errors = _errors(pilot, rows, error_of, reference)
        if errors.max() <= wanted or attempt == _ATTEMPTS - 1:
            break
        worst = np.argsort(-errors)[:16]
        anchors = anchors + [rows[i] for i in worst if not errors[i] <= wanted]
        tolerance *= np.clip(wanted / errors.max(), 0.1, 0.5)
        reference = lay(anchors, tolerance=tolerance)
    nats = pilot.n_data * errors.max()
    if not nats <= 0.01:
        raise Unresolved(
            f"{reference.n_points} nodes give the log-likelihood to {nats:.2g} nats only.",
            nats,
            reference.n_points,
        )
    return reference


def _errors(pilot: PilotLikelihood, rows: Sequence, error_of, reference: Reference) -> NDArray:
    """Of log Ẑ at rows of parameters, a few at a time."""
    log_weights, together = pilot.log_weights(reference), max(2**20 // reference.n_points, 1)
    starts = range(0, len(rows), together)
    return np.array(
        [error_of(reference, w) for i in starts for w in log_weights(rows[i : i + together])]
    )


def _highest(pilot: PilotLikelihood, starts: Sequence[NDArray], reference: Reference) -> NDArray:
    """The higher of the maxima that are climbed from the first start and from the best."""
    best = int(np.argmax(_finite(pilot.log_likelihood(starts, reference))))
    tops = [
        pilot.maximum(reference, starts[i]) for i in ({best} if pilot.n_rows > 1 else {0, best})
    ]
    return tops[int(np.argmax(_finite(pilot.log_likelihood(tops, reference))))]


def _nats_below(pilot: PilotLikelihood, mode, places, reference: Reference) -> NDArray:
    """Nats of the log-likelihood below its mode, of as many data as stand for all of them."""
    top, *others = _finite(pilot.log_likelihood([mode, *places], reference))
    return (top - np.array(others)) / pilot.times


def _finite(values: NDArray) -> NDArray:
    return np.where(np.isfinite(values), values, -np.finfo(float).max)


def spread_of(pilot: PilotLikelihood, mode: NDArray, reference: Reference) -> NDArray:
    """Root ``(K, K)`` of the inverse of the information that as many data have."""
    information = pilot.information(mode, reference) / pilot.times
    with np.errstate(invalid="ignore"):
        scale = np.sqrt(np.diag(information))
    scale = 1 / np.where(scale > 0, scale, 1.0)
    values, axes, known = known_axes(information * scale * scale[:, None])
    return scale[:, None] * axes / np.sqrt(np.where(known, values, 1.0))


def _directions(size: int, on_sphere: int, rng: np.random.Generator) -> NDArray:
    """Places around 0, ``(B, K)``, in sds."""
    around = _normal(rng, on_sphere, size)
    # Far out in the posterior, and beyond where most of it is in many dimensions.
    around *= max(5.0, np.sqrt(size) + 3) / np.linalg.norm(around, axis=1, keepdims=True)
    if size > 8:  # there are too many axes
        return around
    axes = [length * axis for axis in np.eye(size) for length in _ALONG]
    return np.concatenate([axes, around])


def _share(pilot: PilotLikelihood, n: int) -> int:
    """A quarter of `n` where each place has many rows."""
    return n if pilot.n_rows == 1 else n // 4


def _normal(rng: np.random.Generator, n: int, size: int) -> NDArray:
    return rng.normal(size=(n, size))
