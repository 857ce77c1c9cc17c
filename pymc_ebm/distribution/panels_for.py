"""Panels, or a rule of the space, that resolve a model all over the posterior of its data."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.distribution.pilot import PilotLikelihood, Unforeseeable
from pymc_ebm.reference._panels import MOST_DIMENSIONS, Unresolved, lay_panels
from pymc_ebm.reference._rule import lay_rule, rule_error
from pymc_ebm.reference.base import Reference
from pymc_ebm.reference.composite.error import panel_error
from pymc_ebm.space.box import Support
from pymc_ebm.space.named import normalise_support

__all__ = ["panels_for"]

# Other parameters from which to climb, and how far around the start, on the unconstrained scale.
_STARTS, _AROUND = 16, 2.0
# Anchors, in posterior sds from the mode: along each axis, where there are few, and on a sphere.
_ALONG, _MOST_AXES = (-6.0, -3.0, 3.0, 6.0), 8
_ON_SPHERE, _RADIUS = 16, 5.0
# Nats below the mode from which on an anchor is far, and a draw is none of the posterior.
_FAR, _TYPICAL = 50.0, 12.0
# Parameters of observations that stand for all of a regression at its mode, and at other places.
_ROWS_AT_MODE, _ROWS = 64, 4
# Directions of which the data know less than this share are left to the prior.
_UNKNOWN = 1e-8
# Attempts, and the move of the mode, in posterior sds, by which it counts as found.
_ATTEMPTS, _MOVED = 4, 0.3
# Draws that check the panels, the freedom of their t, and how many become anchors at once.
_DRAWS, _FREEDOM, _MORE = 48, 5, 16
# Nats of the log-likelihood below which a draw is resolved, and those that a report accepts.
_RESOLVED, _ACCEPTED = 4e-3, 0.01
# Error of log Z at far parameters.
_LOOSE = 1e-2


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
    energies, space = pilot.point_energies, normalise_support(support)
    if energies is None:
        raise Unforeseeable
    # The same data give the same reference: fits are reproducible without a seed.
    rng = np.random.default_rng(0)
    if space.rule(2) is not None:
        lay, error_of = partial(lay_rule, energies, space, far_tolerance=_LOOSE), rule_error
    elif isinstance(space, Support) and 1 <= pilot.data[0].size <= MOST_DIMENSIONS:
        data = pilot.data.astype(float)
        lay = partial(lay_panels, energies, data, support=space, far_tolerance=_LOOSE)
        error_of = panel_error
    else:
        raise Unforeseeable
    around = _AROUND * _normal(rng, _share(pilot, _STARTS), pilot.start.size)
    starts = [pilot.start, *(pilot.start + around)]
    far = _rows(pilot, starts, _ROWS)
    reference = lay(far[:1], far[1:], tolerance=_LOOSE)
    mode = _highest(pilot, starts, reference)
    for _ in range(_ATTEMPTS):
        spread = _spread(pilot, mode, reference)
        places = mode + _directions(len(mode), _share(pilot, _ON_SPHERE), rng) @ spread.T
        near = _nats_below(pilot, mode, places, reference) < _FAR
        anchors = pilot.parameter_rows(mode, _ROWS_AT_MODE) + _rows(pilot, places[near], _ROWS)
        others = far + _rows(pilot, places[~near], 1)
        reference = lay(anchors, others)
        before, mode = mode, pilot.maximum(reference, mode)
        if np.linalg.norm(np.linalg.solve(spread, mode - before)) < _MOVED:
            break
    lay = partial(lay, far_anchors=others)
    return _checked(pilot, mode, spread, anchors, lay, error_of, reference, rng)


def _checked(pilot, mode, spread, anchors, lay, error_of, reference, rng) -> Reference:
    """Panels that draws from the pilot posterior find resolved; the worst of others are anchors."""
    wanted = _RESOLVED / len(pilot.data)
    tolerance = wanted / 2
    for attempt in range(_ATTEMPTS):
        z = _normal(rng, _share(pilot, _DRAWS), len(mode))
        z /= np.sqrt(rng.chisquare(_FREEDOM, size=(len(z), 1)) / _FREEDOM)
        draws = mode + z @ spread.T
        draws = draws[_nats_below(pilot, mode, draws, reference) < _TYPICAL]
        rows = _rows(pilot, [mode, *draws], _ROWS)
        log_weights = map(pilot.log_weights(reference), rows)
        errors = np.array([error_of(reference, w) for w in log_weights])
        if errors.max() <= wanted or attempt == _ATTEMPTS - 1:
            break
        worst = np.argsort(-errors)[:_MORE]
        anchors = anchors + [rows[i] for i in worst if not errors[i] <= wanted]
        tolerance *= np.clip(wanted / errors.max(), 0.1, 0.5)
        reference = lay(anchors, tolerance=tolerance)
    nats = len(pilot.data) * errors.max()
    if not nats <= _ACCEPTED:
        raise Unresolved(
            f"{reference.n_points} nodes give the log-likelihood to {nats:.2g} nats only.",
            nats,
            reference.n_points,
        )
    return reference


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


def _spread(pilot: PilotLikelihood, mode: NDArray, reference: Reference) -> NDArray:
    """Root ``(K, K)`` of the inverse of the information that as many data have."""
    information = pilot.information(mode, reference) / pilot.times
    if not (np.isfinite(information).all() and information.any()):
        raise Unforeseeable
    scale = np.sqrt(np.diag(information))
    scale = 1 / np.where(scale > 0, scale, 1.0)
    values, axes = np.linalg.eigh(information * scale * scale[:, None])
    known = values > _UNKNOWN * values[-1]
    return scale[:, None] * axes / np.sqrt(np.where(known, values, 1.0))


def _directions(size: int, on_sphere: int, rng: np.random.Generator) -> NDArray:
    """Places around 0, ``(B, K)``, in sds."""
    around = _normal(rng, on_sphere, size)
    around *= max(_RADIUS, np.sqrt(size) + 3) / np.linalg.norm(around, axis=1, keepdims=True)
    if size > _MOST_AXES:
        return around
    axes = [length * axis for axis in np.eye(size) for length in _ALONG]
    return np.concatenate([axes, around])


def _share(pilot: PilotLikelihood, n: int) -> int:
    """A quarter of `n` where each place has many rows."""
    return n if pilot.n_rows == 1 else n // 4


def _normal(rng: np.random.Generator, n: int, size: int) -> NDArray:
    return rng.normal(size=(n, size))


def _rows(pilot: PilotLikelihood, us: Sequence[NDArray], most: int) -> list:
    return [row for u in us for row in pilot.parameter_rows(u, most)]
