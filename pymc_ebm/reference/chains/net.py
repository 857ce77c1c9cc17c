"""Chains at anchors, and the likelihood of data that they estimate together."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.energy.energy import Energy
from pymc_ebm.reference.chains import mbar
from pymc_ebm.reference.laws.site_law import SiteLaw

__all__ = ["COVERED", "SPACING", "Anchor", "Net", "distance", "given_by_laws", "spell", "unravel"]

# Distance between neighbours, in standard deviations of what the energy says of θ by one event:
# a point of one belongs to the other with probability 0.15 to 0.2.
SPACING = 2.0
COVERED = 0.7 * SPACING
# Draws of each chain by which anchors are placed; all of them are pooled afterwards.
_DRAWS_FOR_PLACING = 250
_STEP = 1e-5
_SINGULAR = 1e-10
# Values of a site, up to which their frequencies make a law of independent sites.
_MOST_VALUES = 16


class Anchor:
    """A chain at θ and what it says of the parameters around: G(θ) and the force on θ."""

    def __init__(self, theta, draws, statistics, metric, force, scale):
        self.theta, self.draws, self.statistics = theta, draws, statistics
        self.metric, self.force, self.scale = metric, force, scale
        # Whether the places next to it have been looked at.
        self.passed = False

    def stuck(self) -> bool:
        """Whether the force has a direction in which the chain does not vary."""
        _, vectors, still = self._axes()
        along = vectors[:, still].T @ self.force
        return bool((np.abs(along) > 1e-6 * np.sqrt(self.scale)).any())

    def solve(self, shapes) -> NDArray:
        """The scoring step G⁻¹ force."""
        values, vectors, still = self._axes()
        along = vectors.T @ self.force
        if self.stuck():
            raise ValueError(
                f"The chains at {spell(self.theta, shapes)} do not vary, so they do not say where "
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


class Net:
    """Chains at anchors, their energies at one another, and the likelihood that they estimate.

    Laws of independent sites are columns of the energies behind those of the anchors, and their
    points are rows behind theirs.
    """

    def __init__(self, energy: Energy, draws, observed, shapes, rng):
        event = draws.shape[2:]
        data = np.reshape(observed, (-1, *event)).astype(draws.dtype)
        self.shapes, self.n_data, self._rng = shapes, len(data), rng
        zeros = [np.zeros(shape) for shape in shapes]
        self._count = len(_some(draws))
        self._of_points = energy.of_points(event, draws.dtype, zeros, self._count)
        # Those that need their number of points do not mind being told it.
        self._of_data = energy.of_points(event, draws.dtype, zeros, self.n_data)
        self._data = self._of_data.statistics(data)
        self.anchors: list[Anchor] = []
        self.laws: list[SiteLaw] = []
        self._points_of_laws: list[NDArray] = []
        self.log_partitions = np.empty(0)
        # Of the points that anchors and laws give to placing: (M,) and (M, ...)
        self._log_weights = np.empty(0)
        self._statistics: list[NDArray] = []

    def anchor(self, theta, draws) -> Anchor:
        """The local information of a chain at θ, not yet among the anchors."""
        statistics = self._of_points.statistics(_some(draws))
        of_points = self._slopes(self._of_points, statistics, theta)
        of_data = self._slopes(self._of_data, self._data, theta).mean(axis=0)
        metric = np.atleast_2d(np.cov(of_points.T))
        force = of_points.mean(axis=0) - of_data
        return Anchor(theta, draws, statistics, metric, force, np.abs(of_points).max() ** 2)

    def add(self, anchor: Anchor) -> bool:
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
        return float(np.logaddexp.reduce(-law.log_density(points) - energies) - np.log(self._count))

    def _pool(self, f) -> NDArray:
        """Pool all chains from a first guess; the anchors whose log Z this does not tell."""
        parts = [a.statistics for a in self.anchors]
        parts += [self._of_points.statistics(points) for points in self._points_of_laws]
        self._statistics = [np.concatenate(part) for part in zip(*parts, strict=True)]
        columns = [self._at(self._of_points, self._statistics, a.theta) for a in self.anchors]
        if self.laws:
            points = [*(_some(a.draws) for a in self.anchors), *self._points_of_laws]
            columns += [-law.log_density(np.concatenate(points)) for law in self.laws]
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
                place = anchor.theta + sign * SPACING / np.sqrt(value) * vector
                place = np.clip(place, lower, upper)
                if all(distance(place, other) > COVERED for other in self.anchors):
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
        return energies(statistics, unravel(theta, self.shapes))

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


def given_by_laws(n_anchors: int, n_laws: int) -> NDArray:
    """The log Z that are known: 0 of each law, and without laws 0 of the first anchor."""
    given = np.full(n_anchors + n_laws, np.nan)
    given[n_anchors:] = 0.0
    if n_laws == 0:
        given[0] = 0.0
    return given


def distance(theta, anchor: Anchor) -> float:
    """Distance of θ from an anchor in units of its G."""
    move = theta - anchor.theta
    return float(np.sqrt(move @ anchor.metric @ move))


def unravel(theta, shapes) -> list[NDArray]:
    """Parameters of their shapes from a flat row."""
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [v.reshape(s) for v, s in zip(np.split(theta, ends[:-1]), shapes, strict=True)]


def spell(theta, shapes) -> str:
    """Parameter values for a message."""
    return str([np.round(value, 4).tolist() for value in unravel(theta, shapes)])


def _some(draws) -> NDArray:
    """Up to so many draws as placing takes, evenly over the chains, ``(M, *event)``."""
    points = draws.reshape(-1, *draws.shape[2:])
    return points[:: max(len(points) // _DRAWS_FOR_PLACING, 1)]
