"""Where the anchors of pooled chains go: over all parameters that the data allow."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pymc_ebm.energy import Energy
from pymc_ebm.progress import progress
from pymc_ebm.reference import mbar
from pymc_ebm.reference.point_energies import PointEnergies
from pymc_ebm.reference.site_law import SiteLaw

__all__ = ["Placement", "chain_draws", "place_anchors"]

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
# Values of a site, up to which their frequencies make a law of independent sites.
_MOST_VALUES = 16


class Placement(NamedTuple):
    """Where the anchors are, the one nearest to the maximum first, and the chains there.

    Attributes
    ----------
    thetas : list of list of ndarray
        The parameters of each anchor.
    draws : list of ndarray
        ``(chain, draw, *event)`` of each.
    laws : list of SiteLaw
        Distributions that tie anchors without overlap to each other.
    log_partitions : ndarray
        log Ẑ of the anchors, then of the laws; relative to the first where there are no laws.
    """

    thetas: list[list[NDArray]]
    draws: list[NDArray]
    laws: list[SiteLaw]
    log_partitions: NDArray


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
) -> Placement:
    r"""Chains at anchors that cover the likelihood of the data.

    First the pilot: from `start`, chains at θ give E[∂E] and G(θ) = Cov[∂E/∂θ], and θ moves by the
    scoring step G⁻¹(E[∂E] − mean of ∂E over the data), at most 2 units of G and halved where it
    leads away from the data, until it has arrived. From there outwards: of all θ two units from an
    anchor and not near another one, the next anchor is the one of highest likelihood

    .. math:: \hat ℓ(θ) = −\sum_n E(x_n \mid θ) − N \log \hat Z(θ)

    with log Ẑ from the chains so far, until all others are too improbable: below the maximum by
    half the 0.999 quantile of χ² with as many degrees of freedom as there are parameters.

    Chains may leave for states that no other anchor's reach, as those of networks do that fill up
    at once (a phase transition). The log Z of such an anchor is found by way of independent sites
    with the frequencies of its chains, whose log Z is 0, and likewise that of the first anchor.
    Beyond the transition the likelihood is then known to be small. An anchor that this does not tie
    to the others is left out, with a warning.

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
    Placement

    Raises
    ------
    ValueError
        Chains at the start that do not vary; a pilot that does not arrive.

    Warns
    -----
    UserWarning
        The data allow more than 64 anchors cover; anchors that are left out.

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
        net = _Net(energy, draws, observed, shapes, signature, rng)
        anchor, rate = net.anchor(theta, draws), 1.0
        for _ in range(_MOST_STEPS):
            step = anchor.solve(anchor.force, shapes)
            step *= min(1, _SPACING / np.sqrt(step @ anchor.metric @ step))
            whole = np.clip(anchor.theta + step, lower, upper)
            arrived = _distance(whole, anchor) < _ARRIVED
            theta = anchor.theta + rate * (whole - anchor.theta)
            reached = net.anchor(theta, draw(theta))
            bar.advance(task)
            nearer = anchor.shortfall(reached) < anchor.shortfall(anchor)
            if nearer:
                anchor, rate = reached, 1.0
            else:
                rate /= 2  # beyond a phase transition, for example
            if arrived:
                break
        else:
            raise ValueError(
                f"The pilot has not arrived at a maximum of the likelihood after {_MOST_STEPS} "
                f"steps, and is at {_spell(anchor.theta, shapes)}. Start nearer with initval= or "
                "start=, or give thetas=."
            )
        net.add(anchor)
        bar.update(task, description="Anchors", completed=1)
        threshold = stats.chi2(len(theta)).ppf(_PROBABILITY) / 2
        frontier: list[tuple[float, NDArray]] = []
        lost: list[NDArray] = []
        while True:
            heights = np.array([net.height(k) for k in range(len(net.anchors))])
            for anchor, height in zip(net.anchors, heights, strict=True):
                if height >= heights.max() - threshold and not anchor.passed:
                    new = net.places_next_to(anchor, lower, upper)
                    frontier += [(net.log_likelihood(place), place) for place in new]
                    anchor.passed = True
            best, frontier = _highest(net, frontier)
            least = max(best, heights.max()) - threshold
            near = [a for a, h in zip(net.anchors, heights, strict=True) if h >= least]
            frontier = [
                (height, place)
                for height, place in frontier
                if all(_distance(place, anchor) > _COVERED for anchor in near)
            ]
            best, frontier = _highest(net, frontier)
            if best < least:
                # The others' heights are those of when they were found.
                frontier = [(net.log_likelihood(place), place) for _, place in frontier]
                best, frontier = _highest(net, frontier)
            if best < least:
                break
            if len(net.anchors) + len(lost) == _MOST_ANCHORS:
                warnings.warn(
                    f"{_MOST_ANCHORS} anchors do not cover all parameters that the data allow. "
                    "Use narrower priors, or fewer parameters.",
                    UserWarning,
                    stacklevel=3,
                )
                break
            _, theta = frontier.pop(0)
            if not net.add(net.anchor(theta, draw(theta))):
                lost.append(theta)
            bar.advance(task)
    if lost:
        warnings.warn(
            f"Chains at {len(lost)} places leave for states that no other chains reach, first at "
            f"{_spell(lost[0], shapes)}, and log Z there is not known. Exclude these parameters by "
            "the prior or domain=, or give a reference whose anchors lead there.",
            UserWarning,
            stacklevel=3,
        )
    thetas = [_unravel(anchor.theta, shapes) for anchor in net.anchors]
    draws_of_all = [anchor.draws for anchor in net.anchors]
    return Placement(thetas, draws_of_all, net.laws, net.log_partitions)


