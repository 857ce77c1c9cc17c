"""Panels halved until a rule and a coarser one agree at given parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from pymc_ebm.reference.composite.axes import Axes
from pymc_ebm.reference.composite.boxes import Boxes
from pymc_ebm.reference.composite.rule import Rule


class Masses(NamedTuple):
    """What each panel holds at each anchor, and its errors; logarithms, ``(P, A)``."""

    log_mass: NDArray
    # |K − G| in one dimension. In two, where it is far too pessimistic, |K − Σ K of the halves|.
    log_error: NDArray
    log_change: NDArray  # |K − G|

    def shares(self) -> tuple[NDArray, NDArray]:
        """Mass of each panel, and its error, as shares of Z at each anchor."""
        log_z = self._log_z
        return np.exp(self.log_mass - log_z), np.exp(self.log_error - log_z)

    def calibration(self, near: int, margin: float = 4.0, least: float = 1e-10) -> NDArray:
        """Share of |K − G| that is the error of each panel, ``(P,)``: what the anchors say.

        The largest errors at any of the first `near` anchors are compared, so that no change of
        sign decides; those of the others, where less may be resolved, only where these know
        nothing, below a share `least` of Z. It is 1 where none does.
        """
        found = np.ones(len(self.log_mass))
        for some in (slice(near, None), slice(near)):
            error, change = (
                (v - self._log_z)[:, some].max(axis=1, initial=-np.inf)
                for v in (self.log_error, self.log_change)
            )
            known = change > np.log(least)
            ratio = np.exp(np.where(known, error, 0.0) - np.where(known, change, 0.0))
            found = np.where(known, np.minimum(margin * ratio, 1.0), found)
        return found

    @property
    def _log_z(self) -> NDArray:
        log_z = logsumexp(self.log_mass, axis=0)
        return np.where(np.isfinite(log_z), log_z, np.inf)  # nothing to resolve


class Panels:
    """Boxes, with the nodes of a rule on each.

    Parameters
    ----------
    axes : Axes
    rule : Rule
    boxes : Boxes
    """

    def __init__(self, axes: Axes, rule: Rule, boxes: Boxes):
        self._axes, self.rule = axes, rule
        self.boxes = boxes

    @property
    def n_nodes(self) -> int:
        """The number of nodes of all panels."""
        return len(self.boxes.lower) * len(self.rule.weights)

    def at_an_end(self) -> NDArray:
        """Whether each panel is one of the last along an axis, ``(P,)``."""
        end = self._axes.end
        return ((self.boxes.lower <= -end) | (self.boxes.upper >= end)).any(axis=1)

    def coordinates(self, boxes: Boxes) -> NDArray:
        """Coordinates t of the nodes, ``(P, M, D)``."""
        middle, half = (boxes.lower + boxes.upper) / 2, (boxes.upper - boxes.lower) / 2
        return middle[:, None] + half[:, None] * self.rule.nodes

    def nodes(self, boxes: Boxes) -> tuple[NDArray, NDArray]:
        """Points ``(P M, D)`` and log |dx/dt| with the boxes' volumes, ``(P, M)``."""
        t = self.coordinates(boxes)
        points, log_slopes = self._axes.place(t.reshape(-1, t.shape[-1]))
        log_volumes = np.log(boxes.upper - boxes.lower).sum(axis=1)
        return points, log_slopes.reshape(t.shape[:2]) + log_volumes[:, None]

    def bisect(
        self, energies: Callable[[NDArray], NDArray], tolerances: NDArray, most_nodes: int
    ) -> Masses:
        """Halve the panels with the largest errors until their sum is within the tolerances.

        Parameters
        ----------
        energies : callable
            E of points ``(M, D)`` at each anchor, ``(A, M)``.
        tolerances : ndarray, shape (A,)
            Errors of log Z in nats.
        most_nodes : int
            As far as halving goes.

        Returns
        -------
        Masses
            Of the panels that there are in the end.
        """
        masses = self._masses(energies, self.boxes)
        while True:
            worst = _excess(masses.shares()[1] / tolerances)
            worst[self.boxes.widths < 2.0**-40] = 0.0  # too narrow to halve
            order = np.argsort(-worst, kind="stable")
            more = 2 ** self.boxes.lower.shape[1] - 1
            room = max((most_nodes // len(self.rule.weights) - len(order)) // more, 0)
            split = order[: min(room, int((worst > 0).sum()))]
            if not len(split):
                return masses
            kept = np.delete(np.arange(len(order)), split)
            parts = self.boxes.chosen(np.sort(split)).halved()
            new = self._masses(energies, parts)
            self.boxes = self.boxes.chosen(kept).joined(parts)
            masses = Masses(
                *(np.concatenate([m[kept], n]) for m, n in zip(masses, new, strict=True))
            )

    def _masses(self, energies, boxes: Boxes) -> Masses:
        log_mass, log_change = self._sums(energies, boxes)
        if boxes.lower.shape[1] == 1:
            return Masses(log_mass, log_change, log_change)
        n_anchors = log_mass.shape[1]
        halves = self._sums(energies, boxes.halved())[0]
        halves = logsumexp(halves.reshape(len(log_mass), -1, n_anchors), axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            high, low = np.maximum(log_mass, halves), np.minimum(log_mass, halves)
            log_error = np.where(high == low, -np.inf, high + np.log(-np.expm1(low - high)))
        return Masses(log_mass, log_error, log_change)

    def _sums(self, energies, boxes: Boxes) -> tuple[NDArray, NDArray]:
        """Log K and log |K − G|, each ``(P, A)``."""
        points, log_slopes = self.nodes(boxes)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            log_f = log_slopes - energies(points).reshape(-1, *log_slopes.shape)  # (A, P, M)
            log_f = np.where(np.isnan(log_f), -np.inf, log_f)
            top = log_f.max(axis=2, keepdims=True)
            top = np.where(np.isfinite(top), top, 0.0)
            f = np.exp(log_f - top)
            mass = np.log(f @ self.rule.weights) + top[..., 0]
            change = np.log(np.abs(f @ (self.rule.weights - self.rule.coarse))) + top[..., 0]
        return mass.T, change.T


def _excess(errors: NDArray) -> NDArray:
    """Largest error of each panel at any anchor, ``(P,)``; 0 where the others' sum is the problem.

    Of errors ``(P, A)`` in tolerances. At an anchor whose sum is above 1, the small ones that sum
    to a half may stay.
    """
    order = np.argsort(errors, axis=0)
    small = np.take_along_axis(errors, order, axis=0).cumsum(axis=0) <= 0.5
    stays = np.empty_like(small)
    np.put_along_axis(stays, order, small, axis=0)
    return np.where(stays | (errors.sum(axis=0) <= 1), 0.0, errors).max(axis=1, initial=0.0)
