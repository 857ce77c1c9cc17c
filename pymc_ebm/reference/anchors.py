"""Where the anchors of pooled chains go: over all parameters that the data allow."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pymc_ebm.energy import Energy
from pymc_ebm.progress import progress
from pymc_ebm.reference import mbar
from pymc_ebm.reference.point_energies import PointEnergies

__all__ = ["chain_draws", "place_anchors"]

# Distance between neighbours, in standard deviations of what the energy says of θ by one event:
# a point of one belongs to the other with probability 0.15 to 0.2.
_SPACING = 2.0
_COVERED = 0.7 * _SPACING
# The pilot has arrived where the estimate is this near.
_ARRIVED = 0.5
_MOST_STEPS = 50
_MOST_ANCHORS = 64
# Draws of each chain by which anchors are placed; all of them are pooled afterwards.
_DRAWS_FOR_PLACING = 250
# Where the likelihood is above this share of what a normal posterior would hold.
_PROBABILITY = 0.999
_STEP = 1e-5
_SINGULAR = 1e-10


def place_anchors(
    energy: Energy,
    observed,
    start: Sequence,
    sampler: Callable,
    *,
    bounds: Sequence | None = None,
    signature: str | None = None,
    random_seed=None,
    progressbar: bool = True,
) -> tuple[list[list[NDArray]], list[NDArray], NDArray]:
    r"""Chains at anchors that cover the likelihood of the data.

    First the pilot: from `start`, chains at θ give E[∂E] and G(θ) = Cov[∂E/∂θ], and θ moves by the
    scoring step G⁻¹(E[∂E] − mean of ∂E over the data), at most 2 units of G, until it has
    arrived. From there outwards: of all θ two units from an anchor and not near another one, the
    next anchor is the one of highest likelihood

    .. math:: \hat ℓ(θ) = −\sum_n E(x_n \mid θ) − N \log \hat Z(θ)

    with log Ẑ from the chains so far, until all others are too improbable: below the maximum by
    half the 0.999 quantile of χ² with as many degrees of freedom as there are parameters.

    Parameters
    ----------
    energy : callable
    observed : array_like
        ``(*batch, *event)``.
    start : sequence of array_like
        One row of parameters.
    sampler : callable
        As in `pooled`.
    bounds : sequence of pairs, optional
        ``(lower, upper)`` of each parameter; no anchor is placed beyond.
    signature, random_seed, progressbar : optional
        As in `pooled`.

    Returns
    -------
    anchors : list of list of ndarray
    draws : list of ndarray
        ``(chain, draw, *event)`` of each.
    log_partitions : ndarray
        log Ẑ of each, relative to the first.

    Raises
    ------
    ValueError
        Chains at the start that do not vary; a pilot that does not arrive.

    Warns
    -----
    UserWarning
        The data allow more than 64 anchors cover.

    References
    ----------
    R. M. Hummel, D. R. Hunter, M. S. Handcock (2012), "Improving simulation-based algorithms for
    fitting ERGMs", J. Comput. Graph. Stat. 21, 920–939 (limited steps).
    """
    rng = np.random.default_rng(random_seed)
    shapes = [np.shape(value) for value in start]
    lower, upper = _box(bounds, shapes)

    def draw(theta):
        row = _unravel(theta, shapes)
        return chain_draws(
            sampler(energy, *row, signature=signature, random_seed=rng, progressbar=False)
        )

    theta = np.clip(np.concatenate([np.ravel(v).astype(float) for v in start]), lower, upper)
    with progress(progressbar) as bar:
        task = bar.add_task("Pilot", total=None)
        draws = draw(theta)
        net = _Net(energy, draws, observed, shapes, signature)
        for _ in range(_MOST_STEPS):
            anchor = net.anchor(theta, draws)
            length = np.sqrt(anchor.step @ anchor.metric @ anchor.step)
            reached = np.clip(theta + anchor.step * min(1, _SPACING / length), lower, upper)
            move = reached - theta
            if np.sqrt(move @ anchor.metric @ move) < _ARRIVED:
                break
            theta = reached
            draws = draw(theta)
            bar.advance(task)
        else:
            raise ValueError(
                f"The pilot has not arrived at a maximum of the likelihood after {_MOST_STEPS} "
                f"steps, and is at {_spell(theta, shapes)}. Start nearer with initval= or start=, "
                "or give thetas=."
            )
        net.add(anchor)
        bar.update(task, description="Anchors", completed=1)
        threshold = stats.chi2(len(theta)).ppf(_PROBABILITY) / 2
        highest = net.log_likelihood(reached)
        frontier: list[tuple[float, NDArray]] = []
        while True:
            newest = net.anchors[-1]
            frontier = [(h, place) for h, place in frontier if _distance(place, newest) > _COVERED]
            new = net.places_next_to(newest, lower, upper)
            frontier += [(net.log_likelihood(place), place) for place in new]
            highest = max(highest, net.height(-1), *(h for h, _ in frontier))
            frontier = [(h, place) for h, place in frontier if h >= highest - threshold]
            if not frontier:
                break
            if len(net.anchors) == _MOST_ANCHORS:
                warnings.warn(
                    f"{_MOST_ANCHORS} anchors do not cover all parameters that the data allow: "
                    f"{len(frontier)} places next to them are left out. Use narrower priors, or "
                    "fewer parameters.",
                    UserWarning,
                    stacklevel=3,
                )
                break
            _, theta = frontier.pop(int(np.argmax([h for h, _ in frontier])))
            net.add(net.anchor(theta, draw(theta)))
            bar.advance(task)
    thetas = [_unravel(anchor.theta, shapes) for anchor in net.anchors]
    return thetas, [anchor.draws for anchor in net.anchors], net.log_partitions


def chain_draws(draws) -> NDArray:
    """Draws by chain and draw, ``(chain, draw, *event)``, of an array or a DataTree."""
    if hasattr(draws, "children"):
        draws = draws["samples"]["x"]
    draws = np.asarray(draws)
    if draws.ndim < 2:
        raise ValueError(
            f"The draws of an anchor have shape {draws.shape}. Give them by chain and draw, "
            "(chain, draw, *event)."
        )
    return draws


class _Anchor:
    """A chain at θ and what it says of the parameters around: G(θ) and the scoring step."""

    def __init__(self, theta, draws, statistics, metric, step):
        self.theta, self.draws, self.statistics = theta, draws, statistics
        self.metric, self.step = metric, step


class _Net:
    """Chains at anchors, their energies at one another, and the likelihood that they estimate."""

    def __init__(self, energy, draws, observed, shapes, signature):
        event = draws.shape[2:]
        data = np.reshape(observed, (-1, *event)).astype(draws.dtype)
        self.shapes, self.n_data = shapes, len(data)
        zeros = [np.zeros(shape) for shape in shapes]
        count = len(_some(draws))
        self._of_points = PointEnergies(energy, event, draws.dtype, zeros, signature, count)
        # Those that need their number of points do not mind being told it.
        self._of_data = PointEnergies(energy, event, draws.dtype, zeros, signature, self.n_data)
        self._data = self._of_data.statistics(data)
        self.anchors: list[_Anchor] = []
        self.log_partitions = np.empty(0)
        # Of the points that all anchors give to placing, by anchor: (M,), (M, K) and (M, ...)
        self._log_weights = np.empty(0)
        self._energies = np.empty((0, 0))
        self._statistics: list[NDArray] = []

    def anchor(self, theta, draws) -> _Anchor:
        """The local information of a chain at θ, not yet among the anchors."""
        statistics = self._of_points.statistics(_some(draws))
        of_points = self._slopes(self._of_points, statistics, theta)
        of_data = self._slopes(self._of_data, self._data, theta).mean(axis=0)
        metric = np.atleast_2d(np.cov(of_points.T))
        force = of_points.mean(axis=0) - of_data
        values, vectors = np.linalg.eigh(metric)
        scale = np.abs(of_points).max() ** 2
        still = values <= _SINGULAR * max(scale, values.max())
        along = vectors.T @ force
        if (np.abs(along[still]) > 1e-6 * np.sqrt(scale)).any():
            raise ValueError(
                f"The chains at {_spell(theta, self.shapes)} do not vary, so they do not say where "
                "the data are. Start from parameters at which the model's states vary, with "
                "initval= or start=."
            )
        step = vectors[:, ~still] @ (along[~still] / values[~still])
        return _Anchor(theta, draws, statistics, metric, step)

    def add(self, anchor: _Anchor) -> None:
        """Take in an anchor and pool all chains again."""
        rows = [self._at(self._of_points, anchor.statistics, a.theta) for a in self.anchors]
        rows.append(self._at(self._of_points, anchor.statistics, anchor.theta))
        energies = np.stack(rows, axis=1)
        guess = 0.0
        if self.anchors:
            guess = self._log_partition(anchor.theta)
            column = self._at(self._of_points, self._statistics, anchor.theta)[:, None]
            self._energies = np.concatenate([np.hstack([self._energies, column]), energies])
            pairs = zip(self._statistics, anchor.statistics, strict=True)
            self._statistics = [np.concatenate(pair) for pair in pairs]
        else:
            self._energies, self._statistics = energies, anchor.statistics
        self.anchors.append(anchor)
        counts = np.full(len(self.anchors), len(energies))
        self.log_partitions = mbar.solve(
            self._energies, counts, 0, 0.0, np.append(self.log_partitions, guess)
        )
        self._log_weights = -mbar.log_mixture(self.log_partitions, self._energies, counts)

    def places_next_to(self, anchor, lower, upper) -> list[NDArray]:
        """Places on both sides of an anchor along the axes of its G, and not near another."""
        found = []
        values, vectors = np.linalg.eigh(anchor.metric)
        for value, vector in zip(values, vectors.T, strict=True):
            if value <= _SINGULAR * values.max():
                continue  # the energy does not change along it
            for sign in (-1, 1):
                place = anchor.theta + sign * _SPACING / np.sqrt(value) * vector
                place = np.clip(place, lower, upper)
                if all(_distance(place, other) > _COVERED for other in self.anchors):
                    found.append(place)
        return found

    def height(self, k) -> float:
        """Log likelihood at an anchor."""
        of_data = self._at(self._of_data, self._data, self.anchors[k].theta).sum()
        return float(-of_data - self.n_data * self.log_partitions[k])

    def log_likelihood(self, theta) -> float:
        """Σ_n log p(x_n | θ) by the chains so far; −inf where the energy is not a number."""
        of_data = self._at(self._of_data, self._data, theta).sum()
        value = -of_data - self.n_data * self._log_partition(theta)
        return float(value) if np.isfinite(value) else -np.inf

    def _log_partition(self, theta) -> float:
        energies = self._at(self._of_points, self._statistics, theta)
        return float(np.logaddexp.reduce(self._log_weights - energies))

    def _at(self, energies, statistics, theta) -> NDArray:
        return energies(statistics, _unravel(theta, self.shapes))

    def _slopes(self, energies, statistics, theta) -> NDArray:
        """∂E/∂θ of each point by central differences, ``(M, P)``; exact where E is linear."""
        columns = []
        for p in range(len(theta)):
            h = np.zeros(len(theta))
            h[p] = _STEP * max(abs(theta[p]), 0.1)
            difference = self._at(energies, statistics, theta + h)
            difference = difference - self._at(energies, statistics, theta - h)
            columns.append(difference / (2 * h[p]))
        return np.stack(columns, axis=1)


def _some(draws) -> NDArray:
    """Up to so many draws as placing takes, evenly over the chains, ``(M, *event)``."""
    points = draws.reshape(-1, *draws.shape[2:])
    return points[:: max(len(points) // _DRAWS_FOR_PLACING, 1)]


def _distance(theta, anchor) -> float:
    move = theta - anchor.theta
    return float(np.sqrt(move @ anchor.metric @ move))


def _box(bounds, shapes):
    """Lower and upper limits of the flattened parameters."""
    if bounds is None:
        bounds = [(-np.inf, np.inf)] * len(shapes)
    if len(bounds) != len(shapes):
        raise ValueError(
            f"There are bounds of {len(bounds)} parameters, and {len(shapes)} parameters. Give "
            "(lower, upper) of each."
        )
    pairs = zip(bounds, shapes, strict=True)
    limits = [[np.broadcast_to(b, shape).ravel() for b in pair] for pair, shape in pairs]
    return tuple(np.concatenate(side).astype(float) for side in zip(*limits, strict=True))


def _unravel(theta, shapes) -> list[NDArray]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [v.reshape(s) for v, s in zip(np.split(theta, ends[:-1]), shapes, strict=True)]


def _spell(theta, shapes) -> str:
    return str([np.round(value, 4).tolist() for value in _unravel(theta, shapes)])
