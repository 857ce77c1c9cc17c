"""Log normalisers on one real dimension, by panels placed where a fine scan finds the model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.diagnostics.second_estimate.question import Answer, CannotTell, Question
from pymc_ebm.numbers import number
from pymc_ebm.weights.normalised import normalise

__all__ = ["on_the_line"]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(10)
_GOLDEN = (np.sqrt(5) - 1) / 2
# Ratio of neighbouring breakpoints around a mode or a bound.
_GRADE = 4.0


def on_the_line(
    question: Question,
    *,
    anchors: int = 8,
    places: int = 2**16,
    tolerance: float = 1e-11,
    most_panels: int = 20_000,
) -> Answer:
    """Adaptive quadrature of one-dimensional energies, with nodes of its own.

    At a few rows far from one another the energy is looked at on an even grid over ± 40 scales of
    the data, on grids even in log |x| far beyond, at the data and at the starts. Minima are
    refined by golden section, panels get breakpoints that are graded by powers of 4 around them
    and around bounds, and are bisected until two halves of each agree with the whole.

    Parameters
    ----------
    question : Question
        D = 1.
    anchors : int
        Rows at which panels are placed.
    places : int
        Of the even grid.
    tolerance : float
        Share of Z by which the halves of a panel may differ from the whole.
    most_panels : int

    Returns
    -------
    Answer
        Its noise is the difference of the fine and the coarse rule.

    Raises
    ------
    CannotTell
        An integral that does not converge; more panels than allowed.
    """
    scan = _Scan(question, places)
    chosen = question.far_apart(anchors)
    for _ in range(3):
        panels = _Panels(question, scan, chosen, tolerance, most_panels)
        log_z, error = panels.values(np.arange(question.n_rows))
        worst = np.argsort(-np.abs(error), kind="stable")[:anchors]
        worst = worst[np.abs(error[worst]) > 1e-7]
        if set(worst) <= set(chosen):
            break
        chosen = np.union1d(chosen, worst)
    width = 80 * scan.scale / places
    return Answer(
        log_z,
        error[None],
        f"quadrature on {panels.n_nodes:,} nodes of its own",
        f"A mode narrower than {number(width)} without a datum may be missed.",
    )


class _Scan:
    """Where rows have their modes, on grids that are made once."""

    def __init__(self, question: Question, places: int):
        self._question = question
        self.lower, self.upper = float(question.lower[0]), float(question.upper[0])
        self.centre, self.scale = float(question.centre[0]), float(question.scale[0])
        far = self.scale * np.logspace(-6, 12, 2**12)
        parts = [
            self.centre + self.scale * np.linspace(-40, 40, places),
            self.centre + far,
            self.centre - far,
            _some(question.data[:, 0]),
            _some(question.starts[:, 0]),
        ]
        near = self.scale * np.logspace(-15, 12, 2**11)
        parts += [self.lower + near] if np.isfinite(self.lower) else []
        parts += [self.upper - near] if np.isfinite(self.upper) else []
        if np.isfinite(self.upper - self.lower):
            parts.append(np.linspace(self.lower, self.upper, places // 4))
        x = np.unique(np.concatenate(parts))
        self.x = x[(x > self.lower) & (x < self.upper)]

    def modes(self, row: int) -> tuple[NDArray, NDArray]:
        """Local maxima of the density and how wide they are."""
        x, rows = self.x, np.array([row])
        density = lambda places: self._question.log_densities(places, rows)[0]
        height = density(x[:, None])
        if not np.isfinite(height).any():
            return np.empty(0), np.empty(0)
        before, after = np.r_[-np.inf, height[:-1]], np.r_[height[1:], -np.inf]
        peaks = np.flatnonzero((height >= before) & (height > after))
        peaks = peaks[np.argsort(-height[peaks], kind="stable")][:32]
        low, high = x[np.maximum(peaks - 1, 0)], x[np.minimum(peaks + 1, len(x) - 1)]
        for _ in range(45):
            inner, outer = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
            at_inner, at_outer = density(np.concatenate([inner, outer])[:, None]).reshape(2, -1)
            left = at_inner >= at_outer
            low, high = np.where(left, low, inner), np.where(left, outer, high)
        middle = (low + high) / 2
        better = density(middle[:, None]) > height[peaks]
        found = np.where(better, middle, x[peaks])
        top = np.maximum(density(found[:, None]), height[peaks])
        # Only now: a narrow mode between two places looks low from both.
        high_enough = top > top.max() - 50.0  # a lower maximum is no mode worth breakpoints
        found, top = found[high_enough], top[high_enough]
        # The first of distances graded by 4 at which the density has fallen on both sides.
        steps = self.scale * _GRADE ** np.arange(-20.0, 4.0)
        sides = np.stack([found - steps[:, None], found + steps[:, None]])
        of_sides = density(self._inside(sides.ravel())[:, None]).reshape(sides.shape).max(axis=0)
        low_enough = of_sides < top - 0.5
        # Below the number format's resolution nothing falls.
        return found, np.where(low_enough.any(axis=0), steps[low_enough.argmax(axis=0)], steps[-1])

    def _inside(self, x: NDArray) -> NDArray:
        return np.clip(x, self.x[0], self.x[-1])


class _Panels:
    """Panels between breakpoints, bisected for rows that are given."""

    def __init__(self, question, scan: _Scan, chosen: NDArray, tolerance, most_panels):
        self._question, self._scan, self._chosen = question, scan, chosen
        edges = self._edges()
        low, high = edges[:-1], edges[1:]
        self._shift = self._question.log_densities(scan.x[:, None], chosen).max(axis=1)
        self._shift = np.where(np.isfinite(self._shift), self._shift, 0.0)[:, None]
        whole = self._masses(low, high)
        kept_low, kept_high = [], []
        total = whole.sum(axis=1, keepdims=True)
        for _ in range(60):
            middle = (low + high) / 2
            left, right = self._masses(low, middle), self._masses(middle, high)
            change = left + right - whole
            total = total + change.sum(axis=1, keepdims=True)
            with np.errstate(all="ignore"):
                share = np.nan_to_num(np.abs(change) / np.where(total > 0, total, 1.0))
            # A panel at the end of the number format's resolution cannot be halved.
            split = (share.max(axis=0) > tolerance) & (middle > low) & (middle < high)
            kept_low.append(low[~split])
            kept_high.append(high[~split])
            if not split.any():
                break
            whole = np.concatenate([left[:, split], right[:, split]], axis=1)
            low, high = (
                np.concatenate([low[split], middle[split]]),
                np.concatenate([middle[split], high[split]]),
            )
            if len(low) + sum(map(len, kept_low)) > most_panels:
                raise CannotTell(
                    f"More than {most_panels} panels do not resolve the energy on the line."
                )
        self._low, self._high = np.concatenate(kept_low), np.concatenate(kept_high)

    @property
    def n_nodes(self) -> int:
        """Of the fine rule."""
        return 2 * len(_NODES) * len(self._low)

    def values(self, rows: NDArray) -> tuple[NDArray, NDArray]:
        """Log Z of rows by the fine rule, and its difference to the coarse one, ``(J,)``."""
        middle = (self._low + self._high) / 2
        fine_x, fine_w = _rule(
            np.concatenate([self._low, middle]), np.concatenate([middle, self._high])
        )
        coarse_x, coarse_w = _rule(self._low, self._high)
        log_z, error = np.empty(len(rows)), np.empty(len(rows))
        size = max(2**22 // fine_x.size, 1)
        for first in range(0, len(rows), size):
            some = rows[first : first + size]
            fine = _log_sum(self._log_densities(fine_x, some), fine_w)
            coarse = _log_sum(self._log_densities(coarse_x, some), coarse_w)
            log_z[first : first + size] = fine
            with np.errstate(invalid="ignore"):
                error[first : first + size] = np.where(fine == coarse, 0.0, fine - coarse)
        return log_z, error

    def _log_densities(self, x: NDArray, rows: NDArray) -> NDArray:
        inside = (x > self._scan.lower) & (x < self._scan.upper)
        # Rounding puts nodes next to a bound on it, where an energy may be infinite.
        moved = np.where(inside, x, self._scan.x[0])
        return np.where(inside, self._question.log_densities(moved[:, None], rows), -np.inf)

    def _masses(self, low: NDArray, high: NDArray) -> NDArray:
        """Integrals over panels of every chosen row, ``(A, P)``."""
        x, w = _rule(low, high)
        values = np.exp(self._log_densities(x, self._chosen) - self._shift) * w
        return values.reshape(len(self._chosen), -1, len(_NODES)).sum(axis=2)

    def _edges(self) -> NDArray:
        # How close breakpoints come to a bound.
        closest_power = 40
        scan = self._scan
        lower, upper, scale = scan.lower, scan.upper, scan.scale
        edges = [
            scan.centre + side * scale * _GRADE ** np.arange(-1.0, 4.0) for side in (-1.0, 1.0)
        ]
        edges.append(np.array([scan.centre]))
        placed = np.empty((0, 2))
        for row in self._chosen:
            for mode, width in zip(*scan.modes(int(row)), strict=True):
                edges.append(np.array([mode]))
                near = np.abs(placed[:, 0] - mode) < np.minimum(placed[:, 1], width) / 2
                if near.any():
                    continue
                placed = np.vstack([placed, [mode, width]])
                steps = width * _GRADE ** np.arange(-1.0, 4.0)
                edges += [mode - steps, mode + steps]
        for bound, side in ((lower, 1.0), (upper, -1.0)):
            if np.isfinite(bound):
                closest = max(scale * _GRADE**-closest_power, 4 * np.spacing(abs(bound)))
                steps = scale * _GRADE ** np.arange(4.0, -closest_power, -1.0)
                edges.append(bound + side * steps[steps >= closest])
        flat = np.unique(np.concatenate(edges))
        flat = flat[(flat > lower) & (flat < upper)]
        gaps = np.r_[True, np.diff(flat) > 1e-13 * np.maximum(scale, np.abs(flat[1:]))]
        flat = flat[gaps]
        below = np.array([lower]) if np.isfinite(lower) else self._tail(flat[0], -1.0)
        above = np.array([upper]) if np.isfinite(upper) else self._tail(flat[-1], 1.0)
        return np.concatenate([below, flat, above])

    def _tail(self, edge: float, side: float) -> NDArray:
        """Breakpoints further and further out, until no row has mass there."""
        scan = self._scan
        height = self._question.log_densities(scan.x[:, None], self._chosen)
        # The mass of the scanned places, as a lower sum.
        gaps = np.diff(scan.x)
        inside = _log_sum(np.minimum(height[:, 1:], height[:, :-1]), gaps)
        start = max(abs(edge - scan.centre), scan.scale)
        steps = start * _GRADE ** np.arange(0.0, 200.0)
        steps = steps[steps < 1e280]
        tail = self._question.log_densities(
            (scan.centre + side * steps)[:, None], self._chosen
        ) + np.log(steps)
        heavy = (tail > inside[:, None] - 36.0).any(axis=0)
        last = int(np.flatnonzero(heavy)[-1]) + 1 if heavy.any() else 0
        if last >= len(steps):
            raise CannotTell(
                "The integral of exp(−energy) over the stated space does not converge: the energy "
                f"does not rise far {'above' if side > 0 else 'below'} the data."
            )
        outer = scan.centre + side * steps[1 : last + 2]
        return outer if side > 0 else outer[::-1]


def _some(x: NDArray, most: int = 4096) -> NDArray:
    """Distinct places, evenly thinned in order where they are many."""
    distinct = np.unique(x[np.isfinite(x)])
    if len(distinct) <= most:
        return distinct
    return distinct[np.linspace(0, len(distinct) - 1, most).astype(int)]


def _rule(low: NDArray, high: NDArray) -> tuple[NDArray, NDArray]:
    """Nodes and weights of all panels, one panel after the other."""
    half = (high - low) / 2
    x = (low + half)[:, None] + half[:, None] * _NODES
    return x.ravel(), (half[:, None] * _WEIGHTS).ravel()


def _log_sum(log_values: NDArray, weights: NDArray) -> NDArray:
    """Log Σ w e^l over the last axis, −inf where all are −inf."""
    with np.errstate(divide="ignore"):  # a panel that cannot be halved
        return normalise(log_values + np.log(weights))[0]