def _highest(net, frontier) -> tuple[float, list[tuple[float, NDArray]]]:
    """The largest log likelihood of the places, which then comes first; −inf for none.

    It alone is computed again, until it stays the largest: new anchors change it.
    """
    if not frontier:
        return -np.inf, frontier
    while True:
        frontier = sorted(frontier, key=lambda one: -one[0])
        before, place = frontier[0]
        now = net.log_likelihood(place)
        frontier[0] = (now, place)
        if len(frontier) == 1 or now >= frontier[1][0] or now == before:
            return now, frontier


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


def given_by_laws(n_anchors: int, n_laws: int) -> NDArray:
    """The log Z that are known: 0 of each law, and without laws 0 of the first anchor."""
    given = np.full(n_anchors + n_laws, np.nan)
    given[n_anchors:] = 0.0
    if n_laws == 0:
        given[0] = 0.0
    return given


class _Anchor:
    """A chain at θ and what it says of the parameters around: G(θ) and the force on θ."""

    def __init__(self, theta, draws, statistics, metric, force, scale):
        self.theta, self.draws, self.statistics = theta, draws, statistics
        self.metric, self.force, self.scale = metric, force, scale
        # Whether the places next to it have been looked at.
        self.passed = False

    def solve(self, force, shapes) -> NDArray:
        """The scoring step G⁻¹ force."""
        values, vectors, still = self._axes()
        along = vectors.T @ force
        if (np.abs(along[still]) > 1e-6 * np.sqrt(self.scale)).any():
            raise ValueError(
                f"The chains at {_spell(self.theta, shapes)} do not vary, so they do not say where "
                "the data are. Start from parameters at which the model's states vary, with "
                "initval= or start=."
            )
        return vectors[:, ~still] @ (along[~still] / values[~still])

    def shortfall(self, other) -> float:
        """forceᵀ G⁻¹ force: how far the means at another θ are from the data's, in units of G."""
        values, vectors, still = self._axes()
        return float((((vectors.T @ other.force)[~still]) ** 2 / values[~still]).sum())

    def _axes(self):
        values, vectors = np.linalg.eigh(self.metric)
        return values, vectors, values <= _SINGULAR * max(self.scale, values.max())


