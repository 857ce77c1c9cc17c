"""Point patterns whose energy says what a birth, a death or a move changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymc_ebm.reference.annealing.metropolis import ByMoves, Width
from pymc_ebm.reference.annealing.population import Population
from pymc_ebm.space._points import Points

__all__ = ["PatternMoves", "PatternsByChanges"]

#: A compiled ``change(x, i, row, *params)`` and, for each anchor, its parameters.
Changes = tuple[Callable, Sequence[tuple]]


class PatternMoves:
    """Sweeps of as many steps as a pattern has places, each at the cost of one point's neighbours.

    Parameters
    ----------
    space : Points
    base : ndarray, shape (most + 1,)
        U of the base law by the number of points.
    changes : tuple
        As `Changes`.
    """

    fewest_moves, most_moves = 4, 128

    def __init__(self, space: Points, base: NDArray, changes: Changes):
        assert space.event_shape is not None
        self._shape, self._base = space.event_shape, base
        self._window = np.array(space.window).T
        self._change, self._params = changes

    def move(
        self, population: Population, beta: float, scale: Width, rng
    ) -> tuple[Population, float]:
        """One sweep of every pattern; the share of moves accepted."""
        from pymc_ebm.space.pattern_sweeps import pattern_sweep  # brings numba

        start, end = population.start, population.end
        states = population.states.reshape(-1, *self._shape).copy()
        at_start, at_end = population.at_start[0].copy(), population.at_end[0].copy()
        params, n_uniforms = self._params, self._shape[1] + 2
        # Numbers of uniforms made at once.
        together = max(2**20 // (self._shape[0] * n_uniforms), 1)
        shares = []
        for low in range(0, len(states), together):
            part = slice(low, low + together)
            u = rng.random((len(states[part]), self._shape[0], n_uniforms))
            shares.append(
                pattern_sweep(
                    states[part], at_start[part], at_end[part], u, min(scale.size / 10, 0.5),
                    self._window, self._base, beta, 2 if start == end else min(start, 1),
                    self._change, params[max(start, 1) - 1], params[end - 1],
                )
            )  # fmt: skip
        states = states.reshape(population.states.shape)
        ended = at_end, None
        began = ended if start == end else (at_start, None)
        moved = Population(population.space, start, end, states, began, ended)
        return moved, float(np.mean(shares))


class PatternsByChanges(ByMoves):
    """`ByMoves` for patterns, whose steps are those of `PatternMoves`.

    Parameters
    ----------
    energy, anchors, data, space, rng
        As of `ByMoves`.

    Raises
    ------
    ValueError
        A `local_change` that is not what the energy changes by.
    """

    _law: Any
    _space: Any

    def __init__(self, energy, anchors, data, space: Points, rng):
        super().__init__(energy, anchors, data, space, rng)
        self.fewest_moves, self.most_moves = PatternMoves.fewest_moves, PatternMoves.most_moves
        self._change, self._by_number = energy.function.local_change, self._law.by_number
        self._by_changes = self._moves_at(anchors)
        energy_of = lambda x: self.potential(1, x.reshape(len(x), -1))[0]
        check_changes(self._change, _params(anchors[0]), data, energy_of, rng)

    def anchored(self, anchors):
        """See `ByMoves`."""
        other: Any = super().anchored(anchors)
        other._by_changes = self._moves_at(anchors)
        return other

    def move(self, population, beta, scale, rng):
        """See `PatternMoves`."""
        return self._by_changes.move(population, beta, scale, rng)

    def _moves_at(self, anchors) -> PatternMoves:
        changes = self._change, [_params(row) for row in anchors]
        return PatternMoves(self._space, self._by_number, changes)


def _params(row) -> tuple:
    return tuple(np.asarray(v)[()] for v in row)


def changes_of(energy) -> Callable | None:
    """The compiled `local_change` of an energy; None where it has none."""
    from numba.core.dispatcher import Dispatcher

    found = getattr(energy.function, "local_change", None)
    return found if isinstance(found, Dispatcher) else None


def check_changes(change: Callable, params: tuple, patterns: NDArray, energy_of, rng) -> None:
    """Compare with differences of the energy, where one point of each pattern vanishes.

    Raises
    ------
    ValueError
        If they differ.
    """
    which, one = rng.permutation(np.argwhere(patterns[..., -1] > 0))[:64].T
    if not len(which):
        return
    some, fewer = patterns[which], patterns[which]
    fewer[np.arange(len(which)), one] = 0.0
    before, after = energy_of(some), energy_of(fewer)
    for x, i, truth, level in zip(some, one, after - before, before, strict=True):
        found = change(x, int(i), np.zeros(x.shape[1]), *params)
        if np.isfinite(truth) and not abs(found - truth) <= 1e-8 * (1 + abs(level)):
            raise ValueError(
                f"The local_change of the energy is {found} where a point vanishes, and the energy "
                f"changes by {truth}, at parameters {[float(p) for p in params]}. Correct "
                "local_change, or delete the attribute."
            )
