"""The likelihood of data that chains at anchors estimate together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.energy.energy import Energy
from pymc_ebm.reference.chains import mbar
from pymc_ebm.reference.chains.anchor import Anchor, distance, main_axes, slopes, unravel
from pymc_ebm.reference.laws.site_law import SiteLaw
from pymc_ebm.weights.normalised import ess, normalise

__all__ = ["EstimatedLikelihood", "given_by_laws"]


class EstimatedLikelihood:
    """Chains at anchors, their energies at one another, and the likelihood that they estimate.

    Laws of independent sites are columns of the energies behind those of the anchors, and their
    points come behind theirs.

    Parameters
    ----------
    energy : Energy
    draws : ndarray
        Of the first chains, ``(chain, draw, *event)``.
    observed : array_like
        ``(*batch, *event)``.
    shapes : list of tuple
        Of the parameters.
    spacing : float
        Distance between neighbouring anchors, as in `place_anchors`.
    rng : numpy.random.Generator
    """

    def __init__(self, energy: Energy, draws, observed, shapes, spacing: float, rng):
        event = draws.shape[2:]
        data = np.reshape(observed, (-1, *event)).astype(draws.dtype)
        self.shapes, self.n_data, self._rng = shapes, len(data), rng
        self._spacing = spacing
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
        # Values of a site, up to which their frequencies make a law of independent sites.
        return len(self._values()) <= 16

    def _values(self) -> NDArray:
        return np.unique(np.concatenate([np.unique(a.draws) for a in self.anchors]))

    def _new_law(self, anchor) -> float:
        """Take in the law of an anchor's chains; log Ẑ of the anchor by it alone."""
        law = SiteLaw(_some(anchor.draws), self._values())
        points = law.draw(self._rng, self._count)
        self.laws.append(law)
        self._points_of_laws.append(points)
        energies = self._at(self._of_points, self._of_points.statistics(points), anchor.theta)
        return float(normalise(-law.log_density(points) - energies)[0] - np.log(self._count))

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

    def next_to(
        self, anchor: Anchor, anchors: Sequence[Anchor], least: float, lower, upper
    ) -> Iterator[tuple[float, NDArray]]:
        """Parameters one spacing from an anchor, on both sides along the axes of its G.

        Each with its log likelihood; those that one of the anchors covers are left out, and nearer
        ones come as well where one spacing away is improbable, as `towards` has them.
        """
        for variance, axis in main_axes(anchor.metric):
            for side in (-1, 1):
                step = side * self._spacing / np.sqrt(variance) * axis
                whole = np.clip(anchor.theta + step, lower, upper)
                yield from self.towards(whole, anchor, anchors, least)

    def towards(
        self, theta, anchor: Anchor, anchors: Sequence[Anchor], least: float
    ) -> Iterator[tuple[float, NDArray]]:
        """θ with its log likelihood, and halves of the way to it from an anchor.

        They end with what is not more improbable than `least`, or covered. G may grow on the way:
        before a phase transition one spacing leads far beyond.
        """
        for share in 0.5 ** np.arange(5):
            place = anchor.theta + share * (theta - anchor.theta)
            if self.covered(place, anchors):
                return
            height = self.log_likelihood(place)
            yield height, place
            if height >= least:
                return

    def nearest(self, theta, anchors: Sequence[Anchor]) -> Anchor:
        """The anchor that is next to θ."""
        return min(anchors, key=lambda anchor: distance(theta, anchor))

    def covered(self, theta, anchors: Sequence[Anchor]) -> bool:
        """Whether θ is near to one of the anchors, and enough of all points are effective there."""
        # Share of the spacing within which an anchor covers the parameters around: by its own G,
        # and by what is left of its points at that distance where G stays the same.
        near = 0.7 * self._spacing
        if all(distance(theta, anchor) > near for anchor in anchors):
            return False
        energies = self._at(self._of_points, self._statistics, theta)
        effective = ess(normalise(self._log_weights - energies)[1])
        return bool(effective > np.exp(-(near**2)) * self._count)

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
        return float(normalise(self._log_weights - energies)[0])

    def _at(self, energies, statistics, theta) -> NDArray:
        return energies(statistics, unravel(theta, self.shapes))

    def _slopes(self, energies, statistics, theta) -> NDArray:
        """∂E/∂θ of each point, ``(M, P)``."""
        return slopes(partial(energies, statistics), unravel(theta, self.shapes), len(theta))


def given_by_laws(n_anchors: int, n_laws: int) -> NDArray:
    """The log Z that are known: 0 of each law, and without laws 0 of the first anchor."""
    given = np.full(n_anchors + n_laws, np.nan)
    given[n_anchors:] = 0.0
    if n_laws == 0:
        given[0] = 0.0
    return given


def _some(draws) -> NDArray:
    """Up to so many draws as placing takes, evenly over the chains, ``(M, *event)``."""
    points = draws.reshape(-1, *draws.shape[2:])
    # Draws of each chain by which anchors are placed; all of them are pooled afterwards.
    return points[:: max(len(points) // 250, 1)]