class _Net:
    """Chains at anchors, their energies at one another, and the likelihood that they estimate.

    Laws of independent sites are columns of the energies behind those of the anchors, and their
    points are rows behind theirs.
    """

    def __init__(self, energy, draws, observed, shapes, signature, rng):
        event = draws.shape[2:]
        data = np.reshape(observed, (-1, *event)).astype(draws.dtype)
        self.shapes, self.n_data, self._rng = shapes, len(data), rng
        zeros = [np.zeros(shape) for shape in shapes]
        self._count = len(_some(draws))
        self._of_points = PointEnergies(energy, event, draws.dtype, zeros, signature, self._count)
        # Those that need their number of points do not mind being told it.
        self._of_data = PointEnergies(energy, event, draws.dtype, zeros, signature, self.n_data)
        self._data = self._of_data.statistics(data)
        self.anchors: list[_Anchor] = []
        self.laws: list[SiteLaw] = []
        self._points_of_laws: list[NDArray] = []
        self.log_partitions = np.empty(0)
        # Of the points that anchors and laws give to placing: (M,) and (M, ...)
        self._log_weights = np.empty(0)
        self._statistics: list[NDArray] = []

    def anchor(self, theta, draws) -> _Anchor:
        """The local information of a chain at θ, not yet among the anchors."""
        statistics = self._of_points.statistics(_some(draws))
        of_points = self._slopes(self._of_points, statistics, theta)
        of_data = self._slopes(self._of_data, self._data, theta).mean(axis=0)
        metric = np.atleast_2d(np.cov(of_points.T))
        force = of_points.mean(axis=0) - of_data
        return _Anchor(theta, draws, statistics, metric, force, np.abs(of_points).max() ** 2)

    def add(self, anchor: _Anchor) -> bool:
        """Take in an anchor, tied to the others by a law if need be, and pool all again.

        False where it cannot be tied; it is then left out.
        """
        n, n_laws, before = len(self.anchors), len(self.laws), self.log_partitions
        guess = self._log_partition(anchor.theta) if n else 0.0
        self.anchors.append(anchor)
        if n not in self._pool(np.insert(before, n, guess)):
            return True
        if self._has_laws():
            f = before
            if not self.laws:
                f = f - f[0] + self._new_law(self.anchors[0])
            value = self._new_law(anchor)
            f = np.concatenate([f[:n], [value], np.zeros(len(self.laws))])
            if n not in self._pool(f):
                return True
        del self.anchors[n:], self.laws[n_laws:], self._points_of_laws[n_laws:]
        self._pool(before)
        return False

    def _has_laws(self) -> bool:
        if self.anchors[0].draws.dtype.kind not in "iu":
            return False
        return len(self._values()) <= _MOST_VALUES

    def _values(self) -> NDArray:
        return np.unique(np.concatenate([np.unique(a.draws) for a in self.anchors]))

    def _new_law(self, anchor) -> float:
        """Take in the law of an anchor's chains; log Ẑ of the anchor by it alone."""
        law = SiteLaw(_some(anchor.draws), self._values())
        points = law.draw(self._rng, self._count)
        self.laws.append(law)
        self._points_of_laws.append(points)
        energies = self._at(self._of_points, self._of_points.statistics(points), anchor.theta)
        return float(np.logaddexp.reduce(law.energy(points) - energies) - np.log(self._count))

    def _pool(self, f) -> NDArray:
        """Pool all chains from a first guess; the anchors whose log Z this does not tell."""
        parts = [a.statistics for a in self.anchors]
        parts += [self._of_points.statistics(points) for points in self._points_of_laws]
        self._statistics = [np.concatenate(part) for part in zip(*parts, strict=True)]
        columns = [self._at(self._of_points, self._statistics, a.theta) for a in self.anchors]
        if self.laws:
            points = [*(_some(a.draws) for a in self.anchors), *self._points_of_laws]
            columns += [law.energy(np.concatenate(points)) for law in self.laws]
        energies = np.stack(columns, axis=1)
        counts = np.full(energies.shape[1], self._count)
        given = given_by_laws(len(self.anchors), len(self.laws))
        self.log_partitions = mbar.solve(energies, counts, given, f)
        self._log_weights = -mbar.log_mixture(self.log_partitions, energies, counts)
        p = mbar.probabilities(self.log_partitions, energies, counts)
        return mbar.untied(p.T @ p / counts[:, None], given)

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
